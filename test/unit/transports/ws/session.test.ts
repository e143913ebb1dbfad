import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType } from '../../../../src/core/frame.js';
import type { Endpoint } from '../../../../src/transports/json/endpoint.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeRuntime, FakeStream, gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { rawFrame, textOf } from '../../../fixtures/ws-client.js';
import { echoRuntime, rawText, openWs, type WsSetup } from '../../../fixtures/ws-server.js';

const acknowledged = { header: { code: 0, message: 'success', status: 0 } };

describe('a frame that is at fault', () => {
  const base64 = (data: string): unknown => ({ payload: { input: { text: data } } });
  it.each([
    ['is no JSON', '{', 10163, /^parse request json error: /],
    ['is no object', '[]', 10163, /^parse request json error: the body must be an object/],
    ['is empty', '', 10163, /^parse request json error: /],
    ['has a payload that is no object', '{"payload":{"input":7}}', 10163, /payload\.input must be an object/],
    ['has data that is no base64', JSON.stringify(base64('###')), 10001, /payload\.input\.text is not base64/],
    ['has a number for data', '{"payload":{"input":{"text":5}}}', 10001, /^not support type of payload/],
    ['asks for delivery through a queue', '{"header":{"downMethod":"async"}}', 10106, /^invalid downMethod/],
  ])('that %s ends the session with an error frame, and 1000', async (_what, text, code, message) => {
    for (const first of [true, false]) {
      const setup = await openWs({ runtime: echoRuntime() });
      const client = await setup.connect();
      if (!first) {
        if (code === 10106) break;
        client.send({});
        expect(await client.next()).toMatchObject(acknowledged);
      }
      client.socket.send(text);
      const error = await client.next();
      expect(error).toMatchObject({ header: { code, status: 0 } });
      expect(error.header.message).toMatch(message);
      expect(error).not.toHaveProperty('payload');
      const end = await client.ended;
      expect(end.code).toBe(1000);
      expect(error.header.message.startsWith(end.reason)).toBe(true);
      expect(setup.errors).toHaveLength(1);
    }
  });

  it('that names an input that the service does not have is refused', async () => {
    const runtime = echoRuntime();
    runtime.inputs = ['input'];
    const setup = await openWs({ runtime });
    const client = await setup.connect();
    client.sendText('inptu', 'x');
    expect(await client.next()).toMatchObject({ header: { code: 10009 } });
    expect(runtime.calls).toBe(0);
  });
});

