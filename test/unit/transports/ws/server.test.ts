import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus } from '../../../../src/core/frame.js';
import type { HandshakeEntry, WsOptions } from '../../../../src/transports/ws/server.js';
import { eventually } from '../../../fixtures/eventually.js';
import { gate } from '../../../fixtures/fake-runtime.js';
import { RawWs, rawFrame, textOf, WsClient } from '../../../fixtures/ws-client.js';
import { echoRuntime, rawText, openWs, type WsSetup, wsRoute } from '../../../fixtures/ws-server.js';

/** What the server answers to bytes, until it closes the connection. */
async function answerTo(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  return text(socket);
}

async function refusalOf(setup: WsSetup, path: string, headers: Record<string, string> = {}): Promise<string> {
  const client = new RawWs(setup.port);
  client.shake(path, headers);
  await eventually(() => client.closed).toBe(true);
  return client.head;
}

describe('a handshake', () => {
  it('at another path is refused with 404 and the routes that there are', async () => {
    const setup = await openWs();
    const request = `GET /nope HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n`;
    const answer = await answerTo(setup.port, request);
    expect(answer).toMatch(/^HTTP\/1.1 404 Not Found\r\n/);
    expect(answer).toContain(`no WebSocket at /nope; there is ${wsRoute}, /ping`);
  });

  it.each([
    ['with another method', `POST ${wsRoute} HTTP/1.1\r\nsec-websocket-version: 13`, 405],
    ['without a key', `GET ${wsRoute} HTTP/1.1\r\nsec-websocket-version: 13`, 400],
    ['with a version that nobody speaks', `GET ${wsRoute} HTTP/1.1\r\nsec-websocket-version: 7`, 400],
    ['with a header that is none', `GET ${wsRoute} HTTP/1.1\r\n: :`, 400],
  ])('%s is refused', async (_what, head, status) => {
    const setup = await openWs();
    const answer = await answerTo(
      setup.port,
      `${head}\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('of a page from elsewhere is refused with 403 where origins are listed; any other is taken', async () => {
    const setup = await openWs({ options: { origins: ['https://app.example.com'] } });
    expect(await refusalOf(setup, wsRoute, { origin: 'https://evil.example.com' })).toMatch(/ 403 /);
    for (const headers of [{ origin: 'https://app.example.com' }, {}]) {
      expect((await setup.raw(headers)).head).toMatch(/ 101 /);
    }
  });

  it('of any page is taken where none are listed', async () => {
    const setup = await openWs();
    expect((await setup.raw({ origin: 'null' })).head).toMatch(/ 101 /);
  });

  it('beyond the connections that may be open is refused with 503', async () => {
    const setup = await openWs({ limits: { maxConnections: 2 } });
    const first = await setup.raw();
    await setup.raw();
    const refused = await refusalOf(setup, wsRoute);
    expect(refused).toMatch(/ 503 /);
    expect(refused).toMatch(/retry-after: 1/);
    first.reset();
    await eventually(() => first.closed).toBe(true);
    // The place is free a moment later.
    for (;;) {
      const next = new RawWs(setup.port);
      next.shake(wsRoute);
      await eventually(() => next.head).not.toBe('');
      if (next.head.includes(' 101 ')) break;
    }
  });

  it('takes no subprotocol but our own, and no extension', async () => {
    const setup = await openWs();
    const client = await setup.raw({
      'sec-websocket-protocol': 'chat, aiges.binary',
      'sec-websocket-extensions': 'permessage-deflate',
    });
    expect(client.head).toMatch(/sec-websocket-protocol: aiges\.binary/i);
    expect(client.head).not.toMatch(/deflate/);
    expect((await setup.raw({ 'sec-websocket-protocol': 'chat' })).head).not.toMatch(/sec-websocket-protocol/i);
  });

  it('may have a query', async () => {
    const setup = await openWs({ runtime: echoRuntime() });
    const client = await WsClient.connect(`${setup.url}?stream_mode=x`);
    client.sendText('input', 'x', 2);
    expect(await client.rest()).toHaveLength(2);
  });
});

describe('what is told of a handshake', () => {
  const full = { maxConnections: 0 };
  const broken = { 'sec-websocket-version': '7' };
  it.each([
    ['at another path', {}, {}, '/nope', {}, 404, 10003, []],
    [
      'of a page from elsewhere',
      {},
      { origins: ['https://a.example'] },
      wsRoute,
      { origin: 'null' },
      403,
      10003,
      [10003],
    ],
    ['beyond the connections that may be open', full, {}, wsRoute, {}, 503, 10110, [10110]],
    ['against the rules', {}, {}, wsRoute, broken, 400, 10003, [10003]],
    ['of a probe', full, {}, '/ping', {}, 503, 10110, []],
  ])('that is refused: %s', async (_what, limits, options, path, headers, status, code, counted) => {
    const log = recording();
    const setup = await openWs({ limits, options: { ...options, ...log.options } });
    const head = await refusalOf(setup, `${path}?secret=1`, headers);
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(setup.errors.map((error) => error.code)).toEqual([code]);
    expect(setup.contexts).toEqual([{ route: path, sid: '', status }]);
    expect(JSON.stringify([setup.errors[0]?.message, setup.errors[0]?.detail])).not.toContain('secret');
    expect(log.handshakes).toEqual([{ method: 'GET', route: path, sid: '', status }]);
    expect(log.codes).toEqual(counted);
  });

  it('that is taken, with the session that begins with it', async () => {
    const log = recording();
    const setup = await openWs({ runtime: echoRuntime(), options: log.options });
    const client = await setup.connect();
    client.sendText('input', 'x', 2);
    const { sid } = (await client.next()).header;
    expect(log.handshakes).toEqual([{ method: 'GET', route: wsRoute, sid, status: 101 }]);
    await client.ended;
    expect(setup.errors).toEqual([]);
    expect(log.codes).toEqual([0]);
  });

  function recording(): {
    readonly handshakes: HandshakeEntry[];
    readonly codes: number[];
    readonly options: Pick<WsOptions, 'onCall' | 'onHandshake'>;
  } {
    const handshakes: HandshakeEntry[] = [];
    const codes: number[] = [];
    const onHandshake = (entry: HandshakeEntry): void => void handshakes.push(entry);
    return { handshakes, codes, options: { onHandshake, onCall: () => (code) => codes.push(code) } };
  }
});

describe('HTTP beside it', () => {
  it.each([wsRoute, '/ping'])('answers a plain GET of %s with 426 and what to do', async (path) => {
    const setup = await openWs();
    const response = await fetch(`http://127.0.0.1:${setup.port}${path}?x=1`);
    expect(response.status).toBe(426);
    expect(response.headers.get('upgrade')).toBe('websocket');
    expect(await response.text()).toBe(
      `${path} takes WebSocket connections with GET: send the headers of an upgrade\n`,
    );
  });

  it.each(['websocket', 'h2c'])(
    'behind an answer that has not ended is not answered in its place: %s',
    async (upgrade) => {
      const hold = gate();
      const setup = await openWs({
        once: async (_call, frames) => {
          await hold.promise;
          return frames;
        },
      });
      const socket = connect(setup.port, '127.0.0.1');
      const received = text(socket);
      socket.write(`POST ${wsRoute} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}`);
      await eventually(() => setup.service.load.running).toBe(1);
      const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13';
      socket.write(
        `GET ${wsRoute} HTTP/1.1\r\nhost: x\r\nupgrade: ${upgrade}\r\nconnection: Upgrade\r\n${key}\r\n\r\n`,
      );
      expect(await received).toBe('');
      hold.open();
    },
  );

  it('still serves clients that would rather speak HTTP/2', async () => {
    const setup = await openWs({ once: (_call, frames) => [...frames] });
    const body = '{"payload":{"a":{"text":"eA=="}}}';
    const head = `POST ${wsRoute} HTTP/1.1\r\nhost: x\r\nx-name: caf\u00e9\r\ncontent-length: ${body.length}`;
    const ask = 'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk';
    const socket = connect(setup.port, '127.0.0.1');
    const answers: string[] = [];
    socket.on('data', (chunk) => answers.push(chunk.toString()));
    // The body comes later, and another request after it on the same connection.
    socket.write(`${head}\r\n${ask}\r\n\r\n${body.slice(0, 5)}`, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(body.slice(5));
    await eventually(() => answers.join('')).toMatch(/^HTTP\/1.1 200 [^]*"code":0/);
    answers.length = 0;
    socket.write(`${head}\r\n\r\n${body}`, 'latin1');
    await eventually(() => answers.join('')).toMatch(/^HTTP\/1.1 200 [^]*"code":0/);
    socket.destroy();
  });
});

describe('/ping', () => {
  it('answers ping with pong, and gives everything else back as it is', async () => {
    const setup = await openWs();
    const client = await WsClient.connect(`http://127.0.0.1:${setup.port}/ping`);
    for (const data of ['ping', 'PING', '', Buffer.from('ping'), Buffer.from([0, 255])]) client.socket.send(data);
    await eventually(() => client.messages.length).toBe(5);
    expect(client.messages.map(({ data, binary }) => [data.toString('latin1'), binary])).toEqual([
      ['pong', false],
      ['PING', false],
      ['', false],
      ['ping', true],
      ['\x00\xff', true],
    ]);
    client.socket.close();
    await client.ended;
    expect(setup.runtime.calls).toBe(0);
  });

  it('does not read on while its answers are not read, and loses none', async () => {
    const setup = await openWs({ limits: { maxUnsentBytes: 1024 } });
    const client = new RawWs(setup.port);
    client.shake('/ping');
    await eventually(() => client.head).not.toBe('');
    client.pause();
    const frames = 400;
    for (let i = 0; i < frames; i++) client.write(rawFrame({ opcode: 2, data: Buffer.alloc(64 * 1024, i) }));
    client.resume();
    await eventually(() => client.frames.length).toBe(frames);
    expect(client.frames.every(({ data }, index) => data.length === 64 * 1024 && data[0] === index % 256)).toBe(true);
    client.reset();
  });

  it('ends when nothing comes', async () => {
    const setup = await openWs({ limits: { idleTimeoutMs: 20 } });
    const client = await WsClient.connect(`http://127.0.0.1:${setup.port}/ping`);
    expect(await client.ended).toEqual({ code: 1008, reason: 'time out' });
  });
});

describe('draining', () => {
  /** A session that fails while its client, which reads nothing, has not been sent its results. */
  async function failedBehindResults(): Promise<{ setup: WsSetup; client: RawWs; idle: () => boolean }> {
    const setup = await openWs({ limits: { maxUnsentBytes: 64 << 20 } });
    const client = await setup.raw();
    client.write(rawText('x', 2));
    const stream = await setup.stream();
    client.pause();
    for (let i = 0; i < 300; i++) stream.give('y'.repeat(64 * 1024));
    await eventually(() => setup.runtime.outputsAlive).toBe(0);
    stream.fail(new AigesError('readFailed'));
    await eventually(() => setup.errors.length).toBe(1);
    setup.ws.drain();
    let idle = false;
    void setup.ws.idle().then(() => (idle = true));
    // The session lets go first.
    await setup.expectNothingLeft();
    await new Promise(setImmediate);
    return { setup, client, idle: () => idle };
  }

  it('refuses new connections, ends those without a session with 1001, lets the others finish', async () => {
    const setup = await openWs();
    const running = await setup.connect();
    running.sendText('input', 'x', 1);
    await running.next();
    const waiting = await setup.connect();
    const probing = await WsClient.connect(`http://127.0.0.1:${setup.port}/ping`);
    const drained = setup.service.drain();
    setup.ws.drain();
    expect(await refusalOf(setup, wsRoute)).toMatch(/ 503 /);
    expect(await waiting.next()).toMatchObject({ header: { code: 10110, message: 'service is shutting down' } });
    expect(await waiting.ended).toEqual({ code: 1001, reason: 'service is shutting down' });
    expect((await probing.ended).code).toBe(1001);
    let idle = false;
    void setup.ws.idle().then(() => (idle = true));
    running.sendText('input', 'y', 2);
    const stream = await setup.stream();
    await eventually(() => stream.written.length).toBe(2);
    expect(idle).toBe(false);
    stream.give('z', DataStatus.end);
    expect(textOf((await running.rest()).at(-1) ?? (await running.next()))).toBe('z');
    await drained;
    await eventually(() => idle).toBe(true);
  });

  it('is not over before a slow client has been sent the end of its session', async () => {
    const setup = await openWs({ limits: { maxUnsentBytes: 1024 } });
    const client = await setup.raw();
    client.write(rawText('x', 2));
    const stream = await setup.stream();
    client.pause();
    const results = 300;
    for (let i = 1; i < results; i++) stream.give('y'.repeat(64 * 1024));
    stream.give('end', DataStatus.end);
    setup.ws.drain();
    let idle = false;
    void setup.ws.idle().then(() => (idle = true));
    await eventually(() => setup.runtime.outputsAlive).toBeLessThan(results - 10);
    expect(idle).toBe(false);
    client.resume();
    await eventually(() => idle).toBe(true);
    await eventually(() => client.frames.length).toBe(results + 2);
    expect(client.frames.at(-1)).toMatchObject({ opcode: 8, data: Buffer.from([3, 232]) });
    client.reset();
  });

  it('is not over before a slow client has been sent why its session failed', async () => {
    const { setup, client, idle } = await failedBehindResults();
    expect(idle()).toBe(false);
    client.resume();
    await eventually(idle).toBe(true);
    await eventually(() => client.frames.at(-1)?.opcode).toBe(8);
    expect(client.frames.at(-2)?.data.toString()).toContain('10908');
    expect(setup.errors).toHaveLength(1);
    client.reset();
  });

  it.each([
    ['leaves', false],
    ['is cut', true],
  ])('is over when a client that has not been sent why its session failed %s', async (_how, cut) => {
    const { setup, client, idle } = await failedBehindResults();
    expect(idle()).toBe(false);
    if (cut) setup.ws.cut();
    else client.reset();
    await eventually(idle).toBe(true);
    client.reset();
  });

  it('ends what is left when the time is up, with 1001 and why', async () => {
    const shutdown = new AbortController();
    const setup = await openWs({ options: { shutdown: shutdown.signal } });
    const client = await setup.connect();
    client.send({});
    await client.next();
    setup.ws.drain();
    shutdown.abort(new AigesError('shuttingDown'));
    expect(await client.next()).toMatchObject({ header: { code: 10110, message: 'service is shutting down' } });
    expect((await client.ended).code).toBe(1001);
    await setup.ws.idle();
    expect((await setup.stream()).closed).toBe(1);
  });

  it('cuts who does not go', async () => {
    const setup = await openWs();
    const client = await setup.raw();
    client.pause();
    setup.ws.drain();
    setup.ws.cut();
    client.resume();
    await eventually(() => client.closed).toBe(true);
    const app = setup.app;
    await app.close();
    await once(connect(setup.port, '127.0.0.1'), 'error');
  });
});
