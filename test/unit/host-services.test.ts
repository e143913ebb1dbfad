import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../src/core/errors.js';
import { createHost } from '../../src/host.js';
import { createLogger } from '../../src/observability/logger.js';
import { eventually } from '../fixtures/eventually.js';
import { FakeRuntime, gate, textFrame } from '../fixtures/fake-runtime.js';
import { type RunningHost, startHost, testConfig } from '../fixtures/host.js';
import { askCommand } from '../fixtures/toolbox-client.js';
import { callXsf, onceInput, onceRequest, textsOf } from '../fixtures/xsf-client.js';

// Three services in one host: "svc", the main one, "a" and "b".

type Name = 'svc' | 'a' | 'b';
const names: readonly Name[] = ['svc', 'a', 'b'];

/** A plugin that answers with its name, and writes down when it begins and ends. */
function named(name: string, events: string[] = []): FakeRuntime {
  const runtime = new FakeRuntime(() => [textFrame('result', name)]);
  const begin = runtime.start.bind(runtime);
  const end = runtime.stop.bind(runtime);
  runtime.start = () => {
    events.push(`start ${name}`);
    return begin();
  };
  runtime.stop = () => {
    events.push(`stop ${name}`);
    return end();
  };
  return runtime;
}

function three(events: string[] = []): Record<Name, FakeRuntime> {
  return { svc: named('svc', events), a: named('a', events), b: named('b', events) };
}

let running: RunningHost | null = null;

async function start(runtimes: Record<Name, FakeRuntime>, changes: object = {}): Promise<RunningHost> {
  running = await startHost({ runtimes, others: { a: {}, b: { service: { maxConcurrent: 1 } } }, ...changes });
  return running;
}

afterEach(() => {
  running?.client.close();
  running = null;
});

const ask = async (loader: RunningHost, name: Name): Promise<string[]> =>
  textsOf(await callXsf(loader.client, onceRequest(onceInput({ serviceId: name }))));
const post = (loader: RunningHost, name: Name): Promise<Response> =>
  fetch(`${loader.httpUrl}/v1/private/${name}`, { method: 'POST', body: '{}' });

/** Where nobody else is: a port that is free here stays free. */
const ownAddress = `127.1.${(process.pid >> 8) & 255}.${process.pid & 255}`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, ownAddress);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function dial(port: number): Promise<void> {
  const socket = connect(port, ownAddress);
  await once(socket, 'connect');
  socket.destroy();
}

describe('several services that do not all start', () => {
  it.each([
    ['svc', ['start svc', 'stop svc'], '[plugin]: no weights'],
    ['b', ['start svc', 'start a', 'start b', 'stop svc', 'stop a', 'stop b'], '[services.b]: no weights'],
  ] as const)('end what began when %s fails, and nothing else', async (failing, order, message) => {
    const events: string[] = [];
    const runtimes = three(events);
    runtimes[failing].start = () => {
      events.push(`start ${failing}`);
      return Promise.reject(new AigesError('initFailed', { message: 'no weights', detail: 'line 1' }));
    };
    const host = createHost(testConfig({ others: { a: {}, b: {} } }), {
      log: createLogger('silent'),
      loadRuntime: ({ name }) => runtimes[name as Name],
    });
    await expect(host.start()).rejects.toMatchObject({ code: 10901, message, detail: 'line 1' });
    expect(events).toEqual(order);
  });

  it('end at the same time, and do not keep it from failing when one of them hangs', async () => {
    const runtimes = three();
    runtimes.svc.stop = () => new Promise(() => undefined);
    runtimes.b.start = () => Promise.reject(new AigesError('initFailed', { message: 'no weights' }));
    const host = createHost(testConfig({ others: { a: {}, b: {} } }), {
      log: createLogger('silent'),
      loadRuntime: ({ name }) => runtimes[name as Name],
      finiMs: 300,
    });
    const started = expect(host.start()).rejects.toThrow('[services.b]: no weights');
    await eventually(() => [runtimes.a.stopped, runtimes.b.stopped]).toEqual([1, 1]);
    await started;
  });

  it('are not reached before the last one has started', async () => {
    const [last, waiting] = [gate(), gate()];
    const runtimes = three();
    const begin = runtimes.b.start.bind(runtimes.b);
    runtimes.b.start = () => {
      waiting.open();
      return last.promise.then(begin);
    };
    const config = testConfig({ others: { a: {}, b: {} }, grpc: { host: ownAddress, port: await freePort() } });
    const host = createHost(config, {
      log: createLogger('silent'),
      loadRuntime: ({ name }) => runtimes[name as Name],
    });
    const started = host.start();
    await waiting.promise;
    await expect(dial(config.grpc.port)).rejects.toThrow('ECONNREFUSED');
    last.open();
    expect((await started).services.map(({ name, route }) => [name, route])).toEqual(
      names.map((name) => [name, `/v1/private/${name}`]),
    );
    await dial(config.grpc.port);
    await host.drain();
  });
});