describe('a failure', () => {
  it.each([
    ['of the plugin', new AigesError('writeFailed', { message: 'bad sound;code=7', pluginCode: 7 }), 10907, 1000],
    ['of a worker', new AigesError('pluginCrashed'), 10109, 1011],
    ['of the loader', new Error('a mistake'), 10002, 1011],
  ])('%s while it takes a packet is told, and the connection closed', async (_what, failure, code, closed) => {
    const runtime = new FakeRuntime();
    runtime.openStream = () => {
      const stream = new FakeStream(runtime);
      stream.onWrite = () => {
        throw failure;
      };
      return stream;
    };
    const setup = await openWs({ runtime });
    const client = await setup.connect();
    client.sendText('input', 'x');
    expect(await client.next()).toMatchObject(acknowledged);
    const error = await client.next();
    expect(error.header.code).toBe(code);
    expect(error.header.message).not.toContain('a mistake');
    expect((await client.ended).code).toBe(closed);
  });

  it('to open the stream comes after the acknowledgement', async () => {
    const runtime = new FakeRuntime();
    runtime.openStream = () => {
      throw new AigesError('createFailed', { message: 'no model;code=3' });
    };
    const setup = await openWs({ runtime });
    const client = await setup.connect();
    client.send({});
    expect(await client.next()).toMatchObject(acknowledged);
    expect(await client.next()).toMatchObject({ header: { code: 10905, message: 'no model;code=3' } });
    expect(await client.ended).toEqual({ code: 1000, reason: 'no model;code=3' });
  });

  it('after results comes behind them', async () => {
    const setup = await openWs();
    const client = await setup.connect();
    client.sendText('input', 'x');
    const stream = await setup.stream();
    stream.give('one');
    expect(await client.next()).toMatchObject(acknowledged);
    expect(textOf(await client.next())).toBe('one');
    stream.fail(new AigesError('readFailed', { message: 'broken;code=1' }));
    expect(await client.next()).toMatchObject({ header: { code: 10908 } });
  });

  it('of a plugin to give a last result is told as one', async () => {
    const setup = await openWs();
    const client = await setup.connect();
    client.sendText('input', 'x', 2);
    (await setup.stream()).end();
    const message = 'plugin read failed: the plugin ended the stream without a last result';
    expect((await client.rest()).at(-1)).toMatchObject({ header: { code: 10908, message } });
    expect(await client.ended).toEqual({ code: 1000, reason: message });
  });

  it('finds the licence free when it is told', async () => {
    const letGo = gate();
    const runtime = new FakeRuntime();
    runtime.openStream = () => {
      const stream = new FakeStream(runtime);
      const close = stream.close.bind(stream);
      stream.close = () => letGo.promise.then(close);
      return stream;
    };
    const setup = await openWs({ runtime, permits: 1 });
    const client = await setup.connect();
    client.send({});
    await client.next();
    (await setup.stream()).fail(new AigesError('readFailed'));
    await eventually(() => setup.errors.length).toBe(1);
    expect(setup.service.load.running).toBe(1);
    letGo.open();
    expect(await client.next()).toMatchObject({ header: { code: 10908 } });
    expect(setup.service.load.running).toBe(0);
  });

  it('for want of a licence closes with 1013 and without an acknowledgement', async () => {
    const setup = await openWs({ permits: 1 });
    const first = await setup.connect();
    first.send({});
    await first.next();
    const second = await setup.connect();
    second.send({});
    expect(await second.next()).toMatchObject({ header: { code: 10110, message: 'service license not enough' } });
    expect((await second.ended).code).toBe(1013);
  });
});

