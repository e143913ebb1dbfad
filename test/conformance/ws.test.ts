import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CallRecord } from '../fixtures/call-record.js';
import { eventually } from '../fixtures/eventually.js';
import { FileGate } from '../fixtures/file-gate.js';
import { type HostChanges, type RunningHost, startHost } from '../fixtures/host.js';
import { expectNothingLeft } from '../fixtures/loader.js';
import { pluginNames, type PluginName, pluginOf } from '../fixtures/plugins.js';
import { RawWs, rawFrame, textOf, WsClient, type WsFrame } from '../fixtures/ws-client.js';

/** Every fact of loader-protocol §6, of §5.1 about /ping, and of vector 14. A row without a case fails the suite. */
const rows = {
  '5.1 ping': '/ping echoes, and answers ping with pong; a plain GET got 400',
  '6.1 upgrade': 'GET with an upgrade at the route of the service',
  '6.1 origin': 'any Origin is accepted',
  '6.1 limits': 'no subprotocol, no compression, no limit of size',
  '6.1 session': 'one connection is one session of the plugin',
  '6.1 sid': 'the form of the sid',
  '6.2 json': 'the JSON of HTTP, in text or binary frames',
  '6.2 order': 'frames are packets 1 to n; all of them are taken',
  '6.2 first': 'header, parameter and outputs of the first frame only',
  '6.2 end': 'input ends by status 2 of each payload; header.status means nothing',
  '6.2 empty': 'an empty payload frame is legal',
  '6.3 success': 'header with code 0, message success, sid, status; payload left out when there is none',
  '6.3 acknowledgement': 'the first request is acknowledged; later ones without results are not answered',
  '6.3 base64': 'data is base64, text too',
  '6.3 json': 'format json and valid JSON: embedded',
  '6.3 attributes': 'strings where no schema says otherwise',
  '6.3 error': 'header with code, message, sid, status 0; then close 1000 with the text as reason',
  '6.3 reason': 'a reason beyond 123 bytes broke the close frame',
  '6.3 10101': 'code 10101 was suppressed',
  '6.3 10163': 'no JSON',
  '6.3 10001': 'base64 and other conversions',
  '6.3 10114': 'the session takes too long',
  '6.3 loader errors': 'codes of the loader were not reported',
  '6.4 push': 'results came with a poll every 50 ms, and not at all without realTimeRlt',
  '6.4 readTimeout': 'an idle client is disconnected, also one that waits for its result',
  '6.4 sessionTimeout': 'checked only when a frame came',
  '6.4 close': 'closed by the server after ONCE only',
  '6.4 abort': 'a lost connection did not reach the plugin',
  'vector 14': 'acknowledgement, base64, embedded JSON, 10163 and 1000',
} as const;

type Row = keyof typeof rows;

/** A loader, and how its plugin likes to be spoken to. */
interface Served {
  readonly url: string;
  readonly port: number;
  /** Name of its input of text. */
  readonly input: string;
  /** What the plugin makes of a text. */
  readonly answer: (text: string) => string;
  /** The first frame of a session, with these parameters for the plugin. */
  readonly first: (params?: object) => object;
  /** The same loader with another configuration, which ends with the case. */
  readonly with: (changes: HostChanges) => Promise<Served>;
}

interface Case {
  readonly name: string;
  readonly covers: readonly Row[];
  /** Where we answer otherwise than the original did, and why. */
  readonly deviation?: string;
  /** Which plugins it is about; all when absent. */
  readonly plugins?: readonly PluginName[];
  readonly run: (served: Served) => Promise<void>;
}

const engines = ['blocking', 'asynchronous'] as const;

/** The frame that ends a connection, and how it ended. */
async function lastOf(client: WsClient): Promise<{ frame: WsFrame | undefined; code: number; reason: string }> {
  const frames = await client.rest();
  return { frame: frames.at(-1), ...(await client.ended) };
}

