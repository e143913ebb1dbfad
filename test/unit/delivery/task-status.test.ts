import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TaskStatus } from '../../../src/delivery/task-status.js';
import { closedPort } from '../../fixtures/closed-port.js';
import { eventually } from '../../fixtures/eventually.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

type Answer = (response: ServerResponse, request: Seen) => void;

const json =
  (value: unknown): Answer =>
  (response) =>
    response.end(JSON.stringify(value));

const known = json({ code: 0, message: 'ok', sid: '', data: [{ task_id: 'id', task_type: '1', task_status: '1' }] });
const done = json({ code: 0, message: 'ok', sid: '', data: null });

let server: Server | null = null;
let seen: Seen[] = [];
let degraded: string[] = [];
let tasks: TaskStatus;

/** Serves GET and PUT, and keeps what was asked. */
async function serve(get: Answer = known, put: Answer = done, timeoutMs = 60_000): Promise<string> {
  server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { method: request.method ?? '', url: request.url ?? '', body: Buffer.concat(chunks).toString() };
      seen.push(one);
      (one.method === 'GET' ? get : put)(response, one);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/nrt/task`;
  use(url, timeoutMs);
  return url;
}

function use(url: string, timeoutMs = 60_000): void {
  seen = [];
  degraded = [];
  tasks = new TaskStatus({ url, timeoutMs, onDegraded: (reason, id) => degraded.push(`${id}: ${reason}`) });
}

afterEach(async () => {
  tasks.close();
  const closing = server;
  closing?.closeAllConnections();
  if (closing !== null) await new Promise((resolve) => closing.close(resolve));
  server = null;
});

const finish = (id = 'id'): Promise<void> => tasks.begin(id, '10.0.0.5:5090').finish(true, 'cmVzdWx0', 12);

describe('the status of a task', () => {
  it.each<[string, Answer, string]>([
    ['an answer that is not JSON', (response) => response.end('<html>'), 'the answer is not JSON'],
    ['an answer that is no object', json([1]), 'the answer is no JSON object'],
    ['an empty answer', (response) => response.end(), 'the answer is not JSON'],
    ['an answer without a code', json({ data: [{ task_status: '1' }] }), 'the answer has no code'],
    ['a code', json({ code: 10103, message: 'no such task', data: [] }), 'code 10103'],
    ['an unknown task', json({ code: 0, data: [] }), 'the answer names no task_status'],
    ['no data', json({ code: 0 }), 'the answer names no task_status'],
    ['null for a task', json({ code: 0, data: [null] }), 'the answer names no task_status'],
    ['another type of status', json({ code: 0, data: [{ task_status: 1 }] }), 'the answer names no task_status'],
    ['status 500', (response) => response.writeHead(500).end('{"code":0}'), 'status 500'],
    ['status 404', (response) => response.writeHead(404).end('{"code":0}'), 'status 404'],
    ['a broken connection', (response) => response.destroy(), 'UND_ERR_SOCKET'],
    [
      'a redirect',
      (response, { url }) => response.writeHead(307, { location: url.replace('/nrt/', '/elsewhere/') }).end(),
      'status 307',
    ],
    [
      'an endless answer',
      (response) => {
        const chunk = Buffer.alloc(1 << 20, 'x');
        const more = (): void => {
          if (!response.destroyed) response.write(chunk, more);
        };
        more();
      },
      'an answer of more than 8388608 bytes',
    ],
  ])('is not kept after %s, which is said once', async (_name, get, reason) => {
    await serve(get);
    await finish();
    expect(degraded).toEqual([`id: ${reason}`]);
    expect(seen.map(({ method }) => method)).toEqual(['GET']);
  });

  it.each<[string, Answer]>([
    ['nothing', () => undefined],
    ['a beginning', (response) => response.write('{"code":')],
  ])('is not kept when all that comes in time is %s', async (_name, get) => {
    await serve(get, done, 50);
    await finish();
    expect(degraded).toEqual(['id: no answer within 50 ms']);
  });

  it('is not kept when nobody listens there', async () => {
    use(`http://127.0.0.1:${await closedPort()}/`);
    await finish();
    expect(degraded).toEqual(['id: ECONNREFUSED']);
  });

  it('is not asked for when the id is beyond reason', async () => {
    await serve();
    await finish('x'.repeat(257));
    expect(degraded).toEqual([`${'x'.repeat(256)}: the id has 257 characters`]);
    expect(seen).toEqual([]);
  });

  it('is left alone when the first update fails', async () => {
    await serve(known, json({ code: 7 }));
    await finish();
    expect(degraded).toEqual(['id: code 7']);
    expect(seen.map(({ method }) => method)).toEqual(['GET', 'PUT']);
  });

  it('is given up when the last update fails', async () => {
    let updates = 0;
    await serve(known, (response, request) => {
      (updates++ === 0 ? done : json({ code: 8 }))(response, request);
    });
    await finish();
    expect(degraded).toEqual(['id: code 8']);
  });

  it('does not hold up the end of the loader', async () => {
    await serve(() => undefined);
    const finished = finish();
    await eventually(() => seen.length).toBe(1);
    tasks.close();
    await finished;
    await finish();
    expect(degraded).toEqual(['id: the loader stops', 'id: the loader stops']);
  });

  it('is told when the task begins and when it has succeeded, in this order', async () => {
    await serve();
    await tasks.begin('a b&c', '10.0.0.5:5090').finish(true, 'cmVzdWx0', 12);
    expect(degraded).toEqual([]);
    const [query, active, last] = seen;
    expect(seen).toHaveLength(3);
    expect(query).toMatchObject({ method: 'GET', url: '/nrt/task?task_id=a+b%26c', body: '' });
    expect(active).toMatchObject({ method: 'PUT', url: '/nrt/task' });
    expect(JSON.parse(active?.body ?? '')).toEqual({
      task_id: 'a b&c',
      engine_node: '10.0.0.5:5090',
      prev_task_status: '1',
      task_status: '2',
      resp_result: '',
      engine_cost_time: 0,
    });
    expect(JSON.parse(last?.body ?? '')).toEqual({
      task_id: 'a b&c',
      engine_node: '10.0.0.5:5090',
      prev_task_status: '2',
      task_status: '3',
      resp_result: 'cmVzdWx0',
      engine_cost_time: 12,
    });
  });

  it('is told when the task has failed', async () => {
    await serve();
    await tasks.begin('id', '10.0.0.5:5090').finish(false, '', 0);
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toMatchObject({ task_status: '4' });
  });

  it('keeps the query of its address', async () => {
    const url = await serve();
    use(`${url}?key=k`);
    await finish();
    expect(seen.map((one) => one.url)).toEqual(['/nrt/task?key=k&task_id=id', '/nrt/task?key=k', '/nrt/task?key=k']);
  });
});
