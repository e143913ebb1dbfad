import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { emptyMap } from '../../../../src/core/frame.js';
import { Admission } from '../../../../src/engine/admission.js';
import { Service } from '../../../../src/engine/service.js';
import { createGrpcJsServer } from '../../../../src/transports/grpc/grpcjs.js';
import { serveXsf } from '../../../../src/transports/xsf/server.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeRuntime, prepare, streams, textFrame } from '../../../fixtures/fake-runtime.js';
import type { InputShape } from '../../../fixtures/protocol.js';
import { RawClient } from '../../../fixtures/raw-client.js';
import {
  callXsf,
  onceInput,
  onceRequest,
  StreamClient,
  textsOf,
  type XsfAnswer,
} from '../../../fixtures/xsf-client.js';

// Two services behind one gRPC path.

interface Side {
  readonly runtime: FakeRuntime;
  readonly service: Service;
}

let asr: Side;
let tts: Side;
let client: RawClient;
let errors: { readonly code: number; readonly service: string | null; readonly op: string }[] = [];
let stop: () => Promise<void>;

async function side(name: string, inputs: readonly string[] | null = null): Promise<Side> {
  const runtime = new FakeRuntime((call) => {
    if (call.params.has('fail')) throw new AigesError('execFailed');
    return [textFrame('result', `${name} ${[...call.params.keys()].sort().join(' ')}`)];
  });
  runtime.takesResources = true;
  const service = new Service({
    name,
    runtime,
    admission: new Admission({ permits: 1, queue: 0 }),
    prepare,
    resources: 2,
    streams: { ...streams, inputs },
  });
  await service.start(emptyMap);
  return { runtime, service };
}

