import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { service as healthService } from 'grpc-health-check';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../src/core/errors.js';
import type { Descriptor } from '../../src/core/descriptor.js';
import type { Frame } from '../../src/core/frame.js';
import { createHost } from '../../src/host.js';
import { createLogger } from '../../src/observability/logger.js';
import { describeService } from '../../src/schema/service-schema.js';
import { body, descriptor, param } from '../fixtures/descriptors.js';
import { openEvents } from '../fixtures/event-client.js';
import { eventually } from '../fixtures/eventually.js';
import { FakeRuntime, gate, textFrame } from '../fixtures/fake-runtime.js';
import { type RunningHost, startHost, testConfig } from '../fixtures/host.js';
import { RawClient } from '../fixtures/raw-client.js';
import { WsClient } from '../fixtures/ws-client.js';
import { callXsf, onceRequest } from '../fixtures/xsf-client.js';

const echo = (_call: unknown, frames: readonly Frame[]): Frame[] =>
  frames.map((frame) => textFrame('result', Buffer.from(frame.data).toString()));

let running: RunningHost | null = null;

async function start(runtime: FakeRuntime, limits: { drainTimeoutMs?: number } = {}): Promise<RunningHost> {
  running = await startHost({ runtime, limits });
  return running;
}

afterEach(() => {
  running?.client.close();
  running = null;
});

const post = (loader: RunningHost, body = '{}'): Promise<Response> =>
  fetch(`${loader.httpUrl}/v1/private/svc`, { method: 'POST', body });

const { Watch } = healthService as unknown as {
  readonly Watch: {
    readonly path: string;
    requestSerialize(value: object): Buffer;
    responseDeserialize(bytes: Buffer): { readonly status: string };
  };
};

/** What the health service of gRPC tells about xsf from now on. */
function watchHealth({ client }: RawClient): { readonly seen: readonly string[]; readonly end: () => void } {
  const seen: string[] = [];
  const watch = client.makeServerStreamRequest(
    Watch.path,
    (value: object) => Watch.requestSerialize(value),
    (bytes: Buffer) => Watch.responseDeserialize(bytes),
    { service: 'utils.XsfCall' },
  );
  watch.on('error', () => undefined);
  watch.on('data', ({ status }: { readonly status: string }) => seen.push(status));
  return {
    seen,
    end: () => {
      watch.cancel();
    },
  };
}

const metrics = { labels: { sub: '', name: '', idc: '', cs: '' }, slices: 1, sliceMs: 1000 };