const cases: readonly Case[] = [
  {
    name: 'a stream from its first frame to its last',
    covers: ['6.1 upgrade', '6.1 session', '6.2 order', '6.3 success', '6.3 base64', '6.3 attributes', '6.4 close'],
    deviation: 'the connection is closed with 1000 after END too; clients had to close it',
    run: async ({ url, input, first, answer }) => {
      const client = await WsClient.connect(url);
      client.send(first());
      const texts = ['eins', 'zwei', 'drei', 'vier'];
      for (const [index, text] of texts.entries()) client.sendText(input, text, index < texts.length - 1 ? 1 : 2);
      const [ack, ...results] = await client.rest();
      const sid = ack?.header.sid;
      expect(ack).toEqual({ header: { code: 0, message: 'success', sid, status: 0 } });
      // A wrapper may end with an output of nothing.
      const given = results.filter((frame) => textOf(frame) !== '');
      expect(given.map((frame) => textOf(frame))).toEqual(texts.map(answer));
      expect(given.map(({ payload }) => payload?.['result']?.['seq'])).toEqual(['1', '2', '3', '4']);
      expect(results.every(({ header }) => header.sid === sid && header.message === 'success')).toBe(true);
      expect(results.at(-1)?.header.status).toBe(2);
      expect(results.slice(0, -1).every(({ header }) => header.status < 2)).toBe(true);
      expect(await client.ended).toEqual({ code: 1000, reason: '' });
    },
  },
  {
    name: 'JSON in binary frames, and a first frame with data',
    covers: ['6.2 json'],
    run: async ({ url, input, first, answer }) => {
      const client = await WsClient.connect(url);
      const payload = { [input]: { text: Buffer.from('ganz').toString('base64'), status: 2 } };
      client.socket.send(Buffer.from(JSON.stringify({ ...first(), payload })));
      const [ack, result] = await client.rest();
      expect(ack?.header.status).toBe(0);
      expect(result === undefined ? null : textOf(result)).toBe(answer('ganz'));
    },
  },
  {
    name: 'parameters and outputs of the first frame hold for all of them',
    covers: ['6.2 first'],
    plugins: engines,
    run: async ({ url, first, input }) => {
      const client = await WsClient.connect(url);
      const wanted = { result: { encoding: 'utf8', data_type: 'text' } };
      client.send({ parameter: { svc: { read: 'count', ...wanted } } });
      const other = { parameter: { svc: { read: 'echo', nothing: {} } } };
      client.send({ ...first(), ...other, payload: { [input]: { text: 'eA==', status: 1 } } });
      client.send({ ...other, payload: { [input]: { text: 'eA==', status: 2 } } });
      const frames = await client.rest();
      expect(frames.slice(1).map((frame) => [textOf(frame), frame.payload?.['result']?.['encoding']])).toEqual([
        ['1', 'utf8'],
        ['2', 'utf8'],
      ]);
    },
  },
  {
    name: 'header.status ends nothing; the status of the payload does',
    covers: ['6.2 end', '6.2 empty', '6.3 acknowledgement'],
    run: async ({ url, first, input, answer }) => {
      const client = await WsClient.connect(url);
      client.send({ ...first(), header: { status: 2 }, payload: {} });
      client.send({ header: { status: 2 }, payload: {} });
      client.send({});
      expect((await client.next()).header.status).toBe(0);
      client.sendText(input, 'a', 1);
      // The answer to the only frame so far that has one.
      expect(textOf(await client.next())).toBe(answer('a'));
      client.sendText(input, 'b', 2);
      expect((await client.rest()).map((frame) => textOf(frame)).filter((text) => text !== '')).toEqual([answer('b')]);
    },
  },
  {
    name: 'the sid has the form that tools take apart, and is new for each connection',
    covers: ['6.1 sid'],
    deviation: 'a port with one digit and an address that is not IPv4 are no reason to fail',
    run: async ({ url, port, first }) => {
      const sids = new Set<string>();
      for (let i = 0; i < 3; i++) {
        const client = await WsClient.connect(url);
        client.send({ ...first(), header: { sid: 'mine' } });
        sids.add((await client.next()).header.sid);
        client.socket.terminate();
      }
      expect(sids.size).toBe(3);
      const pid = (process.pid & 0xff).toString(16).padStart(4, '0');
      for (const sid of sids) {
        expect(sid).toMatch(new RegExp(`^ase${pid}[\\da-f]{4}@local[\\da-f]{11}0001${String(port).slice(0, 2)}2$`));
      }
    },
  },
  {
    name: 'pages from anywhere may connect, unless some are listed',
    covers: ['6.1 origin'],
    run: async (served) => {
      const origin = { origin: 'https://elsewhere.example.com' };
      expect(await shake(served, origin)).toMatch(/^HTTP\/1.1 101 /);
      const guarded = await served.with({ ws: { origins: ['https://app.example.com'] } });
      expect(await shake(guarded, origin)).toMatch(/^HTTP\/1.1 403 /);
    },
  },
  {
    name: 'nothing is negotiated but our own extension, and frames have a limit',
    covers: ['6.1 limits'],
    deviation: 'frames beyond [ws].maxFrame end the connection with 1009; the subprotocol aiges.binary is new',
    run: async (served) => {
      const head = await shake(served, {
        'sec-websocket-protocol': 'chat',
        'sec-websocket-extensions': 'permessage-deflate',
      });
      expect(head).toMatch(/^HTTP\/1.1 101 /);
      expect(head).not.toMatch(/sec-websocket-(protocol|extensions)/i);
      const limited = await served.with({ ws: { maxFrame: 1000 } });
      const client = await WsClient.connect(limited.url);
      client.socket.send('x'.repeat(1001));
      expect((await client.ended).code).toBe(1009);
    },
  },
  {
    name: 'an output whose format is json stands there as JSON',
    covers: ['6.3 json'],
    plugins: engines,
    run: async ({ url, input }) => {
      const client = await WsClient.connect(url);
      client.send({ parameter: { svc: { result: { format: 'json' } } } });
      await client.next();
      for (const text of ['{"digit": 7.0}', '{"digit"']) {
        client.sendText(input, text, 1);
        await client.next();
      }
      const raw = client.messages.slice(1).map(({ data }) => data.toString());
      expect(raw[0]).toContain('"text":{"digit": 7.0}');
      expect(raw[1]).toContain(`"text":"${Buffer.from('{"digit"').toString('base64')}"`);
      client.socket.terminate();
    },
  },
  {
    name: 'no JSON: 10163, then close 1000 with the same text',
    covers: ['6.3 error', '6.3 10163'],
    run: async ({ url }) => {
      const client = await WsClient.connect(url);
      client.socket.send('{');
      const { frame, code, reason } = await lastOf(client);
      expect(Object.keys(frame ?? {})).toEqual(['header']);
      expect(Object.keys(frame?.header ?? {})).toEqual(['code', 'message', 'sid', 'status']);
      expect(frame?.header).toMatchObject({ code: 10163, status: 0 });
      expect(frame?.header.message).toMatch(/^parse request json error/);
      expect(code).toBe(1000);
      expect(frame?.header.message.startsWith(reason)).toBe(true);
    },
  },
  {
    name: 'no base64: 10001, in the first frame and later',
    covers: ['6.3 10001'],
    run: async ({ url, first, input }) => {
      for (const begin of [false, true]) {
        const client = await WsClient.connect(url);
        if (begin) client.send(first());
        client.send({ ...first(), payload: { [input]: { text: '###' } } });
        const { frame, code } = await lastOf(client);
        expect(frame?.header.code).toBe(10001);
        expect(code).toBe(1000);
      }
    },
  },
  {
    name: 'a reason that is too long is cut, and the whole text is in the error frame',
    covers: ['6.3 reason'],
    deviation: 'the close frame arrives; clients of the original saw 1006',
    run: async ({ url, first, input }) => {
      const client = await WsClient.connect(url);
      client.send({ ...first(), payload: { ['ü'.repeat(200) + input]: 7 } });
      const { frame, code, reason } = await lastOf(client);
      expect(code).toBe(1000);
      expect(Buffer.byteLength(reason)).toBeGreaterThan(119);
      expect(frame?.header.message.startsWith(reason)).toBe(true);
      expect(frame?.header.message).toContain('ü'.repeat(200));
    },
  },
  {
    name: 'failures of the engine are told with their code and text',
    covers: ['6.3 loader errors', '6.3 10101'],
    deviation: 'the original looked at no code of the loader, and kept 10101 to itself',
    plugins: engines,
    run: async ({ url, input }) => {
      const failures = [
        [{ create: 'fail', code: 11 }, 10905, /;code=11$/],
        [{ write: 'fail', code: 12 }, 10907, /;code=12$/],
      ] as const;
      for (const [params, code, text] of failures) {
        const client = await WsClient.connect(url);
        client.send({ parameter: { svc: params } });
        client.sendText(input, 'x', 2);
        const { frame, ...end } = await lastOf(client);
        expect(frame?.header.code).toBe(code);
        expect(frame?.header.message).toMatch(text);
        expect(end.code).toBe(1000);
      }
    },
  },
  {
    name: 'failures of a wrapper are told with their code and text',
    covers: ['6.3 loader errors'],
    plugins: ['wrapper'],
    run: async ({ url, input, first }) => {
      const client = await WsClient.connect(url);
      client.send(first());
      client.sendText(input, 'throw', 1);
      const { frame, code } = await lastOf(client);
      expect(frame?.header.message).toBe('eight;code=8');
      expect(code).toBe(1000);
    },
  },
  {
    name: 'no licence: 10110 and 1013, and there is one as soon as the other session has ended',
    covers: ['6.3 loader errors'],
    deviation: 'the original acknowledged a session that it did not have',
    run: async (served) => {
      const { url, first, input } = await served.with({ service: { maxConcurrent: 1 } });
      const running = await WsClient.connect(url);
      running.send(first());
      await running.next();
      const refused = await WsClient.connect(url);
      refused.send(first());
      const { frame, code } = await lastOf(refused);
      expect(frame).toEqual({
        header: { code: 10110, message: 'service license not enough', sid: frame?.header.sid, status: 0 },
      });
      expect(code).toBe(1013);
      running.sendText(input, 'x', 2);
      await running.ended;
      const next = await WsClient.connect(url);
      next.send(first());
      expect((await next.next()).header.code).toBe(0);
      next.socket.terminate();
    },
  },
  {
    name: 'results come when they are there, all of them and in order',
    covers: ['6.4 push'],
    deviation: 'no poll: a result takes no 50 ms, and none is lost to a second consumer',
    plugins: engines,
    run: async ({ url, input }) => {
      const client = await WsClient.connect(url);
      client.send({ parameter: { svc: { read: 'count', results: 500 } } });
      client.sendText(input, 'x', 2);
      const frames = await client.rest();
      expect(frames.slice(1).map(({ payload }) => payload?.['result']?.['seq'])).toEqual(
        Array.from({ length: 500 }, (_, index) => String(index + 1)),
      );
    },
  },
  {
    name: 'results come without realTimeRlt too, once the input has ended',
    covers: ['6.4 push'],
    deviation: 'the original never pushed them',
    plugins: engines,
    run: async (served) => {
      const streams = { ttlMs: 15_000, rollMs: 5_000, realTime: false, gapMs: 5_000, maxPackets: 1000 };
      const { url, input } = await served.with({ service: { streams } });
      const client = await WsClient.connect(url);
      client.send({});
      for (const status of [0, 1, 2]) client.sendText(input, String(status), status);
      expect((await client.rest()).slice(1).map((frame) => textOf(frame))).toEqual(['0', '1', '2']);
    },
  },
  {
    name: 'an idle client is told; one that waits for its result is not disturbed',
    covers: ['6.4 readTimeout', '6.3 10114'],
    deviation: 'an error frame and 1008, and only while the client is the one to go on',
    plugins: engines,
    run: async (served) => {
      const { url, first, input } = await served.with({ ws: { idleTimeoutMs: 5000 } });
      const gate = new FileGate();
      const waiting = await WsClient.connect(url);
      waiting.send({ parameter: { svc: { write: 'waitFile', file: gate.file } } });
      waiting.sendText(input, 'x', 2);
      await gate.entered();
      // Who has come later has been idle for no longer.
      const idle = await WsClient.connect(url);
      idle.send(first());
      expect(await lastOf(idle)).toMatchObject({
        frame: { header: { code: 10114, message: 'time out' } },
        code: 1008,
        reason: 'time out',
      });
      gate.open();
      expect((await waiting.rest()).map((frame) => frame.header.status)).toEqual([0, 2]);
      gate.remove();
    },
  },
  {
    name: 'a session that takes too long is ended, whatever its client does',
    covers: ['6.4 sessionTimeout', '6.3 10114'],
    deviation: 'on time, and with 1008; it was looked at only when a frame came',
    run: async (served) => {
      const { url, first } = await served.with({ ws: { sessionTimeoutMs: 300 } });
      const client = await WsClient.connect(url);
      client.send(first());
      expect(await lastOf(client)).toMatchObject({
        frame: { header: { code: 10114, message: 'session timeout', status: 0 } },
        code: 1008,
        reason: 'session timeout',
      });
    },
  },
  {
    name: 'a client that is lost ends its session in the engine, once',
    covers: ['6.4 abort'],
    deviation: 'the session of the original lived on until its ttl',
    plugins: engines,
    run: async ({ url, port }) => {
      const record = new CallRecord();
      const client = new RawWs(port);
      client.shake(new URL(url).pathname);
      const document = { parameter: { svc: record.params }, payload: { input: { text: 'eA==', status: 0 } } };
      client.write(rawFrame({ opcode: 1, data: JSON.stringify(document) }));
      await eventually(() => client.frames.length).toBeGreaterThanOrEqual(2);
      client.reset();
      await eventually(() => record.calls).toContain('destroy');
      expect(record.calls.filter((name) => name === 'destroy')).toHaveLength(1);
      record.remove();
    },
  },
  {
    name: '/ping',
    covers: ['5.1 ping'],
    deviation: 'a plain GET is answered with 426 and what to do',
    run: async ({ url, port }) => {
      const client = await WsClient.connect(new URL('/ping', url).href);
      for (const text of ['ping', 'hello']) client.socket.send(text);
      await eventually(() => client.messages.map(({ data }) => data.toString())).toEqual(['pong', 'hello']);
      client.socket.close();
      expect((await fetch(`http://127.0.0.1:${port}/ping`)).status).toBe(426);
    },
  },
  {
    name: 'vector 14',
    covers: ['vector 14'],
    plugins: engines,
    run: async ({ url, input }) => {
      const client = await WsClient.connect(url);
      client.sendText(input, '{"a":1}', 1);
      expect(await client.next()).toMatchObject({ header: { code: 0, status: 0 } });
      expect((await client.next()).payload?.['result']?.['text']).toBe(Buffer.from('{"a":1}').toString('base64'));
      client.socket.send('no JSON');
      const { frame, code } = await lastOf(client);
      expect(frame?.header.code).toBe(10163);
      expect(code).toBe(1000);
      const json = await WsClient.connect(url);
      json.send({
        parameter: { svc: { result: { format: 'json' } } },
        payload: { [input]: { text: Buffer.from('{"a":1}').toString('base64'), status: 2 } },
      });
      const frames = await json.rest();
      expect(frames[1]?.payload?.['result']?.['text']).toEqual({ a: 1 });
    },
  },
];

