import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType, emptyMap, type Frame } from '../../../../src/core/frame.js';
import { Admission } from '../../../../src/engine/admission.js';
import { Service } from '../../../../src/engine/service.js';
import { createGrpcJsServer } from '../../../../src/transports/grpc/grpcjs.js';
import { serveXsf } from '../../../../src/transports/xsf/server.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeRuntime, gate, prepare, streams } from '../../../fixtures/fake-runtime.js';
import type { InputShape, Strings } from '../../../fixtures/protocol.js';
import { RawClient } from '../../../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, type XsfAnswer } from '../../../fixtures/xsf-client.js';

let runtime: FakeRuntime;
let service: Service;
let client: RawClient;
let errors: AigesError[];
let stop: () => Promise<void>;

async function serve(takesResources: boolean, resourceTimeoutMs = 60_000): Promise<void> {
  errors = [];
  runtime = new FakeRuntime((call) => {
    used.push(call.resourceIds);
    return [];
  });
  runtime.takesResources = takesResources;
  service = new Service({
    name: 'svc',
    runtime,
    admission: new Admission({ permits: 2, queue: 0 }),
    prepare,
    resources: 2,
    streams,
  });
  await service.start(emptyMap);
  const shutdown = new AbortController();
  const server = createGrpcJsServer({ maxReceiveBytes: 4 << 20, maxSendBytes: 4 << 20 });
  serveXsf(server, {
    listening: () => ({ host: '127.0.0.1', port: 5090 }),
    services: [{ service, headerPass: ['sid'], ttlMs: 15_000 }],
    advertise: null,
    host: '127.0.0.1',
    rollMs: 5_000,
    postback: null,
    resourceTimeoutMs,
    rateLimit: null,
    resizable: false,
    shutdown: shutdown.signal,
    onError: (error) => errors.push(error),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  client = new RawClient(port);
  stop = async () => {
    client.close();
    await server.drain(AbortSignal.abort());
    shutdown.abort(new AigesError('shuttingDown'));
    await service.drain();
    await service.stop();
    expect(service.inside).toBe(0);
  };
}

/** The ids that calls named, in order. */
let used: (readonly number[])[];

beforeEach(() => {
  used = [];
});

afterEach(async () => {
  await stop();
});

const payload = (text: string): InputShape => ({
  pl: [{ meta: { name: 'patch', dataType: 1, attribute: { patch_id: 'p7' } }, data: Buffer.from(text) }],
});

function ask(op: string, param: Strings = {}, input: InputShape = {}): Promise<XsfAnswer> {
  const body = onceInput({ pl: [], params: {}, ...input });
  return callXsf(client, onceRequest(body, { op, param: { waitTime: '20000', ...param } }));
}

const call = (params: Strings, param: Strings = {}): Promise<XsfAnswer> =>
  callXsf(
    client,
    onceRequest(onceInput({ params, expect: [] }), { param: { SeqNo: '1', waitTime: '20000', ...param } }),
  );

const done = { code: 0, err: '', serviceId: 'svc', status: 0, pl: [] };
const failed = (code: number): object => ({ code, status: 2, serviceId: '', pl: [] });

describe('operations on resources', () => {
  it.each(['AILoad', 'AIHotword'])('refuses %s without payload', async (op) => {
    await serve(true);
    await ask('AILoad', { resId: '7' }, payload('a'));
    const answer = await ask(op, { resId: op === 'AILoad' ? '8' : '7' });
    expect(answer.output).toMatchObject({ ...failed(10009), err: 'input invalid data' });
    expect(errors[0]?.detail).toBe('no payload to load');
    expect(runtime.resources).toEqual(new Map([[7, 'a']]));
  });

  it('refuses a payload without meta', async () => {
    await serve(true);
    const answer = await ask('AILoad', {}, { pl: [{ data: Buffer.from('x') }] });
    expect(answer.output).toMatchObject(failed(10009));
    expect(runtime.resources.size).toBe(0);
  });

  it.each(['', '0', '-1', '1.5', '0x7', 'seven', '4294967296', '99999999999999', '1 2'])(
    'refuses "%s" for an id and says what it expects',
    async (resId) => {
      await serve(true);
      for (const op of ['AILoad', 'AIUnLoad', 'AIHotword']) {
        expect((await ask(op, { resId }, payload('a'))).output).toMatchObject(failed(10009));
      }
      expect(errors).toHaveLength(3);
      for (const { detail } of errors) {
        expect(detail).toBe(
          `expected a decimal number from 1 to 4294967295 for resId but found ${JSON.stringify(resId)}`,
        );
      }
      expect(runtime.resources.size).toBe(0);
    },
  );

  it.each(['AIUnLoad', 'AIHotword'])('refuses %s without an id', async (op) => {
    await serve(true);
    expect((await ask(op, {}, payload('a'))).output).toMatchObject(failed(10009));
    expect(errors[0]?.detail).toBe(`${op} needs the parameter resId`);
  });

  it.each(['AIUnLoad', 'AIHotword'])('refuses %s of a resource that is not loaded', async (op) => {
    await serve(true);
    const answer = await ask(op, { resId: '7' }, payload('a'));
    expect(answer.output).toMatchObject({ ...failed(10904), err: 'resource 7 is not loaded' });
    expect(answer.response).toMatchObject({ code: 0, error_info: '', param: {} });
  });

  it('refuses to load an id again and says which operation replaces', async () => {
    await serve(true);
    await ask('AILoad', { resId: '7' }, payload('a'));
    expect((await ask('AILoad', { resId: '7' }, payload('b'))).output).toMatchObject({
      ...failed(10903),
      err: 'resource is loaded already; AIHotword replaces its content',
    });
    expect(runtime.resources.get(7)).toBe('a');
  });

  it("passes the plugin's refusals on", async () => {
    await serve(true);
    await ask('AILoad', { resId: '7' }, payload('a'));
    runtime.onUnload = () => Promise.reject(new AigesError('unloadFailed', { message: 'no;code=4', pluginCode: 4 }));
    expect((await ask('AIUnLoad', { resId: '7' })).output).toMatchObject({ ...failed(10904), err: 'no;code=4' });
    runtime.onUnload = () => undefined;
    runtime.onLoad = () => Promise.reject(new AigesError('loadFailed', { message: 'no;code=3', pluginCode: 3 }));
    expect((await ask('AIHotword', { resId: '7' }, payload('b'))).output).toMatchObject({
      ...failed(10903),
      err: 'no;code=3',
    });
    expect((await ask('AIUnLoad', { resId: '7' })).output).toMatchObject({ err: 'resource 7 is not loaded' });
  });

  it('gives up after waitTime, or after the configured time without one', async () => {
    // Long enough to reach the plugin on a busy machine.
    await serve(true, 1000);
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const request = onceRequest(onceInput(payload('a')), { op: 'AILoad', param: { resId: '7' } });
    expect((await callXsf(client, request)).output).toMatchObject(failed(10102));
    expect((await ask('AIUnLoad', { resId: '7', waitTime: '5' })).output).toMatchObject(failed(10102));
    loading.open();
    await eventually(() => runtime.resources.get(7)).toBe('a');
    expect((await ask('AIUnLoad', { resId: '7' })).output).toMatchObject(done);
  });

  it('does nothing for a client that does not wait', async () => {
    await serve(true);
    expect((await ask('AILoad', { waitTime: '0' }, payload('a'))).output).toMatchObject(failed(10102));
    expect(runtime.resources.size).toBe(0);
  });

  it('sends clients to another node while it shuts down', async () => {
    await serve(true);
    await service.drain();
    const answer = await ask('AILoad', {}, payload('a'));
    expect(answer.output).toMatchObject({ ...failed(10110), err: 'service is shutting down' });
    expect(answer.response).toMatchObject({ code: 10110 });
  });

  it('needs no licence', async () => {
    await serve(true);
    const open = [new StreamClient(client), new StreamClient(client)];
    for (const stream of open) await stream.create();
    expect(service.load.running).toBe(2);
    expect((await ask('AILoad', {}, payload('a'))).output).toMatchObject(done);
    for (const stream of open) await stream.abort();
  });

  it('loads with a generated id and says which, replaces, and unloads', async () => {
    await serve(true);
    const given: Frame[] = [];
    runtime.onLoad = (_id, frames) => {
      given.push(...frames.map((frame) => ({ ...frame, data: Buffer.from(frame.data) })));
    };
    const loaded = await ask('AILoad', {}, payload('a'));
    expect(loaded.output).toMatchObject(done);
    expect(loaded.response).toMatchObject({ code: 0, param: { resId: '1' } });
    expect(given).toEqual([
      {
        key: 'patch',
        data: Buffer.from('a'),
        type: DataType.other,
        status: DataStatus.end,
        desc: new Map([['patch_id', 'p7']]),
      },
    ]);
    const replaced = await ask('AIHotword', { resId: '1' }, payload('b'));
    expect(replaced.output).toMatchObject(done);
    expect(replaced.response?.param).toEqual({});
    expect(runtime.resources).toEqual(new Map([[1, 'b']]));
    expect((await ask('AIUnLoad', { resId: '1' })).output).toMatchObject(done);
    expect(runtime.resources.size).toBe(0);
  });

  it("takes the id of the payload's message before that of the envelope", async () => {
    await serve(true);
    const answer = await ask('AILoad', { resId: '8' }, { ...payload('a'), params: { resId: ' 4294967295 ' } });
    expect(answer.response?.param).toEqual({ resId: '4294967295' });
  });

  it('refuses more than the limit', async () => {
    await serve(true);
    await ask('AILoad', {}, payload('a'));
    await ask('AILoad', {}, payload('b'));
    expect((await ask('AILoad', {}, payload('c'))).output).toMatchObject({
      ...failed(10903),
      err: '2 resources are loaded, [limits].resources allows no more',
    });
  });

  it('does nothing, successfully, for a plugin that takes no resources', async () => {
    await serve(false);
    for (const op of ['AILoad', 'AIUnLoad', 'AIHotword', 'AIDetect']) {
      const answer = await ask(op, { resId: 'nonsense' });
      expect(answer.output).toMatchObject(done);
      expect(answer.response?.param).toEqual({});
    }
    expect((await call({ psrIds: 'nonsense' })).output).toMatchObject({ code: 0 });
    expect(used).toEqual([[]]);
  });
});

describe('calls that name resources', () => {
  it('are refused before the plugin hears of them, once and as a stream', async () => {
    await serve(true);
    await ask('AILoad', { resId: '7' }, payload('a'));
    for (const [psrIds, detail] of [
      ['7,8', 'resource 8 is not loaded'],
      ['7;8', 'expected a decimal number from 1 to 4294967295 for psrIds but found "7;8"'],
      ['7,', 'expected a decimal number from 1 to 4294967295 for psrIds but found ""'],
    ] as const) {
      errors.length = 0;
      expect((await call({ psrIds })).output).toMatchObject(failed(10009));
      const stream = new StreamClient(client);
      expect((await stream.create({ params: { psrIds } })).output).toMatchObject(failed(10009));
      expect(errors.map((error) => error.detail)).toEqual([detail, detail]);
    }
    expect(runtime.calls).toBe(0);
    expect(service.load.running).toBe(0);
  });

  it('hand each of them to the plugin once, in order', async () => {
    await serve(true);
    for (const resId of ['9', '7']) await ask('AILoad', { resId }, payload('a'));
    await call({ psrIds: ' 9, 7 ,9,07' });
    await call({}, { psrIds: '7' });
    await call({ psrIds: '9' }, { psrIds: '7' });
    await call({ psrIds: ' ' });
    expect(used).toEqual([[9, 7], [7], [9], []]);
  });

  it('leave the parameter where the plugin can see it', async () => {
    await serve(true);
    await ask('AILoad', { resId: '7' }, payload('a'));
    let params: ReadonlyMap<string, string> = emptyMap;
    runtime.openStream = (opened) => {
      params = opened.params;
      throw new AigesError('createFailed');
    };
    await new StreamClient(client).create({ params: { psrIds: '7' } });
    expect(params.get('psrIds')).toBe('7');
  });
});