/** Calls that wait for a licence. */
async function waitingIn(loader: RunningHost): Promise<number> {
  const page = await (await fetch(`${loader.httpUrl}/metrics`)).text();
  return Number(/^aiges_waiting\{[^}]*\} (\d+)$/m.exec(page)?.[1]);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('createHost', () => {
  it.each(['grpc', 'http'] as const)(
    'names port and key when the %s port is in use, and ends what it started',
    async (which) => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const { port } = taken.address() as AddressInfo;
      const runtime = new FakeRuntime(echo);
      const config = testConfig({});
      const changed = { ...config, [which]: { ...config[which], port } };
      const host = createHost(changed, { log: createLogger('silent'), loadRuntime: () => runtime });
      await expect(host.start()).rejects.toThrow(`127.0.0.1:${port}: the port is in use`);
      expect(runtime.stopped).toBe(1);
      await new Promise((resolve) => taken.close(resolve));
    },
  );

  it('names path and key when the Unix socket cannot be had, and ends what it started', async () => {
    const runtime = new FakeRuntime(echo);
    const config = testConfig({ grpc: { unix: '/proc/missing/grpc.sock' } });
    const host = createHost(config, { log: createLogger('silent'), loadRuntime: () => runtime });
    await expect(host.start()).rejects.toThrow(
      'cannot listen for gRPC on /proc/missing/grpc.sock: its folder does not exist, or this user may not write to it; ' +
        'choose another one ([grpc].unix)',
    );
    expect(runtime.stopped).toBe(1);
  });

  it.each(['wire', 'grpc-js'] as const)(
    'serves xsf on a Unix socket with handles that name its port (%s)',
    async (server) => {
      const folder = mkdtempSync(join(tmpdir(), 'aiges-host-'));
      const unix = join(folder, 'xsf.sock');
      running = await startHost({ runtime: new FakeRuntime(echo), grpc: { server, unix } });
      const client = new RawClient(0, `unix:${unix}`);
      const request = onceRequest(undefined, { op: 'ping' });
      const overUnix = await callXsf(client, request);
      const overTcp = await callXsf(running.client, request);
      expect(overUnix.response?.s.sess).toEqual({ PeerAddr: `127.0.0.1:${running.started.grpc.port}` });
      expect(overTcp.response?.s.sess).toEqual(overUnix.response?.s.sess);
      client.close();
      await running.stop();
      expect(existsSync(unix)).toBe(false);
      rmSync(folder, { recursive: true });
    },
  );

  it('passes on why the plugin could not be loaded, and does not listen', async () => {
    const runtime = new FakeRuntime(echo);
    runtime.start = () => Promise.reject(new AigesError('initFailed', { message: 'no weights;code=5' }));
    const host = createHost(testConfig({}), { log: createLogger('silent'), loadRuntime: () => runtime });
    await expect(host.start()).rejects.toThrow('no weights;code=5');
  });

  it.each([
    [true, false, 1],
    [true, true, 0],
    [false, false, 0],
  ])('resources = %s for a plugin that takes some: %s, gives %d warnings', async (resources, takes, warnings) => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    const runtime = new FakeRuntime(echo);
    runtime.takesResources = takes;
    const host = createHost(testConfig({ service: { resources } }), { log, loadRuntime: () => runtime });
    await host.start();
    await host.drain();
    expect(lines.filter((line) => line.includes('[plugin].resources is true'))).toHaveLength(warnings);
  });

  it('is ready while its plugin can take calls', async () => {
    const runtime = new FakeRuntime(echo);
    const loader = await start(runtime);
    const asHttp = async (): Promise<number> => (await fetch(`${loader.httpUrl}/readyz`)).status;
    const watch = watchHealth(loader.client);
    await eventually(() => watch.seen).toEqual(['SERVING']);
    expect(await asHttp()).toBe(200);
    runtime.ready = false;
    expect(await asHttp()).toBe(503);
    await eventually(() => watch.seen).toEqual(['SERVING', 'NOT_SERVING']);
    runtime.ready = true;
    expect(await asHttp()).toBe(200);
    await eventually(() => watch.seen).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']);
    watch.end();
    await loader.stop();
  });

  it('serves the same plugin over gRPC and HTTP', async () => {
    const loader = await start(new FakeRuntime(echo));
    const grpc = await callXsf(loader.client, onceRequest());
    expect(Buffer.from(grpc.output?.pl[0]?.data ?? []).toString()).toBe('hello');
    const http = await post(loader, JSON.stringify({ payload: { input: { text: 'aGVsbG8=' } } }));
    expect(await http.json()).toMatchObject({ payload: { result: { text: 'hello' } } });
    await loader.stop();
  });

  it('runs two loaders in one process', async () => {
    const one = await startHost({ runtime: new FakeRuntime(() => [textFrame('result', 'one')]) });
    const two = await startHost({ runtime: new FakeRuntime(() => [textFrame('result', 'two')]) });
    const answers = await Promise.all([one, two].map((loader) => callXsf(loader.client, onceRequest())));
    expect(answers.map(({ output }) => Buffer.from(output?.pl[0]?.data ?? []).toString())).toEqual(['one', 'two']);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('finishes running calls on both transports, refuses new ones, and ends the plugin after the last', async () => {
    const hold = gate();
    const runtime: FakeRuntime = new FakeRuntime(async (_call, frames) => {
      await hold.promise;
      expect(runtime.stopped).toBe(0);
      return echo(null, frames);
    });
    const loader = await start(runtime);
    const grpc = callXsf(loader.client, onceRequest());
    const http = post(loader);
    await until(() => runtime.calls === 2);
    const drained = loader.host.drain();
    expect((await callXsf(loader.client, onceRequest())).output?.code ?? 'gone').not.toBe(0);
    hold.open();
    expect((await grpc).output).toMatchObject({ code: 0 });
    expect((await http).status).toBe(200);
    expect(await drained).toEqual({ stuck: 0, ended: true });
    expect(runtime.stopped).toBe(1);
    await expect(post(loader)).rejects.toThrow('fetch failed');
  });

  it('answers calls that outlive the drain with "shutting down", and ends the plugin once they have returned', async () => {
    const runtime = new FakeRuntime(
      (call) =>
        new Promise((_resolve, reject) => {
          call.signal.addEventListener('abort', () => {
            reject(AigesError.from(call.signal.reason));
          });
        }),
    );
    const loader = await start(runtime, { drainTimeoutMs: 20 });
    const grpc = callXsf(loader.client, onceRequest());
    const http = post(loader);
    await until(() => runtime.calls === 2);
    expect(await loader.host.drain()).toEqual({ stuck: 0, ended: true });
    expect((await grpc).output).toMatchObject({ code: 10110, err: 'service is shutting down' });
    expect((await http).status).toBe(503);
    expect(runtime.stopped).toBe(1);
  });

  it('serves the requests that wait for a licence before it ends, as long as there is time', async () => {
    const hold = gate();
    const runtime = new FakeRuntime(async (_call, frames) => {
      await hold.promise;
      return echo(null, frames);
    });
    running = await startHost({
      runtime,
      service: { maxConcurrent: 1 },
      metrics,
    });
    const loader = running;
    const first = post(loader);
    await until(() => runtime.calls === 1);
    const waiting = [post(loader), post(loader)];
    const client = await WsClient.connect(`${loader.httpUrl}/v1/private/svc`);
    client.send({});
    await eventually(() => waitingIn(loader)).toBe(3);
    const drained = loader.host.drain();
    expect((await post(loader)).status).toBe(503);
    hold.open();
    expect((await Promise.all([first, ...waiting])).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await client.rest()).map(({ header }) => [header.code, header.status])).toEqual([[0, 3]]);
    expect(await drained).toEqual({ stuck: 0, ended: true });
    expect(runtime.calls).toBe(4);
  });

  it('tells the requests that still wait when the time is up that it shuts down, and never begins them', async () => {
    // It returns when everybody has been told.
    const runtime = new FakeRuntime(
      ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => setImmediate(resolve, []));
        }),
    );
    running = await startHost({
      runtime,
      service: { maxConcurrent: 1 },
      limits: { drainTimeoutMs: 300 },
      metrics,
    });
    const loader = running;
    const first = post(loader);
    await until(() => runtime.calls === 1);
    const waiting = post(loader);
    await eventually(() => waitingIn(loader)).toBe(1);
    const drained = loader.host.drain();
    expect(await (await waiting).json()).toMatchObject({
      header: { code: 10110, message: 'service is shutting down' },
    });
    expect((await first).status).toBe(503);
    expect(await drained).toEqual({ stuck: 0, ended: true });
    expect(runtime.calls).toBe(1);
  });

  it('ends a stream over HTTP that outlives the drain with an event, and loses none before that', async () => {
    const runtime = new FakeRuntime(echo);
    runtime.takesStreams = true;
    const loader = await start(runtime, { drainTimeoutMs: 100 });
    const call = openEvents(Number(loader.started.http?.port), '/v1/private/svc', '{}');
    await until(() => runtime.streams[0]?.written.length === 1);
    runtime.streams[0]?.give('one');
    const events = await call;
    const drained = loader.host.drain();
    runtime.streams[0]?.give('two');
    expect(
      (await events.rest()).map(({ event, data }) => [event, /"(?:text|message)":"([^"]*)"/.exec(data)?.[1]]),
    ).toEqual([
      ['result', 'one'],
      ['result', 'two'],
      ['error', 'service is shutting down'],
    ]);
    expect(await drained).toEqual({ stuck: 0, ended: true });
  });

  it('lets a slow reader have its answer before it ends', async () => {
    const text = 'x'.repeat(16 << 20);
    const hold = gate();
    const runtime = new FakeRuntime(async () => {
      await hold.promise;
      return [textFrame('result', text)];
    });
    const loader = await start(runtime, { drainTimeoutMs: 30_000 });
    const answer = post(loader);
    await until(() => runtime.calls === 1);
    const drained = loader.host.drain();
    hold.open();
    const response = await answer;
    // Longer than silent connections are given.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await response.text()).length).toBeGreaterThan(text.length);
    expect(await drained).toEqual({ stuck: 0, ended: true });
  });

  it('logs every request where the level says so', async () => {
    for (const [level, count] of [
      ['debug', 1],
      ['info', 0],
    ] as const) {
      const lines: string[] = [];
      const log = pino({ level }, { write: (line: string) => lines.push(line) });
      running = await startHost({ runtime: new FakeRuntime(echo), log });
      await post(running);
      await running.stop();
      const entries = lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ msg }) => msg === 'request');
      expect(entries).toHaveLength(count);
      for (const entry of entries)
        expect(entry).toMatchObject({ method: 'POST', route: '/v1/private/svc', status: 200 });
    }
  });

  it('does not end a plugin that has not returned from loading a resource', async () => {
    const runtime = new FakeRuntime(echo);
    runtime.takesResources = true;
    const inside = gate();
    runtime.onLoad = () => {
      inside.open();
      return new Promise(() => undefined);
    };
    running = await startHost({ runtime, service: { resources: true }, limits: { drainTimeoutMs: 20 } });
    const load = callXsf(running.client, onceRequest(undefined, { op: 'AILoad' }));
    await inside.promise;
    expect(await running.host.drain()).toEqual({ stuck: 1, ended: false });
    expect((await load).output).toMatchObject({ code: 10110, err: 'service is shutting down' });
    expect(runtime.stopped).toBe(0);
  });

  it('reports calls that plugin code never returned from and leaves the plugin alone', async () => {
    const runtime = new FakeRuntime(() => new Promise(() => undefined));
    const loader = await start(runtime, { drainTimeoutMs: 20 });
    const grpc = callXsf(loader.client, onceRequest());
    await until(() => runtime.calls === 1);
    expect(await loader.host.drain()).toEqual({ stuck: 1, ended: false });
    expect((await grpc).output).toMatchObject({ code: 10110 });
    expect(runtime.stopped).toBe(0);
  });
});