/** The answer to a handshake with these headers. */
async function shake({ port, url }: Served, headers: Readonly<Record<string, string>>): Promise<string> {
  const client = new RawWs(port);
  client.shake(new URL(url).pathname, headers);
  await eventually(() => client.head).not.toBe('');
  client.reset();
  return client.head;
}

describe('the table', () => {
  it.each(Object.keys(rows))('has a case for %s', (row) => {
    expect(cases.flatMap(({ covers }) => covers)).toContain(row);
  });
});

describe.each(pluginNames)('WebSocket to a plugin: %s', (name) => {
  let host: RunningHost;
  let more: RunningHost[] = [];

  const served = ({ httpUrl, started }: RunningHost): Served => ({
    url: `${httpUrl}/v1/private/svc`,
    port: started.http?.port ?? 0,
    input: name === 'wrapper' ? 'text' : 'input',
    answer: (text) => (name === 'wrapper' ? text.toUpperCase() : text),
    first: (params = {}) => ({ parameter: { svc: { ...(name === 'wrapper' ? { do: 'stream' } : {}), ...params } } }),
    with: async (changes) => {
      const another = await startHost({ ...pluginOf(name, 'scripted'), ...changes });
      more.push(another);
      return served(another);
    },
  });

  beforeAll(async () => {
    host = await startHost({ ...pluginOf(name, 'scripted'), service: { maxConcurrent: 64 } });
  });
  afterEach(async () => {
    for (const each of more) expect(await each.stop()).toEqual({ stuck: 0, ended: true });
    more = [];
  });
  afterAll(async () => {
    expect(await host.stop()).toEqual({ stuck: 0, ended: true });
    await expectNothingLeft();
  });

  it.each(cases.filter(({ plugins }) => plugins === undefined || plugins.includes(name)))('$name', ({ run }) =>
    run(served(host)),
  );
});
