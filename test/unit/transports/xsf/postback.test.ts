import { afterEach, describe, expect, it, vi } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus } from '../../../../src/core/frame.js';
import { Admission } from '../../../../src/engine/admission.js';
import { Service } from '../../../../src/engine/service.js';
import { createGrpcJsServer } from '../../../../src/transports/grpc/grpcjs.js';
import { Postback } from '../../../../src/transports/xsf/postback.js';
import { Posting, type Outlet } from '../../../../src/transports/xsf/posting.js';
import { serveXsf } from '../../../../src/transports/xsf/server.js';
import { eventually } from '../../../fixtures/eventually.js';
import {
  type Answer,
  FakeRuntime,
  type FakeStream,
  gate,
  prepare,
  streams,
  textFrame,
} from '../../../fixtures/fake-runtime.js';
import { decodeOutput, type InputShape, type OutputShape, type RequestShape } from '../../../fixtures/protocol.js';
import { RawClient } from '../../../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, type XsfAnswer } from '../../../fixtures/xsf-client.js';

interface Body {
  readonly reqParam: unknown;
  readonly data: string;
  readonly ret: number;
  readonly errDesc: string;
}

/** Keeps what it is given. */
class FakeOutlet implements Outlet {
  full = false;
  readonly bodies: Body[] = [];
  /** What becomes of a message. */
  onPublish: () => Promise<void> = () => Promise.resolve();

  get outputs(): OutputShape[] {
    return this.bodies.map(({ data }) => decodeOutput(Buffer.from(data, 'base64')));
  }

  publish(body: Uint8Array): Promise<void> {
    this.bodies.push(JSON.parse(Buffer.from(body).toString()) as Body);
    return this.onPublish();
  }
}

interface Finished {
  readonly id: string;
  readonly node: string;
  readonly succeeded: boolean;
  readonly output: OutputShape;
  readonly costMs: number;
}

interface Served {
  readonly client: RawClient;
  readonly port: number;
  readonly runtime: FakeRuntime;
  readonly service: Service;
  readonly outlet: FakeOutlet;
  readonly shutdown: AbortController;
  readonly postback: Postback;
  readonly begun: string[];
  readonly finished: Finished[];
  readonly errors: object[];
  readonly undelivered: object[];
}

let stop: (() => Promise<void>) | null = null;