describe('a stream', () => {
  it('is acknowledged, gives its results, and closes after the last', async () => {
    const setup = await openWs({ runtime: echoRuntime() });
    const client = await setup.connect();
    client.sendText('input', 'a', 0);
    client.sendText('input', 'b', 1);
    client.sendText('input', 'c', 2);
    const frames = await client.rest();
    expect(frames[0]).toEqual({ header: { code: 0, message: 'success', sid: frames[0]?.header.sid, status: 0 } });
    expect(frames.slice(1).map((frame) => [textOf(frame), frame.header.status])).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 2],
    ]);
    expect(frames[3]?.payload).toEqual({
      result: { seq: '3', status: '2', text: Buffer.from('c').toString('base64') },
    });
    expect(new Set(frames.map(({ header }) => header.sid)).size).toBe(1);
    expect(await client.ended).toEqual({ code: 1000, reason: '' });
  });

  it('takes text and binary frames with the same JSON in them', async () => {
    const setup = await openWs({ runtime: echoRuntime() });
    const client = await setup.connect();
    client.send({});
    client.socket.send(Buffer.from('{"payload":{"input":{"text":"eA==","status":2}}}'));
    expect((await client.rest()).map((frame) => frame.header.status)).toEqual([0, 2]);
  });

  it('takes header, parameters and outputs from the first frame only, and its own sid', async () => {
    const seen = gate<ReadonlyMap<string, string>>();
    const runtime = new FakeRuntime();
    runtime.openStream = (call) => {
      expect(call.tag).toBe(call.sid);
      seen.open(call.params);
      return new FakeStream(runtime);
    };
    const setup = await openWs({ runtime });
    const client = await setup.connect();
    const output = { encoding: 'utf8', data_type: 'text' };
    client.send({ header: { appid: 7, sid: 'mine' }, parameter: { echo: { lang: 'en', result: output } } });
    const { sid } = (await client.next()).header;
    expect(sid).toMatch(/^ase00[\da-f]{6}@local[\da-f]{11}0001\d\d2$/);
    expect(Object.fromEntries(await seen.promise)).toEqual({ lang: 'en', appid: '7', sid });
    client.send({ header: { appid: 8 }, parameter: { echo: { lang: 'de', other: {} } } });
    const stream = await setup.stream();
    stream.give('x', DataStatus.end);
    expect((await client.next()).payload).toEqual({
      result: { encoding: 'utf8', seq: '1', status: '2', text: 'eA==' },
    });
    expect(runtime.calls).toBe(1);
  });

  it('opens with an empty payload, and skips such frames later', async () => {
    const setup = await openWs({ runtime: echoRuntime() });
    const client = await setup.connect();
    client.send({ payload: {} });
    client.send({ payload: {} });
    client.sendText('input', 'x', 2);
    expect((await client.rest()).map((frame) => frame.header.status)).toEqual([0, 2]);
    expect((await setup.stream()).written).toEqual([{ text: 'x', last: true }]);
  });

  it('says that a packet without a status is the first of its input, or a further one', async () => {
    const statuses: number[] = [];
    const runtime = new FakeRuntime();
    runtime.openStream = () => {
      const stream = new FakeStream(runtime);
      stream.onWrite = (frames) => {
        statuses.push(...frames.map(({ status }) => status));
      };
      return stream;
    };
    const setup = await openWs({ runtime });
    const client = await setup.connect();
    client.sendText('a', '1');
    client.sendText('a', '2');
    client.sendText('b', '3');
    await eventually(() => statuses).toEqual([0, 1, 0]);
  });

  it('is checked packet by packet, and fails with what the check says', async () => {
    const checked: unknown[] = [];
    const check: Endpoint['check'] = (document, { begins, continues } = {}) => {
      checked.push({ begins, continues });
      if (JSON.stringify(document).includes('image')) throw new AigesError('invalidInput', { detail: 'no audio' });
    };
    const setup = await openWs({ runtime: echoRuntime(), endpoint: { check } });
    const client = await setup.connect();
    client.send({});
    client.sendText('input', 'x', 1);
    client.send({ payload: { input: { image: 'QQ==' } } });
    expect((await client.rest()).at(-1)?.header.message).toContain('no audio');
    expect(checked).toEqual([{ begins: true }, { continues: true }, { continues: true }]);
  });

  it('ends its input with status 3 as with 2', async () => {
    const setup = await openWs({ runtime: echoRuntime() });
    const client = await setup.connect();
    client.sendText('input', 'whole', 3);
    expect((await client.rest()).map((frame) => frame.header.status)).toEqual([0, 3]);
    expect((await setup.stream()).written).toEqual([{ text: 'whole', last: true }]);
  });

  it('gives JSON as JSON where the format says so and it is, and base64 everywhere else', async () => {
    const setup = await openWs();
    const client = await setup.connect();
    client.send({});
    await client.next();
    const stream = await setup.stream();
    const desc = new Map([['format', 'json']]);
    stream.giveFrames([textFrame('result', '{"big":12345678901234567890, "one": 1.0}', { status: 1, desc })]);
    await eventually(() => client.messages.length).toBe(2);
    expect(client.messages[1]?.data.toString()).toContain('"text":{"big":12345678901234567890, "one": 1.0}}');
    await client.next();
    stream.giveFrames([textFrame('result', '{', { status: 1, desc })]);
    expect((await client.next()).payload?.['result']).toMatchObject({ format: 'json', text: 'ew==' });
    stream.giveFrames([textFrame('__proto__', 'x', { status: 1, type: DataType.image })]);
    await eventually(() => client.messages.length).toBe(4);
    expect(client.messages[3]?.data.toString()).toContain('"__proto__":{"seq":"1","status":"1","image":"eA=="}');
  });

  it('gives attributes as the service declares them, where they are what it declares', async () => {
    const types = new Map([
      ['rate', 'number'],
      ['seq', 'integer'],
      ['loud', 'boolean'],
      ['soft', 'boolean'],
      ['wrong', 'number'],
    ] as const);
    const setup = await openWs({
      endpoint: { attributeType: (output, name) => (output === 'result' ? (types.get(name as 'seq') ?? null) : null) },
    });
    const client = await setup.connect();
    client.send({});
    await client.next();
    const desc = new Map([
      ['rate', '16000.5'],
      ['loud', 'true'],
      ['soft', 'maybe'],
      ['wrong', ''],
      ['other', '1'],
    ]);
    (await setup.stream()).giveFrames([textFrame('result', '', { status: 1, desc })]);
    expect((await client.next()).payload?.['result']).toEqual({
      rate: 16000.5,
      loud: true,
      soft: 'maybe',
      wrong: '',
      other: '1',
      seq: 1,
      status: '1',
      text: '',
    });
  });

  it('loses nothing of a result that has a name twice', async () => {
    const setup = await openWs();
    const client = await setup.connect();
    client.send({});
    await client.next();
    (await setup.stream()).giveFrames([
      textFrame('a', '1', { status: 1 }),
      textFrame('b', '2', { status: 1 }),
      textFrame('a', '3', { status: 2 }),
    ]);
    const frames = await client.rest();
    expect(frames.map(({ header, payload }) => [header.status, Object.keys(payload ?? {})])).toEqual([
      [1, ['a', 'b']],
      [2, ['a']],
    ]);
    expect(frames[1]?.payload?.['a']).toMatchObject({ seq: '2' });
  });

  it('answers frames after the end of its input with nothing, and loses no result over them', async () => {
    const setup = await openWs();
    const client = await setup.connect();
    client.sendText('input', 'x', 2);
    client.send({});
    client.sendText('input', 'late', 1);
    const stream = await setup.stream();
    await eventually(() => stream.written.length).toBe(2);
    stream.give('done', DataStatus.end);
    const frames = await client.rest();
    expect(frames.map((frame) => frame.header.status)).toEqual([0, 2]);
  });

  it('does not look at frames that come when the last result is on its way', async () => {
    const setup = await openWs();
    const client = await setup.raw();
    client.write(rawText('x', 2));
    const stream = await setup.stream();
    client.pause();
    // More than the system takes. Each piece is a frame of its own, as they have one name.
    const pieces = Array.from({ length: 400 }, () => textFrame('result', 'y'.repeat(64 * 1024), { status: 1 }));
    stream.giveFrames([...pieces, textFrame('result', 'last', { status: DataStatus.end })]);
    await eventually(() => setup.service.load.running).toBe(0);
    client.write(rawFrame({ opcode: 1, data: '{' }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.resume();
    await eventually(() => client.frames.at(-1)?.opcode).toBe(8);
    expect(client.frames.map(({ opcode }) => opcode)).toEqual([1, ...pieces.map(() => 1), 1, 8]);
    expect(setup.errors).toEqual([]);
    client.reset();
  });
});

