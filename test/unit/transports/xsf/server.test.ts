import { afterEach, describe, expect, it, vi } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType } from '../../../../src/core/frame.js';
import { Admission } from '../../../../src/engine/admission.js';
import { Service } from '../../../../src/engine/service.js';
import { createGrpcJsServer } from '../../../../src/transports/grpc/grpcjs.js';
import type { GrpcCall, GrpcServer } from '../../../../src/transports/grpc/server.js';
import { serveXsf, type XsfOptions } from '../../../../src/transports/xsf/server.js';
import { eventually } from '../../../fixtures/eventually.js';
import type { FakeStream } from '../../../fixtures/fake-runtime.js';
import { FakeRuntime, gate, prepare, streams, textFrame } from '../../../fixtures/fake-runtime.js';
import { decodeOutput, decodeResponse, encodeRequest, type RequestShape } from '../../../fixtures/protocol.js';
import { RawClient } from '../../../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf } from '../../../fixtures/xsf-client.js';

interface Served {
  readonly client: RawClient;
  readonly stream: StreamClient;
  readonly runtime: FakeRuntime;
  readonly service: Service;
  readonly shutdown: AbortController;
}

let stop: (() => Promise<void>) | null = null;

function serviceOf(runtime: FakeRuntime, permits: number, inputs: readonly string[] | null): Service {
  const admission = new Admission({ permits, queue: 0 });
  return new Service({
    name: 'svc',
    runtime,
    admission,
    prepare,
    resources: null,
    streams: { ...streams, inputs },
  });
}

function optionsOf(service: Service, shutdown: AbortSignal, ttlMs: number): XsfOptions {
  return {
    listening: () => ({ host: '127.0.0.1', port: 5090 }),
    services: [{ service, headerPass: ['sid'], ttlMs }],
    resourceTimeoutMs: 60_000,
    advertise: null,
    host: '127.0.0.1',
    rollMs: 5_000,
    rateLimit: null,
    postback: null,
    resizable: false,
    shutdown,
    onError: () => undefined,
  };
}

async function serve(
  { ttlMs = 15_000, ...changes }: Partial<XsfOptions> & { readonly ttlMs?: number } = {},
  permits = 1,
  inputs: readonly string[] | null = null,
): Promise<Served> {
  const runtime = new FakeRuntime();
  const service = serviceOf(runtime, permits, inputs);
  const shutdown = new AbortController();
  const server = createGrpcJsServer({ maxReceiveBytes: 4 << 20, maxSendBytes: 4 << 20 });
  serveXsf(server, { ...optionsOf(service, shutdown.signal, ttlMs), ...changes });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const client = new RawClient(port);
  stop = async () => {
    client.close();
    await server.drain(AbortSignal.abort());
    shutdown.abort(new AigesError('shuttingDown'));
    await service.drain();
    expect(runtime.outputsAlive).toBe(0);
    for (const stream of runtime.streams) expect(stream.closed).toBe(1);
  };
  return { client, stream: new StreamClient(client), runtime, service, shutdown };
}

afterEach(async () => {
  await stop?.();
  stop = null;
});

describe('every call but a ping', () => {
  it('is reported when it begins, and with the code of its answer when it ends', async () => {
    const codes: number[] = [];
    let begun = 0;
    const onCall = (): ((code: number) => void) => {
      begun++;
      return (code) => codes.push(code);
    };
    const { client, stream } = await serve({ onCall }, 1);
    await callXsf(client, { op: 'ping' });
    expect(begun).toBe(0);
    await callXsf(client, onceRequest(onceInput(), { op: 'dance' }));
    await callXsf(client, onceRequest(Buffer.from([0xff])));
    await stream.create();
    expect((await callXsf(client, onceRequest())).output?.code).toBe(10110);
    expect(codes).toEqual([10003, 10401, 0, 10110]);
    const polling = stream.poll();
    await eventually(() => begun).toBe(5);
    expect(codes).toHaveLength(4);
    await stream.abort();
    await polling;
    await stream.poll();
    expect(codes.sort()).toEqual([0, 0, 10003, 10101, 10101, 10110, 10401]);
    expect(begun).toBe(7);
  });
});