describe('WebSocket sessions at the end of the loader', () => {
  const open = async (runtime: FakeRuntime, limits = {}): Promise<[RunningHost, WsClient]> => {
    runtime.takesStreams = true;
    const loader = await start(runtime, limits);
    const client = await WsClient.connect(`${loader.httpUrl}/v1/private/svc`);
    client.sendText('input', 'x', 1);
    expect((await client.next()).header.status).toBe(0);
    return [loader, client];
  };

  it('may go on until their last result has been sent', async () => {
    const runtime = new FakeRuntime();
    const [loader, client] = await open(runtime);
    const drained = loader.host.drain();
    const refused = new WsClient(`${loader.httpUrl}/v1/private/svc`);
    expect((await refused.ended).code).toBe(1006);
    client.sendText('input', 'y', 2);
    await until(() => runtime.streams[0]?.written.length === 2);
    runtime.streams[0]?.give('z', 2);
    expect((await client.rest()).map(({ header }) => header.status)).toEqual([2]);
    expect((await client.ended).code).toBe(1000);
    expect(await drained).toEqual({ stuck: 0, ended: true });
  });

  it('are told that it shuts down when they take too long', async () => {
    const runtime = new FakeRuntime();
    const [loader, client] = await open(runtime, { drainTimeoutMs: 20 });
    const drained = loader.host.drain();
    expect(await client.next()).toMatchObject({ header: { code: 10110, message: 'service is shutting down' } });
    expect((await client.ended).code).toBe(1001);
    expect(await drained).toEqual({ stuck: 0, ended: true });
    expect(runtime.streams[0]?.closed).toBe(1);
  });

  it('of clients that read nothing do not keep it from ending', async () => {
    const runtime = new FakeRuntime();
    const [loader, client] = await open(runtime, { drainTimeoutMs: 20 });
    client.socket.pause();
    for (let i = 0; i < 300; i++) runtime.streams[0]?.give('x'.repeat(64 * 1024));
    expect(await loader.host.drain()).toEqual({ stuck: 0, ended: true });
    expect(runtime.outputsAlive).toBe(0);
    client.socket.terminate();
  });
});