describe('a client that leaves', () => {
  const ways: readonly [string, (client: Awaited<ReturnType<WsSetup['raw']>>) => void][] = [
    [
      'with a close frame',
      (client) => {
        client.write(rawFrame({ opcode: 8, data: Buffer.from([3, 232]) }));
      },
    ],
    [
      'without a word',
      (client) => {
        client.finish();
      },
    ],
    [
      'by a reset',
      (client) => {
        client.reset();
      },
    ],
    [
      'by breaking the rules',
      (client) => {
        client.write(rawFrame({ opcode: 1, masked: false }));
      },
    ],
  ];

  it.each(ways)('%s ends the session at once, once', async (_how, leave) => {
    const setup = await openWs();
    const client = await setup.raw();
    client.write(rawText('x', 0));
    const stream = await setup.stream();
    await eventually(() => stream.written.length).toBe(1);
    leave(client);
    await eventually(() => stream.closed).toBe(1);
    await setup.expectNothingLeft();
    expect(setup.errors).toEqual([]);
  });

  it.each(ways)('%s ends the session at once even when it has not read its results', async (_how, leave) => {
    const setup = await openWs({ limits: { maxUnsentBytes: 1024 } });
    const client = await setup.raw();
    client.pause();
    client.write(rawText('x', 0));
    const stream = await setup.stream();
    for (let i = 0; i < 200; i++) stream.give('y'.repeat(64 * 1024));
    // Some wait because the client does not read.
    await eventually(() => setup.runtime.outputsAlive).toBeLessThan(190);
    leave(client);
    await eventually(() => stream.closed).toBe(1);
    await setup.expectNothingLeft();
    client.reset();
  });

  it('while the plugin opens the stream ends it as soon as it is open', async () => {
    const opening = gate<FakeStream>();
    const runtime = new FakeRuntime();
    runtime.openStream = () => opening.promise;
    const setup = await openWs({ runtime });
    const client = await setup.connect();
    client.send({});
    await client.next();
    client.socket.terminate();
    opening.open(new FakeStream(runtime));
    const stream = await setup.stream();
    await eventually(() => stream.closed).toBe(1);
  });

  it('before its first frame leaves nothing', async () => {
    const setup = await openWs();
    const client = await setup.raw();
    client.reset();
    await setup.ws.idle();
    expect(setup.runtime.calls).toBe(0);
  });
});