async function serve(
  answer?: Answer,
  options: { permits?: number; onceTimeoutMs?: number; ttlMs?: number } = {},
): Promise<Served> {
  const { permits = 1, onceTimeoutMs = 60_000, ttlMs = 15_000 } = options;
  const runtime = new FakeRuntime(answer);
  const service = new Service({
    name: 'svc',
    runtime,
    admission: new Admission({ permits, queue: 0 }),
    prepare,
    resources: null,
    streams,
  });
  const shutdown = new AbortController();
  const outlet = new FakeOutlet();
  const begun: string[] = [];
  const finished: Finished[] = [];
  const errors: object[] = [];
  const undelivered: object[] = [];
  const postback = new Postback({
    outlet,
    tasks: {
      begin(id, node) {
        begun.push(id);
        return {
          finish(succeeded, result, costMs) {
            finished.push({ id, node, succeeded, output: decodeOutput(Buffer.from(result, 'base64')), costMs });
            return Promise.resolve();
          },
        };
      },
    },
    onceTimeoutMs,
    onError: (error, context) => errors.push({ code: error.code, ...context }),
    onUndelivered: (reason, context) => undelivered.push({ reason: reason.message, ...context }),
  });
  const server = createGrpcJsServer({ maxReceiveBytes: 4 << 20, maxSendBytes: 4 << 20 });
  serveXsf(server, {
    listening: () => ({ host: '127.0.0.1', port: 5090 }),
    services: [{ service, headerPass: ['sid'], ttlMs }],
    advertise: null,
    host: '127.0.0.1',
    resourceTimeoutMs: 60_000,
    rollMs: 10,
    postback,
    rateLimit: null,
    resizable: false,
    shutdown: shutdown.signal,
    onError: () => undefined,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const client = new RawClient(port);
  stop = async () => {
    client.close();
    await server.drain(AbortSignal.abort());
    shutdown.abort(new AigesError('shuttingDown'));
    await service.drain();
    await postback.idle();
    expect(runtime.outputsAlive).toBe(0);
    for (const stream of runtime.streams) expect(stream.closed).toBe(1);
  };
  return { client, port, runtime, service, outlet, shutdown, postback, begun, finished, errors, undelivered };
}

afterEach(async () => {
  await stop?.();
  stop = null;
});

const headers = { sid: 'sid-1', downMethod: 'async' };

function once(changes: InputShape = {}, request: RequestShape = {}): RequestShape {
  return onceRequest(onceInput({ headers, params: { p: '1' }, ...changes }), {
    param: { SeqNo: '1', waitTime: '0' },
    ...request,
  });
}

const emptySuccess = { serviceId: 'svc', code: 0, err: '', status: 0, pl: [] };
const handleOf = (answer: XsfAnswer): string => answer.response?.s.h ?? '';

async function openStream(served: Served, changes: InputShape = {}): Promise<[StreamClient, FakeStream]> {
  const client = new StreamClient(served.client);
  const created = await client.create({ headers, ...changes });
  expect(created.output).toMatchObject({ code: 0, status: 0, pl: [] });
  await eventually(() => served.runtime.streams.length).toBeGreaterThan(0);
  const stream = served.runtime.streams.at(-1);
  if (stream === undefined) throw new Error('no stream was opened');
  return [client, stream];
}

describe('a one-shot call that is posted back', () => {
  it('is refused at once without a licence, and leaves no trace', async () => {
    const inside = gate();
    const served = await serve(() => inside.promise.then(() => []));
    await callXsf(served.client, once());
    const refused = await callXsf(served.client, once({}, { s: { h: 'mine' } }));
    expect(refused.response).toMatchObject({ code: 10110, error_info: 'service license not enough' });
    const later = await callXsf(served.client, { op: 'AIOut', s: { h: 'mine' } });
    expect(later.output).toMatchObject({ code: 10008 });
    inside.open();
    await eventually(() => served.outlet.bodies.length).toBe(1);
    expect(served.begun).toEqual([]);
  });

  it('is refused while too many results wait', async () => {
    const served = await serve();
    served.outlet.full = true;
    const refused = await callXsf(served.client, once());
    expect(refused.response?.code).toBe(10110);
    expect(refused.output?.err).toBe('service license not enough: too many results wait for delivery');
    expect(served.runtime.calls).toBe(0);
  });

  it('posts that there was no payload, and holds its licence until then', async () => {
    const served = await serve();
    expect((await callXsf(served.client, once({ pl: [] }))).output).toEqual(emptySuccess);
    expect((await callXsf(served.client, once())).response).toMatchObject({ code: 10110 });
    await eventually(() => served.outlet.outputs).toMatchObject([
      { code: 10009, err: 'input invalid data', status: 2, pl: [] },
    ]);
    expect(served.service.load.running).toBe(0);
  });

  it('is answered with an error, not posted, when a payload has no meta', async () => {
    const served = await serve();
    const answer = await callXsf(served.client, once({ pl: [{ data: Buffer.from('x') }] }));
    expect(answer.output).toMatchObject({ code: 10009 });
    expect(served.outlet.bodies).toEqual([]);
  });

  it('posts what the plugin failed with', async () => {
    const served = await serve(() => {
      throw new AigesError('execFailed', { message: 'no;code=7', pluginCode: 7 });
    });
    const answer = await callXsf(served.client, once());
    expect(answer.output).toEqual(emptySuccess);
    await served.postback.idle();
    expect(served.outlet.outputs).toEqual([{ serviceId: '', code: 10909, err: 'no;code=7', status: 2, pl: [] }]);
    expect(served.errors).toEqual([{ code: 10909, service: 'svc', handle: handleOf(answer), sid: 'sid-1' }]);
  });

  it('posts that its time is up, while the plugin keeps its licence', async () => {
    const inside = gate();
    const served = await serve(() => inside.promise.then(() => []), { onceTimeoutMs: 30 });
    await callXsf(served.client, once());
    await eventually(() => served.outlet.outputs).toMatchObject([{ code: 10102, status: 2 }]);
    expect(served.service.load.running).toBe(1);
    inside.open();
  });

  it('posts that the loader stops', async () => {
    const inside = gate();
    const served = await serve(() => inside.promise.then(() => []));
    await callXsf(served.client, once());
    served.shutdown.abort(new AigesError('shuttingDown'));
    await served.postback.idle();
    expect(served.outlet.outputs).toMatchObject([{ code: 10110, err: 'service is shutting down', status: 2 }]);
    inside.open();
  });

  it('tells which result was not delivered', async () => {
    const served = await serve(() => [textFrame('result', 'x')]);
    served.outlet.onPublish = () => Promise.reject(new AigesError('internal', { message: 'nobody took it' }));
    const answer = await callXsf(served.client, once());
    await served.postback.idle();
    expect(served.undelivered).toEqual([
      { reason: 'nobody took it', service: 'svc', handle: handleOf(answer), sid: 'sid-1', code: 0 },
    ]);
  });

  it('answers every read with an empty success while it runs, and knows its handle as released afterwards', async () => {
    const inside = gate();
    const served = await serve(() => inside.promise.then(() => [textFrame('result', 'x')]));
    const created = await callXsf(served.client, once());
    for (const op of ['AIIn', 'AIOut']) {
      const read = await callXsf(served.client, { op, s: { h: handleOf(created) }, param: { waitTime: '20000' } });
      expect(read.output).toEqual({ ...emptySuccess, serviceId: '' });
    }
    inside.open();
    await eventually(() => served.outlet.bodies.length).toBe(1);
    const later = await callXsf(served.client, { op: 'AIOut', s: { h: handleOf(created) } });
    expect(later.output).toMatchObject({ code: 10101 });
  });

  it('posts nothing once its client has ended it', async () => {
    const inside = gate();
    const served = await serve(() => inside.promise.then(() => [textFrame('result', 'x')]));
    const created = await callXsf(served.client, once({ headers: { ...headers, task_id: 't' } }));
    const ended = await callXsf(served.client, { op: 'AIExcp', s: { h: handleOf(created) } });
    expect(ended.output).toMatchObject({ code: 0 });
    await served.postback.idle();
    inside.open();
    await eventually(() => served.service.load.running).toBe(0);
    expect(served.outlet.bodies).toEqual([]);
    expect(served.finished).toMatchObject([{ id: 't', succeeded: false, output: { code: 10101 } }]);
    expect(served.errors).toEqual([]);
  });

  it('goes on when its client leaves', async () => {
    const inside = gate();
    const served = await serve(() => inside.promise.then(() => [textFrame('result', 'x')]));
    const client = new RawClient(served.port);
    await callXsf(client, once());
    client.close();
    inside.open();
    await eventually(() => served.outlet.outputs).toMatchObject([{ code: 0, status: 3 }]);
  });

  it('posts what a synchronous call is answered, with the parameters of the plugin', async () => {
    const served = await serve((_call, frames) => frames.map(({ data }) => textFrame('result', `<${String(data)}>`)));
    const synchronous = await callXsf(served.client, onceRequest(onceInput({ params: { p: '1' } })));
    await callXsf(served.client, once());
    await served.postback.idle();
    expect(served.outlet.outputs).toEqual([synchronous.output]);
    expect(served.outlet.bodies).toMatchObject([
      { reqParam: { p: '1', sid: 'sid-1' }, spanMeta: '', sid: '', ret: 0, errDesc: '' },
    ]);
    expect(Object.keys(served.outlet.bodies[0] ?? {})).toEqual([
      'reqParam',
      'data',
      'spanMeta',
      'sid',
      'ret',
      'errDesc',
    ]);
  });

  it('says how the task ended and what it cost, in its own words to whom it may concern', async () => {
    const served = await serve(() => [textFrame('result', 'x')]);
    await callXsf(served.client, once({ headers: { ...headers, task_id: 'task-1' } }));
    await served.postback.idle();
    expect(served.begun).toEqual(['task-1']);
    expect(served.finished).toHaveLength(1);
    expect(served.finished[0]).toMatchObject({
      id: 'task-1',
      node: `127.0.0.1:${served.port}`,
      succeeded: true,
      output: served.outlet.outputs[0],
    });
    expect(Number.isInteger(served.finished[0]?.costMs)).toBe(true);
  });
});

describe('a stream that is posted back', () => {
  it('is refused while too many results wait, and at once without a licence', async () => {
    const served = await serve();
    await openStream(served);
    const busy = await new StreamClient(served.client).create({ headers });
    expect(busy.response?.code).toBe(10110);
    served.outlet.full = true;
    const full = await new StreamClient(served.client).create({ headers });
    expect(full.output?.err).toContain('too many results wait');
  });

  it('posts why it could not be opened', async () => {
    const served = await serve();
    served.runtime.openStream = () => {
      throw new AigesError('createFailed', { message: 'no;code=5', pluginCode: 5 });
    };
    await new StreamClient(served.client).create({ headers });
    await served.postback.idle();
    expect(served.outlet.outputs).toEqual([{ serviceId: '', code: 10905, err: 'no;code=5', status: 2, pl: [] }]);
  });

  it('posts the results before it fails, then the failure, then nothing', async () => {
    const served = await serve();
    const [client, stream] = await openStream(served);
    stream.give('one');
    await eventually(() => served.outlet.bodies.length).toBe(1);
    stream.fail(new AigesError('readFailed', { message: 'no;code=8', pluginCode: 8 }));
    await served.postback.idle();
    expect(served.outlet.outputs).toMatchObject([
      { serviceId: 'svc', code: 0, status: 1 },
      { serviceId: '', code: 10908, status: 2, pl: [] },
    ]);
    expect((await client.write(1, 'a')).output).toMatchObject({ code: 10101 });
  });

  it('posts that the plugin has ended the stream without a last result, once', async () => {
    const served = await serve();
    const [, stream] = await openStream(served);
    stream.end();
    await served.postback.idle();
    expect(served.outlet.outputs).toMatchObject([{ serviceId: '', code: 10908, status: 2, pl: [] }]);
  });

  it('answers and posts what is wrong with a packet, since either side may be the one that is listening', async () => {
    const served = await serve();
    const [client] = await openStream(served);
    const answer = await client.send('AIIn', { sync_id: 1, pl: [{ data: Buffer.from('nameless') }] });
    expect(answer.output).toMatchObject({ code: 10009 });
    await served.postback.idle();
    expect(served.outlet.outputs).toMatchObject([{ code: 10009, status: 2 }]);
  });

  it('posts that nobody went on with it, and forgets the handle', async () => {
    const served = await serve(undefined, { ttlMs: 30 });
    const [client] = await openStream(served);
    await eventually(() => served.outlet.outputs).toMatchObject([{ code: 10008, status: 2 }]);
    expect((await client.poll()).output).toMatchObject({ code: 10008 });
  });

  it('is kept by a client that reads now and then, though there is nothing to read', async () => {
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    try {
      const served = await serve(undefined, { ttlMs: 1500 });
      const [client] = await openStream(served);
      for (let i = 0; i < 6; i++) {
        now += 1000;
        expect((await client.poll()).output).toMatchObject({ code: 0, status: 0 });
        // Long enough for whoever looks for sessions to have looked.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(served.outlet.bodies).toEqual([]);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('posts that the loader stops', async () => {
    const served = await serve();
    await openStream(served);
    served.shutdown.abort(new AigesError('shuttingDown'));
    await served.postback.idle();
    expect(served.outlet.outputs).toMatchObject([{ code: 10110, status: 2 }]);
  });

  it('posts nothing after its client has ended it, and leaves a new session on the same handle alone', async () => {
    const served = await serve();
    const [client, stream] = await openStream(served, { headers: { ...headers, task_id: 't' } });
    stream.give('one');
    await eventually(() => served.outlet.bodies.length).toBe(1);
    expect((await client.abort()).output).toMatchObject({ code: 0 });
    const again = new StreamClient(served.client);
    expect((await again.create({ headers }, { s: { h: client.handle } })).output).toMatchObject({ code: 0 });
    await eventually(() => served.finished.length).toBe(1);
    expect(served.finished).toMatchObject([{ id: 't', succeeded: false, output: { code: 10101 } }]);
    expect(served.outlet.bodies.length).toBe(1);
    expect((await again.write(1, 'b')).output).toMatchObject({ code: 0 });
    await eventually(() => served.runtime.streams.at(-1)?.written.length).toBe(1);
    expect(served.errors).toEqual([]);
  });

  it('posts each result as a message, in order, and the last one after its handle is released', async () => {
    const served = await serve();
    const [client, stream] = await openStream(served, { headers: { ...headers, task_id: 't' } });
    const last = gate();
    served.outlet.onPublish = () => (served.outlet.bodies.length === 3 ? last.promise : Promise.resolve());
    for (const text of ['a', 'b']) stream.give(text);
    stream.give('c', DataStatus.end);
    await eventually(() => served.outlet.bodies.length).toBe(3);
    // It is on its way, and whoever gets it may act on it.
    expect((await client.poll()).output).toMatchObject({ code: 10101 });
    expect(served.service.load.running).toBe(0);
    last.open();
    await served.postback.idle();
    const texts = served.outlet.outputs.map(({ pl }) => String(Buffer.from(pl[0]?.data ?? [])));
    expect(texts).toEqual(['a', 'b', 'c']);
    expect(served.outlet.outputs.map(({ serviceId, status }) => [serviceId, status])).toEqual([
      ['svc', 1],
      ['svc', 1],
      ['svc', 2],
    ]);
    expect(served.outlet.outputs.map(({ pl }) => pl[0]?.meta.attribute['seq'])).toEqual(['1', '2', '3']);
    expect(served.finished).toMatchObject([{ id: 't', succeeded: true, output: served.outlet.outputs[2] }]);
  });

  it('takes no more results from the plugin while as many wait as may', async () => {
    const served = await serve();
    const [, stream] = await openStream(served);
    const room = gate();
    served.outlet.full = true;
    served.outlet.onPublish = () => room.promise;
    for (const text of ['a', 'b', 'c']) stream.give(text);
    await eventually(() => served.outlet.bodies.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(served.outlet.bodies.length).toBe(1);
    served.outlet.full = false;
    room.open();
    await eventually(() => served.outlet.bodies.length).toBe(3);
  });
});

describe('a posting', () => {
  it('says so when its answer cannot be encoded', async () => {
    const outlet = new FakeOutlet();
    const finished: unknown[] = [];
    const posting = new Posting({
      outlet,
      task: {
        finish(...how) {
          finished.push(how.slice(0, 2));
          return Promise.resolve();
        },
      },
      service: 'svc',
      handle: 'h',
      sid: '',
      params: new Map([['__proto__', 'a key like any other']]),
      onError: () => undefined,
      onUndelivered: () => undefined,
    });
    let released = 0;
    const attributes = {
      [Symbol.iterator]: () => {
        throw new RangeError('too long');
      },
    } as unknown as ReadonlyMap<string, string>;
    const output = { serviceId: '', error: null, status: 3, payloads: [{ frame: textFrame('k', 'v'), attributes }] };
    await posting.post({ output, release: () => released++ }, true);
    expect(JSON.stringify(outlet.bodies)).toBe(
      '[{"reqParam":{"__proto__":"a key like any other"},"data":"","spanMeta":"","sid":"","ret":10400,"errDesc":"marshal pb message fail"}]',
    );
    expect(finished).toEqual([[false, '']]);
    expect(released).toBe(1);
  });
});
