import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType } from '../../../../src/core/frame.js';
import { fromFirst, withPings } from '../../../../src/transports/http/events.js';
import { openEvents, type SentEvent } from '../../../fixtures/event-client.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeStream, gate, textFrame } from '../../../fixtures/fake-runtime.js';
import { listen, route, setup, type Setup, type SetupChanges } from '../../../fixtures/http-server.js';

const streaming = (changes: SetupChanges = {}): Promise<Setup> =>
  setup(() => [], { takes: { once: true, stream: true }, ...changes });

const request = JSON.stringify({
  parameter: { echo: { lang: 'en' } },
  payload: { text: { text: Buffer.from('hello').toString('base64') } },
});

const wanting = { accept: 'text/event-stream' };

/** The stream of the only call, once the plugin has got its input. */
async function fed({ runtime }: Setup): Promise<FakeStream> {
  await eventually(() => runtime.streams[0]?.written.length).toBe(1);
  const [stream] = runtime.streams;
  if (stream === undefined) throw new Error('no stream');
  return stream;
}

function document(event: SentEvent | null): unknown {
  return JSON.parse(event?.data ?? 'null');
}

/** A stream that gives large results one after the other, as fast as they are taken. */
function endless({ runtime }: Setup, count: number): { readonly given: () => number } {
  let given = 0;
  const data = Buffer.alloc(256 << 10, 7);
  runtime.openStream = () => {
    const stream = new FakeStream(runtime);
    async function* results(): AsyncGenerator<ReturnType<typeof runtime.output>> {
      for (; given < count && stream.closed === 0; given++) {
        await Promise.resolve();
        const status = given === count - 1 ? DataStatus.end : DataStatus.continue;
        yield runtime.output([textFrame('result', '', { data, type: DataType.other, status })]);
      }
    }
    return Object.assign(stream, { results });
  };
  return { given: () => given };
}

/** Waits until nobody takes results any more: their count stands still while the loop runs. */
async function stopped(given: () => number): Promise<number> {
  for (;;) {
    const before = given();
    await delay(50);
    if (before > 0 && given() === before) return before;
  }
}

/** How many results may be on their way to a client that does not read: in the session's queue, and in buffers. */
const onTheWay = 150;