describe('requests over HTTP', () => {
  const declared = descriptor({
    params: [param('mode', { enums: ['a', 'b'], fallback: 'a' })],
    inputs: [body('input')],
    outputs: [body('result')],
  });
  const input = { input: { text: 'aGVsbG8=' } };

  /** Answers with the parameters that it gets; says of itself what `described` gives. */
  function telling(described: () => Descriptor | null): FakeRuntime {
    const runtime = new FakeRuntime(({ params }) => [textFrame('result', JSON.stringify(Object.fromEntries(params)))]);
    const start = runtime.start.bind(runtime);
    runtime.start = async () => ({
      ...(await start()),
      get descriptor() {
        return described();
      },
    });
    return runtime;
  }

  async function answerOf(response: Response): Promise<{ status: number; said: unknown }> {
    const { header, payload } = (await response.json()) as {
      header: { message?: string };
      payload: { result: { text: string } } | null;
    };
    const said: unknown = payload === null ? header.message : JSON.parse(payload.result.text);
    return { status: response.status, said };
  }

  it('are held against a schema file, and get its defaults', async () => {
    const runtime = telling(() => null);
    running = await startHost({ runtime, service: { schema: describeService(declared, 'svc'), aliases: ['/alias'] } });
    const wrong = await post(running, JSON.stringify({ parameter: { svc: { mode: 'c' } }, payload: input }));
    expect(await answerOf(wrong)).toEqual({
      status: 400,
      said: 'input invalid data: parameter.svc.mode must be "a" or "b", but is "c"',
    });
    expect(runtime.calls).toBe(0);
    const right = await fetch(`${running.httpUrl}/alias`, { method: 'POST', body: JSON.stringify({ payload: input }) });
    expect(await answerOf(right)).toMatchObject({ status: 200, said: { mode: 'a' } });
    await running.stop();
  });

  it('are held against what the plugin says of itself at that moment', async () => {
    let current: Descriptor | null = declared;
    running = await startHost({ runtime: telling(() => current) });
    const send = (mode: string): Promise<Response> =>
      post(running ?? ({} as RunningHost), JSON.stringify({ parameter: { svc: { mode } }, payload: input }));
    expect((await send('c')).status).toBe(400);
    current = { ...declared, params: [param('mode', { enums: ['c'] })] };
    expect((await send('c')).status).toBe(200);
    expect((await send('a')).status).toBe(400);
    current = null;
    expect((await send('a')).status).toBe(200);
    await running.stop();
  });

  it.each([
    ['ignore', 200, 0],
    ['warn', 200, 1],
    ['refuse', 400, 0],
  ] as const)('with fields that nobody knows: %s', async (unknownFields, status, warnings) => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
    running = await startHost({ runtime: telling(() => declared), http: { unknownFields }, log });
    for (let time = 0; time < 2; time++) {
      const response = await post(running, JSON.stringify({ parameter: { svc: { moed: 'a' } }, payload: input }));
      expect(response.status).toBe(status);
    }
    expect(lines.filter((line) => line.includes('"field":"parameter.svc.moed"'))).toHaveLength(warnings);
    await running.stop();
  });

  it('are described, at every path, with what the plugin says of itself at that moment', async () => {
    let current: Descriptor | null = null;
    running = await startHost({ runtime: telling(() => current), service: { aliases: ['/alias'] } });
    const { httpUrl } = running;
    const described = async (): Promise<unknown[]> => {
      const document = await (await fetch(`${httpUrl}/openapi.json`)).json();
      const { paths } = document as { paths: Record<string, { 'x-aiges': unknown }> };
      return Object.entries(paths).map(([path, item]) => [path, item['x-aiges']]);
    };
    expect(await described()).toMatchObject([
      ['/v1/private/svc', { service: 'svc', described: false, once: true, stream: false }],
      ['/alias', { described: false }],
    ]);
    current = declared;
    expect(await described()).toMatchObject([
      ['/v1/private/svc', { described: true, params: [{ name: 'mode' }] }],
      ['/alias', { described: true }],
    ]);
    await running.stop();
  });
});
