import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AigesError } from '../../../../src/core/errors.js';
import { eventually } from '../../../fixtures/eventually.js';
import { type Answer, gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { listen, quiet, route, setup, type Setup, type SetupChanges } from '../../../fixtures/http-server.js';

interface Counted extends Setup {
  /** Requests whose headers have arrived. */
  readonly begun: string[];
  /** Codes of those that are over. */
  readonly codes: number[];
  /** A connection that has sent this. */
  readonly send: (text: string) => Socket;
}

async function counted(answer: Answer, changes: SetupChanges = {}): Promise<Counted> {
  const begun: string[] = [];
  const codes: number[] = [];
  const onCall = (service: string): ((code: number) => void) => {
    begun.push(service);
    return (code) => codes.push(code);
  };
  const server = await setup(answer, { onCall, ...changes });
  const port = await listen(server);
  const send = (text: string): Socket => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text));
    socket.on('error', () => undefined).resume();
    onTestFinished(() => {
      socket.destroy();
    });
    return socket;
  };
  return { ...server, begun, codes, send };
}

const head = (fields: string): string => `POST ${route} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const post = (accept: string): string => `${head(`Accept: ${accept}\r\nContent-Length: 2\r\n`)}{}`;
/** What the log is told of errors besides their texts. */
const told = (errors: readonly AigesError[]): unknown[] => errors.map(({ kind, cause }) => [kind, cause]);
const left = [['cancelled', undefined]];

describe('a client that leaves', () => {
  it('while its call runs is counted as that, and gives the log no cause to write out', async () => {
    const hold = gate();
    onTestFinished(() => {
      hold.open();
    });
    const { begun, codes, errors, runtime, send } = await counted(() => hold.promise.then(() => []));
    const socket = send(post('*/*'));
    await eventually(() => runtime.calls).toBe(1);
    expect([begun, codes]).toEqual([['echo'], []]);
    socket.destroy();
    await eventually(() => codes).toEqual([10102]);
    await eventually(() => told(errors)).toEqual(left);
  });

  it('in the middle of a stream is counted as that', async () => {
    const server = await counted(() => [], { takes: { once: true, stream: true } });
    const socket = server.send(post('text/event-stream'));
    await eventually(() => server.runtime.streams[0]?.written.length).toBe(1);
    server.runtime.streams[0]?.give('one');
    await eventually(() => socket.bytesRead).toBeGreaterThan(0);
    socket.destroy();
    await eventually(() => server.codes).toEqual([10102]);
    await eventually(() => told(server.errors)).toEqual(left);
  });

  it('before it has read its answer is counted as that', async () => {
    const data = Buffer.alloc(32 << 20);
    const { codes, runtime, send } = await counted(() => [textFrame('result', '', { data, type: 4 })]);
    const socket = send(post('video/*'));
    socket.pause();
    await eventually(() => runtime.outputsAlive).toBe(1);
    expect(codes).toEqual([]);
    socket.destroy();
    await eventually(() => codes).toEqual([10102]);
  });

  it.each(['destroy', 'resetAndDestroy'] as const)(
    'in the middle of its body is counted from its headers on: %s',
    async (leave) => {
      const { begun, codes, errors, contexts, send, runtime } = await counted(() => []);
      const socket = send(`${head('Content-Length: 100\r\n')}{`);
      await eventually(() => begun).toEqual(['echo']);
      expect(codes).toEqual([]);
      socket[leave]();
      await eventually(() => codes).toEqual([10102]);
      await eventually(() => told(errors)).toEqual(left);
      expect(contexts).toMatchObject([{ route }]);
      expect(runtime.calls).toBe(0);
    },
  );
});

describe('a request that no service has seen', () => {
  it.each([
    ['with too large a body', head('Content-Length: 1025\r\n'), {}],
    [
      'that does not arrive in time',
      `${head('Content-Length: 100\r\n')}{`,
      // How often the server looks for such requests comes from this; the time that they have is below.
      { patience: { ...quiet.patience, bodyMs: 40 } },
    ],
  ])('is counted with the code that it was answered with: %s', async (_what, text, changes) => {
    const { app, begun, codes, errors, send } = await counted(() => [], changes);
    send(text);
    await eventually(() => begun).toEqual(['echo']);
    // Not before: what is cut off without its headers is for no service.
    app.server.headersTimeout = app.server.requestTimeout = 40;
    await eventually(() => codes).toEqual([10000]);
    await eventually(() => errors).toMatchObject([{ code: 10000 }]);
  });

  it('is not counted where it is for none', async () => {
    const { app, begun, codes } = await counted(() => []);
    for (const url of ['/healthz', '/nowhere']) await app.inject({ method: 'GET', url });
    await app.inject({ method: 'POST', url: '/nowhere', payload: '{}' });
    const last = await app.inject({ method: 'POST', url: route, payload: '{}' });
    expect(last.statusCode).toBe(200);
    await eventually(() => codes).toEqual([0]);
    expect(begun).toEqual(['echo']);
  });
});

describe('a request that fails', () => {
  it('is counted with its code, once, also where that comes behind results', async () => {
    const server = await counted(() => [], { takes: { once: true, stream: true } });
    await server.app.inject({ method: 'POST', url: route, payload: '{' });
    await eventually(() => server.codes).toEqual([10000]);
    const socket = server.send(post('text/event-stream'));
    await eventually(() => server.runtime.streams[0]?.written.length).toBe(1);
    server.runtime.streams[0]?.give('one');
    await eventually(() => socket.bytesRead).toBeGreaterThan(0);
    server.runtime.streams[0]?.end();
    await eventually(() => server.codes).toEqual([10000, 10908]);
    expect(server.begun).toHaveLength(2);
  });
});