async function streamOf({ runtime }: Served): Promise<FakeStream> {
  await eventually(() => runtime.streams.length).toBeGreaterThan(0);
  const stream = runtime.streams.at(-1);
  if (stream === undefined) throw new Error('no stream was opened');
  return stream;
}

const failed = (code: number, err: string): object => ({ code, err, status: 2, serviceId: '', pl: [] });

describe('a stream over xsf', () => {
  it('answers create with the handle and nothing else', async () => {
    const served = await serve();
    const created = await served.stream.create();
    expect(created.output).toMatchObject({ serviceId: 'svc', code: 0, status: 0, pl: [] });
    expect(served.stream.handle).toMatch(/^07f000001[\da-f]{17}$/);
  });

  it('is over with a final payload, wherever that stands in its result', async () => {
    const served = await serve();
    const expected = ['result', 'other'].map((name) => ({ name, dataType: 0, attribute: {} }));
    await served.stream.create({ expect: expected });
    (await streamOf(served)).giveFrames([
      textFrame('result', 'a', { status: DataStatus.end }),
      textFrame('other', 'b', { status: DataStatus.continue }),
    ]);
    expect((await served.stream.poll()).output).toMatchObject({ code: 0, status: DataStatus.end });
    expect((await served.stream.poll()).output).toMatchObject({ code: 10101 });
    expect(served.service.load.running).toBe(0);
  });

  it('reports a failed create on the next call, and knows the handle as released then', async () => {
    const served = await serve();
    served.runtime.openStream = () => {
      throw new AigesError('createFailed', { message: 'no;code=5', pluginCode: 5 });
    };
    expect((await served.stream.create()).output).toMatchObject({ code: 0 });
    expect((await served.stream.poll()).output).toMatchObject(failed(10905, 'no;code=5'));
    expect((await served.stream.poll()).output).toMatchObject(
      failed(10101, 'service instance inactive, already release'),
    );
  });

  it('acknowledges a write that fails in the engine and reports it on the next call', async () => {
    const served = await serve();
    await served.stream.create();
    const stream = await streamOf(served);
    const written = gate();
    stream.onWrite = async () => {
      await written.promise;
      throw new AigesError('writeFailed', { message: 'no;code=6', pluginCode: 6 });
    };
    expect((await served.stream.write(1, 'a')).output).toMatchObject({ code: 0, pl: [] });
    const next = served.stream.poll();
    written.open();
    expect((await next).output).toMatchObject(failed(10907, 'no;code=6'));
    expect((await served.stream.write(2, 'b')).output).toMatchObject({ code: 10101 });
  });

  it('refuses a second session on a live handle, and leaves the first one alone', async () => {
    const served = await serve({}, 2);
    await served.stream.create();
    const again = await new StreamClient(served.client).create({}, { s: { h: served.stream.handle } });
    expect(again.response).toMatchObject({
      code: 10110,
      error_info: `handle:${served.stream.handle} is already stored`,
    });
    expect(served.service.load.running).toBe(1);
    const stream = await streamOf(served);
    stream.give('still here', DataStatus.end);
    expect(textsOf(await served.stream.poll())).toEqual(['still here']);
  });

  it('refuses a session beyond the licences and forgets its handle', async () => {
    const served = await serve();
    await served.stream.create();
    const second = new StreamClient(served.client);
    expect((await second.create()).response).toMatchObject({ code: 10110, error_info: 'service license not enough' });
    expect((await second.poll()).output).toMatchObject({ code: 10008 });
  });

  it('ends a session with a packet whose payload has no meta', async () => {
    const served = await serve();
    await served.stream.create();
    const answer = await served.stream.send('AIIn', { sync_id: 1, pl: [{ data: Buffer.from('x') }] });
    expect(answer.output).toMatchObject(failed(10009, 'input invalid data'));
    expect((await served.stream.poll()).output).toMatchObject({ code: 10101 });
    await eventually(() => served.service.load.running).toBe(0);
  });

  it('refuses a packet with an input that the service does not have, and goes on', async () => {
    const details: (string | null)[] = [];
    const served = await serve({ onError: ({ detail }) => details.push(detail) }, 1, ['input', 'other']);
    const stranger = { name: 'stranger', attribute: { status: '1' } };
    // A session is not even opened for one.
    expect((await served.stream.create({ pl: [{ meta: stranger }] })).output).toMatchObject({ code: 10009 });
    expect(served.service.load.running).toBe(0);
    expect((await served.stream.poll()).output).toMatchObject({ code: 10008 });

    await served.stream.create();
    const stream = await streamOf(served);
    expect((await served.stream.write(1, 'lost', 1, 'stranger')).output).toMatchObject(
      failed(10009, 'input invalid data'),
    );
    const detail = 'the packet has input "stranger", the service has "input", "other"';
    expect(details.filter((text) => text !== null)).toEqual([detail, detail]);
    // The number is still free.
    await served.stream.write(1, 'a');
    await eventually(() => stream.written).toEqual([{ text: 'a', last: false }]);
    await served.stream.abort();
  });

  it('hands input on in the order of its numbers', async () => {
    const served = await serve();
    await served.stream.create();
    const stream = await streamOf(served);
    await served.stream.write(2, 'b');
    await served.stream.write(1, 'a');
    await served.stream.write(1, 'late');
    await served.stream.write(3, 'c', 2);
    await eventually(() => stream.written).toEqual([
      { text: 'a', last: false },
      { text: 'b', last: false },
      { text: 'c', last: true },
    ]);
  });

  it('gives one result to each call, with attributes of plugin and request, counted by output', async () => {
    const served = await serve();
    await served.stream.create({
      expect: [
        { name: 'result', dataType: 0, attribute: { encoding: 'utf8' } },
        { name: 'other', dataType: 0, attribute: {} },
      ],
    });
    const stream = await streamOf(served);
    stream.give('one');
    stream.give('two');
    stream.give('more', DataStatus.continue, 'other');
    stream.give('three', DataStatus.end);
    const first = await served.stream.poll();
    expect(first.output).toMatchObject({
      serviceId: '',
      status: 1,
      pl: [
        { meta: { name: 'result', dataType: DataType.text, attribute: { encoding: 'utf8', seq: '1', status: '1' } } },
      ],
    });
    expect(textsOf(first)).toEqual(['one']);
    expect((await served.stream.write(1, 'x')).output?.pl[0]?.meta.attribute).toMatchObject({ seq: '2' });
    expect((await served.stream.poll()).output?.pl[0]?.meta).toMatchObject({ name: 'other', attribute: { seq: '1' } });
    const last = await served.stream.poll();
    expect(last.output).toMatchObject({ status: 2, pl: [{ meta: { attribute: { seq: '3', status: '2' } } }] });
    expect((await served.stream.poll()).output).toMatchObject({ code: 10101 });
  });

  it('wakes a poll that waits when a result comes, without another write', async () => {
    const served = await serve();
    await served.stream.create();
    const stream = await streamOf(served);
    const waiting = served.stream.poll();
    stream.give('pushed');
    expect(textsOf(await waiting)).toEqual(['pushed']);
  });

  it('answers a poll with an empty output when its time is up, which still has its data element', async () => {
    const served = await serve();
    await served.stream.create();
    const answer = await served.stream.poll(20);
    expect(answer.output).toMatchObject({ code: 0, status: 0, pl: [] });
    expect(answer.bytes?.subarray(-2)).toEqual(Buffer.from([0x2a, 0]));
  });

  it('ends a session on AIExcp, with the licence free by the time it is answered', async () => {
    const served = await serve();
    await served.stream.create();
    expect((await served.stream.abort()).output).toMatchObject({ serviceId: '', code: 0, status: 0 });
    expect(served.service.load.running).toBe(0);
    expect((await served.stream.abort()).output).toMatchObject(
      failed(10101, 'service instance inactive, already release'),
    );
    expect((await new StreamClient(served.client).create()).output).toMatchObject({ code: 0 });
  });

  it('answers AIExcp within the time of its client when the engine is stuck', async () => {
    const served = await serve();
    await served.stream.create();
    const stream = await streamOf(served);
    const hold = gate();
    stream.onWrite = () => hold.promise;
    await served.stream.write(1, 'a');
    await eventually(() => stream.written.length).toBe(1);
    expect((await served.stream.send('AIExcp', null, 20)).output).toMatchObject({ code: 0 });
    hold.open();
  });

  it('tells who polls that the session was aborted', async () => {
    const served = await serve();
    await served.stream.create();
    const waiting = served.stream.poll();
    await served.stream.abort();
    expect((await waiting).output).toMatchObject({ code: 10101 });
  });

  it('ends sessions that nobody touches, without a trace', async () => {
    const served = await serve({ ttlMs: 30, rollMs: 5 });
    await served.stream.create();
    await eventually(() => served.service.load.running).toBe(0);
    expect((await served.stream.poll()).output).toMatchObject(failed(10008, 'service instance invalid'));
  });

  it.each<[string, (served: Served, n: number) => unknown, string[]?]>([
    [
      'engine is at work',
      ({ runtime }, n) => {
        runtime.streams[0]?.give(String(n));
      },
      ['1'],
    ],
    ['client polls while its engine says nothing', ({ stream }) => stream.poll(1)],
    // One is missing before them, so they do not reach the engine.
    ['client writes while its engine says nothing', ({ stream }, n) => stream.write(n + 1, 'x')],
  ])('keeps a session whose %s', async (_name, act, results = []) => {
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    try {
      const served = await serve({ ttlMs: 200, rollMs: 1 });
      await served.stream.create();
      await streamOf(served);
      for (let n = 1; n <= 6; n++) {
        now += 150;
        await act(served, n);
        // Long enough for whoever looks for sessions to have looked.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(served.service.load.running).toBe(1);
      expect(textsOf(await served.stream.poll(1))).toEqual(results);
      now += 250;
      await eventually(() => served.service.load.running).toBe(0);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('ends every session at shutdown', async () => {
    const served = await serve();
    await served.stream.create();
    const waiting = served.stream.poll();
    // Calls on one connection are taken in order: once this is answered, the poll waits.
    await callXsf(served.client, { op: 'ping' });
    served.shutdown.abort(new AigesError('shuttingDown'));
    expect((await waiting).output).toMatchObject({ code: 10110, err: 'service is shutting down' });
    await eventually(() => served.service.load.running).toBe(0);
  });

  describe('AILBType', () => {
    const resize = (served: Served, authzNo: string, timeout = '0'): ReturnType<typeof callXsf> =>
      callXsf(served.client, { op: 'AILBType', param: { authzNo, timeout, lbType: '1' } });

    it('is refused unless it is enabled', async () => {
      const served = await serve();
      expect((await resize(served, '5')).output).toMatchObject({ code: 10003 });
      expect(served.service.load.permits).toBe(1);
    });

    it.each(['0', '-1', 'x', '', '99999999'])('refuses %j licences', async (authzNo) => {
      const served = await serve({ resizable: true });
      expect((await resize(served, authzNo)).output).toMatchObject({ code: 10107 });
    });

    it('lets more in at once', async () => {
      const served = await serve({ resizable: true });
      await served.stream.create();
      expect((await new StreamClient(served.client).create()).response?.code).toBe(10110);
      expect((await resize(served, '2')).output).toMatchObject({ code: 0 });
      expect((await new StreamClient(served.client).create()).output).toMatchObject({ code: 0 });
    });

    it('waits for enough calls to end, and changes nothing when they do not in time', async () => {
      const served = await serve({ resizable: true }, 2);
      const streams = [new StreamClient(served.client), new StreamClient(served.client)];
      for (const stream of streams) await stream.create();
      expect((await resize(served, '1', '20')).output).toMatchObject({ code: 10104 });
      expect(served.service.load.permits).toBe(2);
      const shrunk = resize(served, '1', '60000');
      await callXsf(served.client, { op: 'ping' });
      await streams[0]?.abort();
      expect((await shrunk).output).toMatchObject({ code: 0 });
      expect((await new StreamClient(served.client).create()).response?.code).toBe(10110);
    });
  });

  it('answers calls beyond the rate with the status and text that clients know', async () => {
    let left = 1;
    const served = await serve({ rateLimit: { take: () => left-- > 0 } });
    expect((await callXsf(served.client, { op: 'ping' })).status).toBe(0);
    expect(await callXsf(served.client, { op: 'ping' })).toMatchObject({
      status: 2,
      details: 'request traffic exceeds limit,and rateFallback not defined',
    });
  });

  it('refuses to continue a one-shot call', async () => {
    const served = await serve();
    const hold = gate();
    served.runtime.once = async () => {
      await hold.promise;
      return served.runtime.output([]);
    };
    const request = onceRequest(onceInput(), { s: { h: 'once' } });
    const running = callXsf(served.client, request);
    await eventually(() => served.service.load.running).toBe(1);
    served.stream.handle = 'once';
    expect((await served.stream.poll()).output).toMatchObject({ code: 10102 });
    hold.open();
    expect((await running).output).toMatchObject({ code: 0 });
  });

  it('gives a one-shot call up on AIExcp, and its handle to nobody while plugin code knows it', async () => {
    const served = await serve({}, 2);
    const hold = gate();
    served.runtime.once = async () => {
      await hold.promise;
      return served.runtime.output([]);
    };
    const request = onceRequest(onceInput(), { s: { h: 'once' } });
    const running = callXsf(served.client, request);
    await eventually(() => served.service.load.running).toBe(1);
    served.stream.handle = 'once';
    expect((await served.stream.abort()).output).toMatchObject({ code: 0, status: 0 });
    expect((await running).output).toMatchObject({ code: 10101 });
    expect((await callXsf(served.client, request)).output).toMatchObject({ code: 10105 });
    hold.open();
    await eventually(() => served.service.load.running).toBe(0);
    expect((await callXsf(served.client, request)).output).toMatchObject({ code: 0 });
  });

  it.each([
    ['AIOut', { code: 10102 }],
    ['AIExcp', { code: 0, serviceId: '', status: 0, pl: [] }],
  ])('does not run a one-shot call that begins with %s, whatever payload comes with it', async (op, output) => {
    const served = await serve();
    const request = onceRequest(onceInput(), { op, s: { h: 'once' }, param: { SeqNo: '1', waitTime: '20' } });
    expect((await callXsf(served.client, request)).output).toMatchObject(output);
    expect(served.runtime.calls).toBe(0);
    expect(served.service.load.running).toBe(0);
    served.stream.handle = 'once';
    expect((await served.stream.poll()).output).toMatchObject({ code: 10101 });
  });

  it('refuses a one-shot call that begins with AIExcp beyond the licences', async () => {
    const served = await serve();
    await served.stream.create();
    expect((await callXsf(served.client, onceRequest(onceInput(), { op: 'AIExcp' }))).response?.code).toBe(10110);
  });

  it('refuses handles that only cost memory', async () => {
    const served = await serve();
    const request = onceRequest(onceInput(), { s: { h: 'x'.repeat(257) } });
    expect((await callXsf(served.client, request)).output).toMatchObject({ code: 10009 });
  });

  it('tells the plugin the deadline of the gRPC call where that is the earlier one', async () => {
    const served = await serve();
    const seen = gate<number>();
    served.runtime.once = (call) => {
      seen.open(call.deadline - performance.now());
      return Promise.resolve(served.runtime.output([]));
    };
    await callXsf(served.client, onceRequest(onceInput(), { param: { SeqNo: '1', waitTime: '600000' } }), {
      deadlineMs: 20_000,
    });
    expect(await seen.promise).toBeLessThanOrEqual(20_000);
  });
});

/**
 * Hands a call over as a gRPC server does, without one in between: nothing but the handling looks at deadlines and
 * clocks. Gives the code of the answer.
 */
function handOver(
  service: Service,
  shutdown: AbortController,
  request: RequestShape,
  changes: Partial<GrpcCall> = {},
): Promise<number> {
  type Handler = Parameters<GrpcServer['unary']>[1];
  const handlers: Handler[] = [];
  const server: Pick<GrpcServer, 'unary'> = { unary: (_path, handler) => void handlers.push(handler) };
  serveXsf(server as GrpcServer, optionsOf(service, shutdown.signal, 15_000));
  const call: GrpcCall = {
    message: { bytes: encodeRequest(request), retain: () => undefined, release: () => undefined },
    metadata: new Map(),
    peer: null,
    local: { host: '127.0.0.1', port: 5090 },
    deadline: performance.now() + 60_000,
    signal: new AbortController().signal,
    onCancel: () => undefined,
    sendMetadata: () => undefined,
    setTrailers: () => undefined,
    ...changes,
  };
  const [handler] = handlers;
  if (handler === undefined) throw new Error('nothing is served');
  return handler(call).then((reply) => {
    const response = decodeResponse(Buffer.concat(reply.chunks));
    reply.release?.();
    return decodeOutput(response.data[0]?.data ?? Buffer.alloc(0)).code;
  });
}

describe('a call that opens something', () => {
  interface Opened {
    readonly code: number;
    /** Licences that were taken when the answer was there. */
    readonly running: number;
    /** What the plugin was asked for. */
    readonly calls: number;
  }

  async function open(state: 'stream' | 'once', waitTime: string, changes: Partial<GrpcCall>): Promise<Opened> {
    const runtime = new FakeRuntime();
    const service = serviceOf(runtime, 1, null);
    const shutdown = new AbortController();
    const input = onceInput(state === 'stream' ? { state: 0, pl: [] } : {});
    const request = onceRequest(input, { param: { SeqNo: '1', waitTime } });
    const code = await handOver(service, shutdown, request, changes);
    const { running } = service.load;
    shutdown.abort(new AigesError('shuttingDown'));
    await service.drain();
    return { code, running, calls: runtime.calls };
  }

  const late: [string, () => Partial<GrpcCall>][] = [
    ['once its gRPC deadline has passed', () => ({ deadline: performance.now() - 1 })],
    [
      'once its client has cancelled it',
      () => ({
        onCancel: (listener) => {
          listener();
        },
      }),
    ],
  ];

  it.each(late)('takes no licence and reaches no plugin %s', async (_name, changes) => {
    expect(await open('stream', '20000', changes())).toEqual({ code: 10102, running: 0, calls: 0 });
    expect(await open('stream', '0', changes())).toEqual({ code: 10102, running: 0, calls: 0 });
    expect(await open('once', '20000', changes())).toEqual({ code: 10102, running: 0, calls: 0 });
  });

  it('may have no time to wait: a stream begins all the same', async () => {
    expect(await open('stream', '0', {})).toEqual({ code: 0, running: 1, calls: 1 });
  });
});

describe('a one-shot call', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['without waitTime waits 500 ms for its answer', onceRequest(onceInput(), { param: { SeqNo: '1' } }), 500, 10102],
    ['waits 5 s for a payload', onceRequest(onceInput({ pl: [] })), 5000, 10009],
    [
      'that begins with AIOut waits for the whole of its time',
      onceRequest(onceInput(), { op: 'AIOut' }),
      20_000,
      10102,
    ],
  ])('%s', async (_name, request, ms, code) => {
    vi.useFakeTimers();
    const hold = gate();
    const runtime = new FakeRuntime(async () => {
      await hold.promise;
      return [];
    });
    const service = serviceOf(runtime, 1, null);
    let answer: number | null = null;
    const answered = handOver(service, new AbortController(), request).then((found) => (answer = found));
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(answer).toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    expect(answer).toBe(code);
    await answered;
    hold.open();
    await service.drain();
    expect(runtime.outputsAlive).toBe(0);
  });

  it('holds a licence while it waits for a payload that has not come', async () => {
    vi.useFakeTimers();
    const service = serviceOf(new FakeRuntime(), 1, null);
    const request = onceRequest(onceInput({ pl: [] }), { param: { SeqNo: '1', waitTime: '300' } });
    const waiting = handOver(service, new AbortController(), request);
    expect(service.load.running).toBe(1);
    expect(await handOver(service, new AbortController(), onceRequest())).toBe(10110);
    await vi.advanceTimersByTimeAsync(299);
    expect(service.load.running).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toBe(10102);
    expect(service.load.running).toBe(0);
  });
});
