import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DeliveryConfig } from '../../src/config/config.js';
import { createHost } from '../../src/host.js';
import { createLogger, type Logger } from '../../src/observability/logger.js';
import { counters } from '../../src/runtimes/native/index.js';
import { eventually } from '../fixtures/eventually.js';
import { Broker, brokerInstalled, type BrokerSession, password, user } from '../fixtures/broker.js';
import { closedPort } from '../fixtures/closed-port.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type HostChanges, type RunningHost, startHost, testConfig } from '../fixtures/host.js';
import {
  decodeOutput,
  type InputShape,
  type OutputShape,
  type RequestShape,
  type Strings,
} from '../fixtures/protocol.js';
import { Relay } from '../fixtures/relay.js';
import { callXsf, onceInput, onceRequest, StreamClient, type XsfAnswer } from '../fixtures/xsf-client.js';

/** Starting a server takes its time, and more of it on a busy machine. */
const patience = 240_000;

interface Posted {
  readonly reqParam: Strings;
  readonly output: OutputShape;
  readonly texts: readonly string[];
}

describe.skipIf(!brokerInstalled)('asynchronous delivery through RabbitMQ', () => {
  let broker: Broker;
  let consumer: BrokerSession | null = null;
  let loader: RunningHost | null = null;
  let queue = '';
  let counter = 0;

  beforeAll(async () => {
    broker = await Broker.create();
    await broker.start();
  }, patience);

  afterAll(() => broker.remove(), patience);

  beforeEach(() => {
    counter++;
    queue = `results-${counter}`;
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await consumer?.close();
    consumer = null;
    await loader?.stop();
    loader = null;
  }, patience);

  function delivery(changes: Partial<DeliveryConfig> = {}): DeliveryConfig {
    return {
      url: broker.url,
      user,
      password,
      queue,
      attempts: 3,
      waiting: 10_000,
      waitingBytes: 256 << 20,
      taskStatusUrl: null,
      ...changes,
    };
  }

  async function start(changes: HostChanges = {}): Promise<RunningHost> {
    loader = await startHost({
      delivery: delivery(),
      ...changes,
      // A busy server may take its time to take what is left for it at the end.
      limits: { drainTimeoutMs: 120_000, ...changes.limits },
      plugin: { path: fixtureEngine('scripted'), ...changes.plugin },
    });
    return loader;
  }

  /** Takes what a consumer of the original would, and as it would. */
  async function take(): Promise<Posted> {
    consumer ??= await broker.session();
    return read(await consumer.take(queue));
  }

  /** How many messages are left once everything has been delivered. */
  async function left(): Promise<number> {
    await loader?.stop();
    loader = null;
    consumer ??= await broker.session();
    return consumer.count(queue);
  }

  describe('at the start', () => {
    async function failure(changes: Partial<DeliveryConfig>): Promise<Error> {
      const config = testConfig({ delivery: delivery(changes), plugin: { path: fixtureEngine('scripted') } });
      return createHost(config, { log: createLogger('silent') })
        .start()
        .then(
          () => expect.fail('the loader has started'),
          (error: unknown) => error as Error,
        );
    }

    it('names the key when nobody listens there', async () => {
      const port = await closedPort();
      const error = await failure({ url: `amqp://127.0.0.1:${port}` });
      expect(error).toMatchObject({ kind: 'initFailed' });
      expect(error.message).toBe(
        `[downAsync].rabHost: no delivery through 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      );
    });

    it('names the keys when the password is wrong, and does not say it', async () => {
      const error = await failure({ password: 'not-the-pass' });
      expect(error.message).toContain('[downAsync].rabUser, rabPass: the server refuses "aiges": ACCESS_REFUSED');
      expect(inspectable(error)).not.toContain('not-the-pass');
    });

    it('names the key when there is no such virtual host', async () => {
      const error = await failure({ url: `${broker.url}/nowhere` });
      expect(error.message).toMatch(/^\[downAsync\]\.rabHost: the server refuses the virtual host .*\/nowhere: /);
      expect(inspectable(error)).not.toContain(password);
    });

    it('names the key when the queue exists with other properties', async () => {
      consumer = await broker.session();
      await consumer.channel.assertQueue(queue, { durable: false });
      const error = await failure({});
      expect(error.message).toMatch(
        /^\[downAsync\]\.rabQueue: "results-\d+" exists with other properties than durable, .*PRECONDITION_FAILED.*'durable'/,
      );
    });

    it('names the key when the name of the queue is reserved', async () => {
      const error = await failure({ queue: 'amq.results' });
      expect(error.message).toMatch(/^\[downAsync\]\.rabQueue: "amq\.results" cannot be declared: ACCESS_REFUSED/);
    });
  });

  describe.each([
    ['a blocking engine', false],
    ['an asynchronous engine', true],
  ])('of %s', (_name, asyncMode) => {
    const plugin = { asyncMode };

    it('delivers what the engine failed with', async () => {
      const { client } = await start({ plugin });
      const answer = await callXsf(client, once({ params: { do: 'fail', code: '7' } }));
      expect(answer.output).toMatchObject({ serviceId: 'svc', code: 0, status: 0, pl: [] });
      const { output, reqParam } = await take();
      expect(output).toMatchObject({ serviceId: '', code: asyncMode ? 10910 : 10909, status: 2, pl: [] });
      expect(output.err).toMatch(/;code=7$/);
      expect(reqParam).toMatchObject({ do: 'fail', code: '7' });
      expect(await left()).toBe(0);
    });

    it('delivers what a synchronous request would have been answered', async () => {
      const { client } = await start({ plugin });
      const input: InputShape = { params: { do: 'reply', text: 'grüß dich' } };
      const synchronous = await callXsf(client, onceRequest(onceInput(input)));
      const answer = await callXsf(client, once(input));
      expect(answer.output).toEqual({ serviceId: 'svc', code: 0, err: '', status: 0, pl: [] });
      const { output, texts, reqParam } = await take();
      expect(texts).toEqual(['grüß dich']);
      expect(output).toEqual(synchronous.output);
      expect(reqParam).toEqual({ do: 'reply', text: 'grüß dich', sid: 'async-sid' });
      await released(client, answer);
      expect(await left()).toBe(0);
    });

    it('delivers the results of a stream in order, and takes its input without answers', async () => {
      const { client } = await start({ plugin });
      const stream = new StreamClient(client);
      await stream.create(streamInput());
      const answers: XsfAnswer[] = [];
      for (let number = 1; number <= 20; number++) {
        answers.push(await stream.write(number, `packet ${number}`, number === 20 ? 2 : 1));
        if (number === 10) answers.push(await stream.poll());
      }
      // Nobody waits for anything: a poll of 20 s would have shown.
      for (const { output } of answers) expect(output).toMatchObject({ code: 0, status: 0, pl: [] });
      for (let number = 1; number <= 20; number++) {
        const { output, texts, reqParam } = await take();
        expect(texts).toEqual([`packet ${number}`]);
        expect(output).toMatchObject({ serviceId: 'svc', code: 0, status: number === 20 ? 2 : 1 });
        expect(output.pl[0]?.meta.attribute).toMatchObject({ seq: String(number), encoding: 'utf8' });
        expect(reqParam).toEqual({ read: 'echo', sid: 'async-sid' });
      }
      expect((await stream.poll()).output).toMatchObject({ code: 10101 });
      expect(await left()).toBe(0);
    });

    it('delivers 500 results under load, each exactly once', async () => {
      const lanes = 8;
      const { client } = await start({ plugin, service: { maxConcurrent: lanes } });
      const send = async (number: number): Promise<void> => {
        const request = once({ params: { do: 'reply', text: String(number) } });
        for (;;) {
          const { output } = await callXsf(client, request);
          if (output?.code === 0) return;
          // The places are taken by requests that were answered long ago.
          expect(output).toMatchObject({ code: 10110 });
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      };
      const work = Array.from({ length: lanes }, async (_, lane) => {
        for (let number = lane; number < 500; number += lanes) await send(number);
      });
      const seen: number[] = [];
      while (seen.length < 500) seen.push(Number((await take()).texts[0]));
      await Promise.all(work);
      expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, number) => number));
      expect(await left()).toBe(0);
    });
  });

  it('refuses a request without a licence at once, and delivers nothing for it', async () => {
    const gate = new FileGate();
    const { client } = await start({ service: { maxConcurrent: 1 } });
    await callXsf(client, once({ params: gate.params }));
    await gate.entered();
    const refused = await callXsf(client, once());
    expect(refused.response).toMatchObject({ code: 10110, error_info: 'service license not enough' });
    gate.open();
    expect((await take()).texts).toEqual(['ok']);
    gate.remove();
    expect(await left()).toBe(0);
  });

  it('delivers that a stream had nobody to go on with it', async () => {
    const streams = { ttlMs: 3_600_000, rollMs: 20, realTime: true, gapMs: 5_000, maxPackets: 1000 };
    const { client } = await start({ service: { streams } });
    const stream = new StreamClient(client);
    await stream.create(streamInput());
    await stream.write(1, 'and then nothing');
    expect((await take()).texts).toEqual(['and then nothing']);
    const later = performance.now() + 2 * streams.ttlMs;
    vi.spyOn(performance, 'now').mockImplementation(() => later);
    expect((await take()).output).toMatchObject({ code: 10008, status: 2, pl: [] });
    expect((await stream.poll()).output).toMatchObject({ code: 10008 });
    expect(await left()).toBe(0);
  });

  it('gives up a message that the server does not take, and delivers the others', async () => {
    const lines: LogLine[] = [];
    const { client } = await start({ log: logTo(lines), grpc: { maxReceiveBytes: 8 << 20 } });
    await callXsf(client, once({ params: { do: 'fill', bytes: '3000000' } }));
    for (const text of ['a', 'b', 'c']) await callXsf(client, once({ params: { do: 'reply', text } }));
    const seen = new Set<string>();
    while (seen.size < 3) seen.add((await take()).texts[0] ?? '');
    expect([...seen].sort()).toEqual(['a', 'b', 'c']);
    await eventually(() => lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(lines.find(({ level }) => level === 'error')).toMatchObject({ sid: 'async-sid', code: 0, failed: 1 });
    expect(lines.find(({ level }) => level === 'error')?.reason).toContain('larger than configured max size');
    // Those that went ahead of it, and were not confirmed yet when it ended the channel, have gone twice.
    for (let twice = await left(); twice > 0; twice--) expect(seen).toContain((await take()).texts[0]);
  });

  it('sends a message again, however few attempts a refused one has, when the connection breaks', async () => {
    const lines: LogLine[] = [];
    const relay = await Relay.to(broker.port);
    try {
      const url = broker.url.replace(String(broker.port), String(relay.port));
      const { client } = await start({ log: logTo(lines), delivery: delivery({ url, attempts: 1 }) });
      consumer = await broker.session();
      // The server takes the message, and its word for that never arrives.
      relay.deafen();
      await callXsf(client, once({ params: { do: 'reply', text: 'twice' } }));
      expect((await take()).texts).toEqual(['twice']);
      relay.drop();
      expect((await take()).texts).toEqual(['twice']);
      expect(await left()).toBe(0);
      expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
    } finally {
      await relay.cut();
    }
  });

  it('delivers into a queue that was deleted, by declaring it again', async () => {
    const { client } = await start();
    consumer = await broker.session();
    await consumer.channel.deleteQueue(queue);
    await callXsf(client, once({ params: { do: 'reply', text: 'kept' } }));
    // When the loader has ended, the queue is there: what it had accepted has been delivered.
    await loader?.stop();
    loader = null;
    expect((await take()).texts).toEqual(['kept']);
  });

  it('waits for what is running and for its delivery when the loader stops', async () => {
    const gate = new FileGate();
    const { client } = await start();
    await callXsf(client, once({ params: gate.params }));
    await gate.entered();
    broker.freeze();
    let stopped = false;
    const stopping = loader?.stop().then((drained) => {
      stopped = true;
      return drained;
    });
    loader = null;
    gate.open();
    // Long enough for a loader that does not wait.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(stopped).toBe(false);
    broker.thaw();
    expect(await stopping).toEqual({ stuck: 0, ended: true });
    gate.remove();
    consumer = await broker.session();
    expect(await consumer.count(queue)).toBe(1);
    expect((await take()).texts).toEqual(['ok']);
  });

  it('keeps the status of a task, whose result it holds as well', async () => {
    const updates: Record<string, unknown>[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        if (request.method === 'PUT') updates.push(JSON.parse(body) as Record<string, unknown>);
        response.end(JSON.stringify({ code: 0, data: [{ task_id: 'task 7', task_status: '1' }] }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { client, started } = await start({
      delivery: delivery({ taskStatusUrl: `http://127.0.0.1:${port}/nrt` }),
    });
    const headers = { sid: 'async-sid', downMethod: 'async', task_id: 'task 7' };
    await callXsf(client, once({ headers, params: { do: 'reply', text: 'done' } }));
    const { output } = await take();
    expect(await left()).toBe(0);
    server.close();
    const node = `127.0.0.1:${started.grpc.port}`;
    expect(updates).toMatchObject([
      { task_id: 'task 7', engine_node: node, prev_task_status: '1', task_status: '2', resp_result: '' },
      { task_id: 'task 7', engine_node: node, prev_task_status: '2', task_status: '3' },
    ]);
    expect(decodeOutput(Buffer.from(String(updates[1]?.['resp_result']), 'base64'))).toEqual(output);
  });

  it(
    'keeps results while the server is away, and delivers them in order once it is back',
    async () => {
      const lines: LogLine[] = [];
      // The server may be away for longer than streams are kept by default.
      const streams = { ttlMs: patience, rollMs: 5000, realTime: true, gapMs: 5000, maxPackets: 1000 };
      const { client } = await start({ log: logTo(lines), service: { streams } });
      const stream = new StreamClient(client);
      await stream.create(streamInput());
      await stream.write(1, 'before');
      expect((await take()).texts).toEqual(['before']);
      await consumer?.close();
      consumer = null;
      await broker.stop('SIGTERM');
      for (let number = 2; number <= 10; number++) {
        expect((await stream.write(number, `during ${number}`)).output).toMatchObject({ code: 0 });
      }
      await broker.start();
      await stream.write(11, 'after', 2);
      for (let number = 2; number <= 10; number++) expect((await take()).texts).toEqual([`during ${number}`]);
      const last = await take();
      expect(last.texts).toEqual(['after']);
      expect(last.output).toMatchObject({ status: 2 });
      expect(await left()).toBe(0);
      expect(lines.some(({ level, msg }) => level === 'warn' && msg.startsWith('[downAsync].rabHost:'))).toBe(true);
      expect(JSON.stringify(lines)).not.toContain(password);
    },
    patience,
  );

  it(
    'survives a server that dies: what was confirmed is there, what was not is sent again',
    async () => {
      const { client } = await start();
      await callXsf(client, once({ params: { do: 'reply', text: 'first' } }));
      consumer = await broker.session();
      while ((await consumer.count(queue)) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await consumer.close();
      consumer = null;
      await broker.stop('SIGKILL');
      await callXsf(client, once({ params: { do: 'reply', text: 'second' } }));
      await broker.start();
      const seen = new Set<string>();
      while (!seen.has('second')) seen.add((await take()).texts[0] ?? '');
      expect([...seen]).toContain('second');
      expect(await left()).toBe(0);
    },
    patience,
  );

  it(
    'says which results were not delivered when the server is gone for good',
    async () => {
      const lines: LogLine[] = [];
      const { client } = await start({ log: logTo(lines), limits: { drainTimeoutMs: 500 } });
      await broker.stop('SIGKILL');
      const answer = await callXsf(client, once({ params: { do: 'reply', text: 'lost' } }));
      // The engine is done with it, and the result waits.
      await eventually(counters).toMatchObject({ jobsQueued: 0, jobsRunning: 0, outputsAlive: 0 });
      const stopped = loader?.stop();
      loader = null;
      expect(await stopped).toEqual({ stuck: 0, ended: true });
      const errors = lines.filter(({ level }) => level === 'error');
      expect(errors).toMatchObject([
        { handle: answer.response?.s.h, sid: 'async-sid', code: 0, msg: 'a result was not delivered' },
      ]);
      expect(JSON.stringify(lines)).not.toContain(password);
      await broker.start();
    },
    patience,
  );

  it(
    'refuses new requests while as many results wait as may, and takes them again afterwards',
    async () => {
      const { client } = await start({ delivery: delivery({ waiting: 2 }) });
      await broker.stop('SIGKILL');
      await callXsf(client, once({ params: { do: 'reply', text: 'one' } }));
      await callXsf(client, once({ params: { do: 'reply', text: 'two' } }));
      await eventually(async () => (await callXsf(client, once())).response?.error_info).toBe(
        'service license not enough: too many results wait for delivery',
      );
      // Whoever waits for an answer is not concerned.
      expect((await callXsf(client, onceRequest())).output).toMatchObject({ code: 0 });
      await broker.start();
      const seen = new Set<string>();
      while (!seen.has('two')) seen.add((await take()).texts[0] ?? '');
      expect(seen.has('one')).toBe(true);
      // The server's word for what it has taken comes after the consumer has it.
      await eventually(async () => (await callXsf(client, once())).output).toMatchObject({ code: 0 });
    },
    patience,
  );

  function once(changes: InputShape = {}): RequestShape {
    const headers = { sid: 'async-sid', status: '3', downMethod: 'async' };
    return onceRequest(onceInput({ headers, ...changes }), { param: { SeqNo: '1', waitTime: '0' } });
  }

  function streamInput(): InputShape {
    return { headers: { sid: 'async-sid', downMethod: 'async' }, params: { read: 'echo' } };
  }

  async function released(client: RunningHost['client'], answer: XsfAnswer): Promise<void> {
    const later = await callXsf(client, { op: 'AIOut', s: { h: answer.response?.s.h ?? '' }, param: {} });
    expect(later.output).toMatchObject({ code: 10101 });
  }
});

interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly reason?: string;
}

function logTo(lines: LogLine[]): Logger {
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as LogLine);
      done();
    },
  });
  return pino({ formatters: { level: (level) => ({ level }) } }, sink);
}

function read(body: Buffer): Posted {
  const message = JSON.parse(body.toString()) as Record<string, unknown>;
  expect(message).toEqual({
    reqParam: expect.any(Object) as unknown,
    data: expect.any(String) as unknown,
    spanMeta: '',
    sid: '',
    ret: 0,
    errDesc: '',
  });
  const output = decodeOutput(Buffer.from(message['data'] as string, 'base64'));
  const texts = output.pl.map(({ data }) => Buffer.from(data).toString());
  return { reqParam: message['reqParam'] as Strings, output, texts };
}

/** Everything that a log could make of an error. */
function inspectable(error: Error): string {
  return JSON.stringify([error.message, error.stack, String(error.cause), Object.entries(error)]);
}