describe('a request for events', () => {
  it('is refused with 406 in other forms where there are only streams, with what to do', async () => {
    const { app, runtime } = await streaming({ takes: { once: false, stream: true } });
    for (const accept of ['*/*', 'application/json', 'image/png']) {
      const response = await app.inject({ method: 'POST', url: route, payload: request, headers: { accept } });
      expect(response.statusCode).toBe(406);
      expect(response.json()).toMatchObject({ header: { code: 10003 }, payload: null });
      expect(response.body).toContain('Accept: text/event-stream');
    }
    expect(runtime.calls).toBe(0);
  });

  it('is refused with 429 before anything is sent when every licence is taken', async () => {
    const server = await streaming();
    const port = await listen(server);
    const first = openEvents(port, route, request);
    const stream = await fed(server);
    const second = await server.app.inject({ method: 'POST', url: route, payload: request, headers: wanting });
    expect(second.statusCode).toBe(429);
    expect(second.headers['retry-after']).toBe('1');
    expect(second.headers['content-type']).toMatch(/^application\/json/);
    expect(second.json()).toMatchObject({ header: { code: 10110 } });
    stream.give('done', DataStatus.end);
    expect(await (await first).rest()).toHaveLength(1);
  });

  it.each([
    ['an input that the service does not have', '{"payload":{"sound":{"text":"YQ=="}}}', 10009, /"sound".*"text"/],
    ['an input that goes on', '{"payload":{"text":{"text":"YQ==","status":1}}}', 10009, /payload\.text\.status is 1/],
    ['no JSON', '{', 10000, /JSON/],
    ['delivery through a broker', '{"header":{"downMethod":"async"}}', 10106, /downMethod/],
  ])('is refused with 400 for %s', async (_name, payload, code, text) => {
    const { app, runtime } = await streaming({ inputs: ['text'] });
    const response = await app.inject({ method: 'POST', url: route, payload, headers: wanting });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ header: { code } });
    expect(response.json<{ header: { message: string } }>().header.message).toMatch(text);
    expect(runtime.calls).toBe(0);
  });

  it('is answered like any other that fails when the plugin has said nothing yet', async () => {
    const { app, runtime, errors, service } = await streaming();
    runtime.openStream = () => Promise.reject(new AigesError('createFailed', { message: 'no model' }));
    const response = await app.inject({ method: 'POST', url: route, payload: request, headers: wanting });
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ header: { code: 10905, message: 'no model' } });
    expect(errors).toHaveLength(1);
    await service.drain();
  });

  it('ends with an event for what fails later', async () => {
    const server = await streaming();
    const port = await listen(server);
    const opening = openEvents(port, route, request);
    const stream = await fed(server);
    stream.give('one');
    const call = await opening;
    expect(await call.next()).toMatchObject({ event: 'result' });
    stream.fail(new AigesError('readFailed', { message: 'out of memory' }));
    const [event, ...more] = await call.rest();
    expect(more).toEqual([]);
    expect(event?.event).toBe('error');
    const sid = call.response.headers['x-aiges-sid'];
    expect(document(event ?? null)).toEqual({
      header: { code: 10908, message: 'out of memory', sid },
      payload: null,
    });
    expect(server.errors).toMatchObject([{ kind: 'readFailed' }]);
    expect(server.contexts).toMatchObject([{ sid, route }]);
    expect(server.runtime.outputsAlive).toBe(0);
  });

  it('is answered with every result as it comes', async () => {
    const server = await streaming();
    const port = await listen(server);
    const opening = openEvents(port, route, request);
    const stream = await fed(server);
    // The whole input is one last packet, and ends as streams do.
    expect(stream.written).toEqual([{ text: 'hello', last: true }]);
    stream.giveFrames([
      textFrame('result', 'one', { status: DataStatus.begin, desc: new Map([['format', 'plain']]) }),
      textFrame('level', '7', { status: DataStatus.begin }),
    ]);
    const call = await opening;
    expect(call.response.statusCode).toBe(200);
    expect(call.response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    const sid = call.response.headers['x-aiges-sid'];
    const first = await call.next();
    expect(first?.event).toBe('result');
    expect(document(first)).toEqual({
      header: { code: 0, sid, status: 0 },
      payload: {
        result: { format: 'plain', seq: '1', status: '0', text: 'one' },
        level: { seq: '1', status: '0', text: '7' },
      },
    });
    stream.give('two\nlines');
    expect(document(await call.next())).toEqual({
      header: { code: 0, sid, status: 1 },
      payload: { result: { seq: '2', status: '1', text: 'two\nlines' } },
    });
    stream.give('three', DataStatus.end);
    expect((await call.rest()).map(document)).toEqual([
      { header: { code: 0, sid, status: 2 }, payload: { result: { seq: '3', status: '2', text: 'three' } } },
    ]);
    await server.service.drain();
    expect(stream.closed).toBe(1);
    expect(server.errors).toEqual([]);
    expect(server.runtime.outputsAlive).toBe(0);
  });

  it('gives the plugin inputs that have ended, and leaves a status that says so as it is', async () => {
    const server = await streaming();
    const seen: (readonly [number, boolean])[] = [];
    server.runtime.openStream = () => {
      const stream = new FakeStream(server.runtime);
      stream.onWrite = (frames, { last }) => {
        for (const { status } of frames) seen.push([status, last]);
        stream.give('done', DataStatus.once);
      };
      return stream;
    };
    const payload = '{"payload":{"a":{"text":""},"b":{"text":"","status":3},"c":{"text":"","status":2}}}';
    const response = await server.app.inject({ method: 'POST', url: route, payload, headers: wanting });
    expect(response.statusCode).toBe(200);
    expect(seen).toEqual([
      [DataStatus.end, true],
      [DataStatus.once, true],
      [DataStatus.end, true],
    ]);
  });

  it('is the last packet, though it lacks an input that the service has', async () => {
    const server = await streaming({ inputs: ['text', 'hints'] });
    server.runtime.openStream = () => {
      const stream = new FakeStream(server.runtime);
      stream.onWrite = () => {
        stream.give('done', DataStatus.end);
      };
      return stream;
    };
    for (const payload of [request, '{}']) {
      const response = await server.app.inject({ method: 'POST', url: route, payload, headers: wanting });
      expect(response.statusCode).toBe(200);
    }
    expect(server.runtime.streams.map(({ written }) => written)).toEqual([
      [{ text: 'hello', last: true }],
      [{ text: '', last: true }],
    ]);
  });

  it('is answered with one event where there are no streams', async () => {
    const { app, runtime } = await setup(() => [textFrame('result', 'seven')]);
    const response = await app.inject({ method: 'POST', url: route, payload: request, headers: wanting });
    expect(response.statusCode).toBe(200);
    const sid = response.headers['x-aiges-sid'];
    const text = JSON.stringify({
      header: { code: 0, sid, status: 3 },
      payload: { result: { seq: '0', status: '3', text: 'seven' } },
    });
    expect(response.body).toBe(`event: result\ndata: ${text}\n\n`);
    expect(runtime.outputsAlive).toBe(0);
  });

  it('is kept alive while nothing comes', async () => {
    const server = await streaming({ pingMs: 5 });
    const port = await listen(server);
    const call = await openEvents(port, route, request);
    for (let pings = 0; pings < 3; pings++) expect(await call.next()).toEqual({ event: null, data: ': ping' });
    (await fed(server)).give('done', DataStatus.end);
    const rest = await call.rest();
    expect(rest.filter(({ event }) => event !== null)).toMatchObject([{ event: 'result' }]);
  });

  it('ends with its client', async () => {
    const server = await streaming();
    const port = await listen(server);
    const opening = openEvents(port, route, request);
    const stream = await fed(server);
    stream.give('one');
    const call = await opening;
    await call.next();
    call.request.destroy();
    await server.service.drain();
    expect(stream.closed).toBe(1);
    await eventually(() => server.errors).toMatchObject([{ kind: 'cancelled' }]);
    await eventually(() => server.requests).toMatchObject([{ status: 200, complete: false }]);
  });

  it('ends with its client before the first result too', async () => {
    const server = await streaming();
    const port = await listen(server);
    const left = gate();
    const opening = openEvents(port, route, request).catch(() => {
      left.open();
    });
    const stream = await fed(server);
    server.app.server.closeAllConnections();
    await opening;
    await server.service.drain();
    expect(stream.closed).toBe(1);
    await eventually(() => server.errors).toMatchObject([{ kind: 'cancelled' }]);
  });

  it('takes no results for a client that does not read, and loses none', async () => {
    const server = await streaming();
    const count = 220;
    const { given } = endless(server, count);
    const port = await listen(server);
    const call = await openEvents(port, route, request);
    expect(await stopped(given)).toBeLessThan(onTheWay);
    expect(server.runtime.outputsAlive).toBeLessThan(onTheWay);
    const events = await call.rest();
    expect(events).toHaveLength(count);
    expect(
      events.map((event) => (document(event) as { payload: { result: { seq: string } } }).payload.result.seq),
    ).toEqual(Array.from({ length: count }, (_, index) => String(index + 1)));
    await server.service.drain();
    expect(server.runtime.outputsAlive).toBe(0);
  });

  it('ends when its client has read nothing for too long', async () => {
    const server = await streaming({
      patience: { headersMs: 60_000, bodyMs: 60_000, sendMs: 50, keepAliveMs: 60_000 },
    });
    endless(server, Infinity);
    const port = await listen(server);
    await openEvents(port, route, request);
    await eventually(() => server.errors).toMatchObject([{ kind: 'cancelled' }]);
    await server.service.drain();
    expect(server.runtime.outputsAlive).toBe(0);
  });

  it('does not end because its plugin is silent for that long', async () => {
    const server = await streaming({ patience: { headersMs: 60_000, bodyMs: 60_000, sendMs: 5, keepAliveMs: 60_000 } });
    const port = await listen(server);
    const opening = openEvents(port, route, request);
    const stream = await fed(server);
    await delay(30);
    stream.give('done', DataStatus.end);
    expect(await (await opening).rest()).toHaveLength(1);
  });

  it('gives its licence back when the loader stops, whether its client reads or not', async () => {
    const server = await streaming();
    const { given } = endless(server, Infinity);
    const port = await listen(server);
    const call = await openEvents(port, route, request);
    await stopped(given);
    const drained = server.service.drain();
    server.shutdown.abort(new AigesError('shuttingDown'));
    await drained;
    const events = await call.rest();
    expect(events.at(-1)?.event).toBe('error');
    expect(document(events.at(-1) ?? null)).toMatchObject({ header: { code: 10110 } });
    expect(server.runtime.outputsAlive).toBe(0);
  });

  it('keeps the server until its events are out', async () => {
    const server = await streaming();
    const port = await listen(server);
    const opening = openEvents(port, route, request);
    const stream = await fed(server);
    let answered = false;
    const waiting = server.app.answered().then(() => (answered = true));
    stream.give('one');
    const call = await opening;
    await call.next();
    expect(answered).toBe(false);
    stream.give('two', DataStatus.end);
    expect(await call.rest()).toHaveLength(1);
    await waiting;
    await server.app.answered();
  });
});

describe('withPings', () => {
  it('fails as what it waits for does, and lets go of it', async () => {
    let ended = false;
    async function* failing(): AsyncGenerator<string, void, undefined> {
      try {
        yield 'one';
        await Promise.resolve();
        throw new Error('broken');
      } finally {
        ended = true;
      }
    }
    const events = withPings(failing(), 60_000);
    expect(await events.next()).toEqual({ value: 'one', done: false });
    await expect(events.next()).rejects.toThrow('broken');
    expect(ended).toBe(true);
  });
});

describe('fromFirst', () => {
  it('tells about who has gone in the middle, and not about one who has all', async () => {
    async function* one(): AsyncGenerator<string, void, undefined> {
      await Promise.resolve();
      yield 'two';
    }
    const failures: unknown[] = [];
    const tell = (caught: unknown): string => {
      failures.push(caught);
      return 'failed';
    };
    const whole: string[] = [];
    for await (const event of fromFirst('one', one(), tell)) whole.push(event);
    expect(whole).toEqual(['one', 'two']);
    expect(failures).toEqual([]);
    for await (const event of fromFirst('one', one(), tell)) if (event === 'one') break;
    expect(failures).toMatchObject([{ kind: 'cancelled' }]);
  });
});