describe('a service that takes single requests', () => {
  it('answers one frame with one frame, and closes', async () => {
    const setup = await openWs({ once: (_call, frames) => frames.map((frame) => ({ ...frame, key: 'result' })) });
    const client = await setup.connect();
    client.sendText('input', 'x');
    const frames = await client.rest();
    expect(frames).toEqual([
      {
        header: { code: 0, message: 'success', sid: frames[0]?.header.sid, status: 3 },
        payload: { result: { seq: '0', status: '3', text: 'eA==' } },
      },
    ]);
    expect(await client.ended).toEqual({ code: 1000, reason: '' });
  });

  it('refuses input in several frames', async () => {
    const setup = await openWs({ once: () => [] });
    const client = await setup.connect();
    client.sendText('input', 'x', 0);
    const error = await client.next();
    expect(error.header.code).toBe(10009);
    expect(error.header.message).toContain('payload.input.status is 0');
    expect(setup.runtime.calls).toBe(0);
  });

  it('does not read further frames', async () => {
    const hold = gate();
    const setup = await openWs({ once: (_call, frames) => hold.promise.then(() => [...frames]) });
    const client = await setup.connect();
    client.sendText('input', 'first');
    client.socket.send('{');
    client.sendText('input', 'second');
    await eventually(() => setup.runtime.calls).toBe(1);
    hold.open();
    const frames = await client.rest();
    expect(frames.map((frame) => textOf(frame, 'input'))).toEqual(['first']);
  });

  it('tells of the failure of the plugin', async () => {
    const setup = await openWs({
      once: () => {
        throw new AigesError('execFailed', { message: 'bad picture;code=7' });
      },
    });
    const client = await setup.connect();
    client.sendText('input', 'x');
    expect(await client.next()).toMatchObject({ header: { code: 10909, message: 'bad picture;code=7' } });
    expect(await client.ended).toEqual({ code: 1000, reason: 'bad picture;code=7' });
  });

  it('tells the plugin when the client leaves, and gives up when its time is over', async () => {
    const reasons: unknown[] = [];
    const setup = await openWs({
      once: (call) =>
        new Promise((resolve) => {
          call.signal.addEventListener('abort', () => {
            reasons.push((call.signal.reason as AigesError).kind);
            resolve([]);
          });
        }),
      limits: { onceTimeoutMs: 50 },
    });
    const leaving = await setup.connect();
    leaving.send({});
    await eventually(() => setup.runtime.calls).toBe(1);
    leaving.socket.terminate();
    await eventually(() => reasons.length).toBe(1);
    const staying = await setup.connect();
    staying.send({});
    expect(await staying.next()).toMatchObject({ header: { code: 10102 } });
    expect(reasons[1]).toBe('timeout');
  });
});