describe('several services', () => {
  it('answer over gRPC by their name and over HTTP at their route, and start and end in order', async () => {
    const events: string[] = [];
    const loader = await start(three(events));
    for (const name of names) {
      expect(await ask(loader, name)).toEqual([name]);
      expect(await (await post(loader, name)).json()).toMatchObject({ payload: { result: { text: name } } });
    }
    expect((await fetch(`${loader.httpUrl}/v1/private/c`, { method: 'POST' })).status).toBe(404);
    expect(await loader.stop()).toEqual({ stuck: 0, ended: true });
    expect(events).toEqual(['start svc', 'start a', 'start b', 'stop svc', 'stop a', 'stop b']);
  });

  it('are healthy to checkers that look for "err", whatever they are called', async () => {
    const runtimes = { svc: new FakeRuntime(), Errands: new FakeRuntime() };
    const loader = await startHost({ others: { Errands: {} }, runtimes });
    const { body } = await askCommand(loader.client, { cmd: 'health' });
    expect(body).toMatch(/^health staus:/);
    expect(body).not.toMatch(/err/i);
    await loader.stop();
  });

  it('have metrics apart', async () => {
    const metrics = { labels: { sub: 's', name: 'n', idc: 'i', cs: 'c' }, slices: 2, sliceMs: 1000 };
    const loader = await start(three(), { metrics });
    const { body } = await askCommand(loader.client, { cmd: 'metrics' });
    const permits = [...body.matchAll(/^aiges_permits\{service="(\w+)".*\} (\d+)$/gm)].map(([, ...found]) => found);
    expect(permits).toEqual([
      ['svc', '8'],
      ['a', '8'],
      ['b', '1'],
    ]);
    await loader.stop();
  });

  it('have failures told with their name, over either transport', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) });
    const runtimes = three();
    runtimes.b.once = () => Promise.reject(new AigesError('execFailed'));
    const loader = await start(runtimes, { log });
    await ask(loader, 'b');
    await post(loader, 'b');
    await fetch(`${loader.httpUrl}/v1/private/a`, { method: 'POST', body: '{' });
    expect(lines.map(({ service, code, op, route }) => ({ service, code, op, route }))).toEqual([
      { service: 'b', code: 10909, op: 'AIIn' },
      { service: 'b', code: 10909, route: '/v1/private/b' },
      { service: 'a', code: 10000, route: '/v1/private/a' },
    ]);
    await loader.stop();
  });

  it('share no licences: one that is full refuses while the others answer', async () => {
    const hold = gate();
    const inside = gate();
    const runtimes = three();
    const answer = runtimes.b.once.bind(runtimes.b);
    runtimes.b.once = async (...args) => {
      inside.open();
      await hold.promise;
      return answer(...args);
    };
    const loader = await start(runtimes);
    const held = ask(loader, 'b');
    await inside.promise;
    expect(await ask(loader, 'b')).toEqual([]);
    expect(await ask(loader, 'a')).toEqual(['a']);
    hold.open();
    expect(await held).toEqual(['b']);
    await loader.stop();
  });

  it('that cannot be drained are left alone while the others end', async () => {
    const inside = gate();
    const runtimes = three();
    runtimes.a.once = () => {
      inside.open();
      return new Promise(() => undefined);
    };
    const loader = await start(runtimes, { limits: { drainTimeoutMs: 20 } });
    const stuck = callXsf(loader.client, onceRequest(onceInput({ serviceId: 'a' })));
    await inside.promise;
    expect(await loader.host.drain()).toEqual({ stuck: 1, ended: false });
    expect((await stuck).output).toMatchObject({ code: 10110, err: 'service is shutting down' });
    expect(names.map((name) => runtimes[name].stopped)).toEqual([1, 0, 1]);
  });
});