async function start(ttsTtlMs = 60_000): Promise<void> {
  [asr, tts, errors] = [await side('asr', ['audio']), await side('tts'), []];
  const shutdown = new AbortController();
  const server = createGrpcJsServer({ maxReceiveBytes: 4 << 20, maxSendBytes: 4 << 20 });
  serveXsf(server, {
    listening: () => ({ host: '127.0.0.1', port: 5090 }),
    services: [
      { service: asr.service, headerPass: ['sid'], ttlMs: 60_000 },
      { service: tts.service, headerPass: ['sid', 'uid'], ttlMs: ttsTtlMs },
    ],
    advertise: null,
    host: '127.0.0.1',
    rollMs: 5,
    postback: null,
    resourceTimeoutMs: 60_000,
    rateLimit: null,
    resizable: true,
    shutdown: shutdown.signal,
    onError: ({ code }, { service, op }) => errors.push({ code, service, op }),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  client = new RawClient(port);
  stop = async () => {
    client.close();
    await server.drain(AbortSignal.abort());
    shutdown.abort(new AigesError('shuttingDown'));
    for (const { runtime, service } of [asr, tts]) {
      await service.drain();
      await service.stop();
      expect(service.inside).toBe(0);
      expect(runtime.outputsAlive).toBe(0);
      for (const stream of runtime.streams) expect(stream.closed).toBe(1);
    }
  };
}

beforeEach(() => start());

afterEach(() => stop());

const names = (serviceId: string, serviceName = ''): InputShape => ({ serviceId, serviceName });

function once(serviceId: string, changes: InputShape = {}): Promise<XsfAnswer> {
  return callXsf(client, onceRequest(onceInput({ ...names(serviceId), params: {}, ...changes })));
}

describe('a request that opens something', () => {
  it.each([
    ['is unknown', names('quux', 'quux'), 'asr'],
    ['is unknown to the letter', names('TTS', 'tts '), 'asr'],
    ['is not there', names(''), 'asr'],
    ['is that of a property of objects', names('__proto__', 'constructor'), 'asr'],
    ['is serviceId', names('tts'), 'tts'],
    ['is serviceName, and the serviceId is unknown', names('node-7', 'tts'), 'tts'],
    ['is serviceName alone', names('', 'tts'), 'tts'],
    ['is serviceId, and another one is serviceName', names('tts', 'asr'), 'tts'],
  ])('whose name %s: %j goes to %s', async (_what, input, answers) => {
    const answer = await once('', input);
    expect(textsOf(answer)[0]).toMatch(new RegExp(`^${answers} `));
    expect(answer.output?.serviceId).toBe(input.serviceId);
  });

  it('brings the headers that its service passes on', async () => {
    const headers = { sid: 's', uid: 'u' };
    expect(textsOf(await once('asr', { headers }))).toEqual(['asr sid']);
    expect(textsOf(await once('tts', { headers }))).toEqual(['tts sid uid']);
  });

  it('is checked against the inputs of its service', async () => {
    const pl = onceInput().pl ?? [];
    const [one, other] = [new StreamClient(client), new StreamClient(client)];
    expect((await one.create({ ...names('asr'), pl })).output).toMatchObject({ code: 10009 });
    expect((await other.create({ ...names('tts'), pl })).output).toMatchObject({ code: 0 });
    await other.abort();
  });

  it('takes a licence of its service only', async () => {
    const [held, second] = [new StreamClient(client), new StreamClient(client)];
    await held.create(names('asr'));
    expect((await second.create(names('asr'))).output).toMatchObject({ code: 10110 });
    expect((await once('asr')).output).toMatchObject({ code: 10110 });
    expect((await once('tts')).output).toMatchObject({ code: 0 });
    expect([asr.service.load.running, tts.service.load.running]).toEqual([1, 0]);
    await held.abort();
  });

  it("cannot have the handle of another service's session", async () => {
    const held = new StreamClient(client);
    await held.create(names('asr'));
    const request = onceRequest(onceInput(names('tts')), { s: { h: held.handle } });
    expect((await callXsf(client, request)).output).toMatchObject({
      code: 10110,
      err: expect.stringContaining('is already stored') as string,
    });
    await held.abort();
  });
});

describe('a session', () => {
  it('stays with its service, whatever its packets name', async () => {
    const stream = new StreamClient(client);
    await stream.create(names('tts'));
    await stream.write(1, 'a');
    const packet = { ...names('asr'), sync_id: 2, pl: [{ meta: { name: 'x', dataType: 0 }, data: Buffer.from('b') }] };
    expect((await stream.send('AIIn', packet)).output).toMatchObject({ code: 0 });
    await eventually(() => tts.runtime.streams[0]?.written.length).toBe(2);
    expect(asr.runtime.streams).toHaveLength(0);
    tts.runtime.streams[0]?.give('done', 2);
    expect(textsOf(await stream.poll())).toEqual(['done']);
  });

  it('ends after the idle time of its service', async () => {
    await stop();
    await start(30);
    const [long, short] = [new StreamClient(client), new StreamClient(client)];
    await long.create(names('asr'));
    await short.create(names('tts'));
    await eventually(() => tts.service.load.running).toBe(0);
    expect(asr.service.load.running).toBe(1);
    expect((await short.poll()).output).toMatchObject({ code: 10008 });
    await long.abort();
  });
});

describe('AILBType', () => {
  const resize = (input: InputShape): Promise<XsfAnswer> =>
    callXsf(client, onceRequest(input, { op: 'AILBType', param: { authzNo: '5', timeout: '0' } }));

  it('resizes the service that it names, else the first', async () => {
    expect((await resize(names('tts'))).output).toMatchObject({ code: 0 });
    expect([asr.service.load.permits, tts.service.load.permits]).toEqual([1, 5]);
    expect((await resize({})).output).toMatchObject({ code: 0 });
    expect([asr.service.load.permits, tts.service.load.permits]).toEqual([5, 5]);
  });
});

describe('personalised resources', () => {
  it('belong to the service that they were loaded into', async () => {
    const load = onceInput({ ...names('tts'), params: { resId: '7' } });
    expect((await callXsf(client, onceRequest(load, { op: 'AILoad' }))).output).toMatchObject({ code: 0 });
    expect([...tts.runtime.resources]).toEqual([[7, 'hello']]);
    expect(asr.runtime.resources.size).toBe(0);
    expect((await once('tts', { params: { psrIds: '7' } })).output).toMatchObject({ code: 0 });
    expect((await once('asr', { params: { psrIds: '7' } })).output).toMatchObject({ code: 10009 });
  });
});

describe('a failure', () => {
  it('is told with the service that it belongs to, and without one when there is none', async () => {
    await once('tts', { params: { fail: '1' } });
    await once('', { params: { fail: '1' } });
    const stream = new StreamClient(client);
    await stream.create(names('tts'));
    await eventually(() => tts.runtime.streams.length).toBe(1);
    tts.runtime.streams[0]?.fail(new AigesError('readFailed'));
    await stream.poll();
    await stream.poll();
    await callXsf(client, onceRequest(Buffer.from([0x0f])));
    expect(errors).toEqual([
      { code: 10909, service: 'tts', op: 'AIIn' },
      { code: 10909, service: 'asr', op: 'AIIn' },
      { code: 10908, service: 'tts', op: 'AIOut' },
      { code: 10101, service: null, op: 'AIOut' },
      { code: 10401, service: null, op: 'AIIn' },
    ]);
  });
});
