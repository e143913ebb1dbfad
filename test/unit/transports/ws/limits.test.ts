import type { Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, type Frame } from '../../../../src/core/frame.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeRuntime, FakeStream, gate } from '../../../fixtures/fake-runtime.js';
import { rawFrame, textOf } from '../../../fixtures/ws-client.js';
import { echoRuntime, rawText, openWs, type WsSetup } from '../../../fixtures/ws-server.js';

/** A plugin that takes no packet before the gate is open. */
function heldRuntime(): { runtime: FakeRuntime; letGo: () => void; writes: () => number } {
  const held = gate();
  const runtime = new FakeRuntime();
  let writes = 0;
  runtime.openStream = () => {
    const stream = new FakeStream(runtime);
    stream.onWrite = async (frames) => {
      writes++;
      await held.promise;
      for (const { data, status } of frames) stream.give(Buffer.from(data).toString(), status);
    };
    return stream;
  };
  return { runtime, letGo: held.open, writes: () => writes };
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** From here on time passes when the test says so, and for nothing but what is limited: the machine may be slow. */
function stopClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  return (ms) => {
    vi.advanceTimersByTime(ms);
  };
}

afterEach(() => {
  vi.useRealTimers();
});

/** The server's ends of the connections that come, in their order. */
function endsOf({ app }: WsSetup): readonly Socket[] {
  const ends: Socket[] = [];
  app.server.on('connection', (socket: Socket) => ends.push(socket));
  return ends;
}

describe('time', () => {
  it.each([
    ['before its first frame', false],
    ['in the middle of its input', true],
  ])('ends a session whose client says nothing %s', async (_when, begun) => {
    const pass = stopClock();
    const setup = await openWs({ runtime: echoRuntime(), limits: { idleTimeoutMs: 300 } });
    const client = await setup.connect();
    if (begun) {
      client.sendText('input', 'x', 1);
      await client.next();
      expect(textOf(await client.next())).toBe('x');
    }
    pass(300);
    expect(await client.next()).toMatchObject({ header: { code: 10114, message: 'time out', status: 0 } });
    expect(await client.ended).toEqual({ code: 1008, reason: 'time out' });
  });

  it('is not counted by pings of the client', async () => {
    const setup = await openWs({ limits: { idleTimeoutMs: 300 } });
    const client = await setup.connect();
    client.send({});
    const pinging = setInterval(() => {
      client.socket.ping();
    }, 5);
    await client.next();
    expect((await client.ended).reason).toBe('time out');
    clearInterval(pinging);
  });

  it.each([
    ['time without a frame', { idleTimeoutMs: 1000 }],
    ['time between two pings', { pingMs: 500 }],
  ])('is not up for a client that is busy sending one frame: %s', async (_which, limits) => {
    const pass = stopClock();
    const setup = await openWs({ runtime: echoRuntime(), limits });
    const ends = endsOf(setup);
    const client = await setup.raw();
    const before = ends[0]?.bytesRead ?? 0;
    const frame = rawText('x'.repeat(300), 2);
    const piece = Math.ceil(frame.length / 10);
    for (let at = 0; at < frame.length;) {
      client.write(frame.subarray(at, at + piece));
      at = Math.min(at + piece, frame.length);
      await eventually(() => ends[0]?.bytesRead).toBe(before + at);
      pass(240);
    }
    await eventually(() => client.frames.map(({ opcode }) => opcode).filter((opcode) => opcode !== 9)).toEqual([
      1, 1, 8,
    ]);
    expect(setup.errors).toEqual([]);
    client.reset();
  });

  it.each([
    ['stops in the middle of a frame', { idleTimeoutMs: 300 }, 0, 'time out'],
    ['sends pings in the middle of a frame, byte by byte', { idleTimeoutMs: 300 }, 9, 'time out'],
    ['sends a frame for ever', { sessionTimeoutMs: 600, idleTimeoutMs: 300, pingMs: 200 }, 1, 'session timeout'],
  ])('is up for a client that %s', async (_what, limits, opcode, message) => {
    const pass = stopClock();
    const setup = await openWs({ limits });
    const ends = endsOf(setup);
    const client = await setup.raw();
    let sent = ends[0]?.bytesRead ?? 0;
    const send = async (bytes: Buffer): Promise<void> => {
      client.write(bytes);
      sent += bytes.length;
      await eventually(() => ends[0]?.bytesRead).toBe(sent);
    };
    // A control frame may stand between the fragments of a message.
    await send(rawFrame({ opcode: 1, data: '{', fin: false }));
    const rest =
      opcode === 9
        ? Buffer.concat(Array.from({ length: 100 }, () => rawFrame({ opcode: 9, data: 'x' })))
        : rawFrame({ opcode: 0, data: ' '.repeat(1000) });
    for (let at = 0; at < 100 && setup.errors.length === 0; at++) {
      if (opcode !== 0) await send(rest.subarray(at, at + 1));
      pass(20);
    }
    expect(setup.errors.map((error) => error.message)).toEqual([message]);
    client.reset();
  });

  it('stands still while the plugin owes the results of a whole input', async () => {
    const pass = stopClock();
    const setup = await openWs({ limits: { idleTimeoutMs: 300 } });
    const client = await setup.connect();
    client.sendText('input', 'x', 2);
    const stream = await setup.stream();
    await eventually(() => stream.written.length).toBe(1);
    pass(700);
    stream.give('late', DataStatus.end);
    expect((await client.rest()).map((frame) => frame.header.code)).toEqual([0, 0]);
  });

  it('stands still while the plugin has not taken what was sent', async () => {
    const pass = stopClock();
    const { runtime, letGo } = heldRuntime();
    const setup = await openWs({ runtime, limits: { idleTimeoutMs: 300 } });
    const client = await setup.connect();
    client.sendText('input', 'x', 0);
    client.sendText('input', 'y', 2);
    await client.next();
    pass(700);
    letGo();
    expect((await client.rest()).map((frame) => textOf(frame))).toEqual(['x', 'y']);
  });

  it('stands still while a single request runs', async () => {
    const pass = stopClock();
    const hold = gate();
    const setup = await openWs({ once: () => hold.promise.then(() => []), limits: { idleTimeoutMs: 300 } });
    const client = await setup.connect();
    client.send({});
    await eventually(() => setup.runtime.calls).toBe(1);
    pass(700);
    hold.open();
    expect(await client.next()).toMatchObject({ header: { code: 0, status: 3 } });
  });

  it('stands still while the client does not read its results', async () => {
    const pass = stopClock();
    const setup = await openWs({ limits: { idleTimeoutMs: 800, maxUnsentBytes: 1024 } });
    const client = await setup.raw();
    client.write(rawText('x', 1));
    const stream = await setup.stream();
    client.pause();
    for (let i = 0; i < 300; i++) stream.give('y'.repeat(64 * 1024));
    await turns(50);
    pass(1800);
    expect(setup.errors).toEqual([]);
    client.resume();
    await eventually(() => client.frames.filter(({ opcode }) => opcode === 1).length).toBeGreaterThanOrEqual(301);
    client.reset();
  });

  it('of a whole session ends it, whatever goes on', async () => {
    const setup = await openWs({ runtime: echoRuntime(), limits: { sessionTimeoutMs: 80 } });
    const client = await setup.connect();
    const sending = setInterval(() => {
      client.sendText('input', 'x', 1);
    }, 5);
    const frames = await client.rest();
    clearInterval(sending);
    expect(frames.at(-1)).toMatchObject({ header: { code: 10114, message: 'session timeout' } });
    expect(await client.ended).toEqual({ code: 1008, reason: 'session timeout' });
  });

  it('of a whole session frees what a client that reads nothing holds', async () => {
    const pass = stopClock();
    const setup = await openWs({ limits: { sessionTimeoutMs: 1500, maxUnsentBytes: 1024 } });
    const client = await setup.raw();
    client.write(rawText('x', 1));
    const stream = await setup.stream();
    client.pause();
    for (let i = 0; i < 300; i++) stream.give('y'.repeat(64 * 1024));
    await turns(50);
    pass(1500);
    await eventually(() => stream.closed).toBe(1);
    await setup.expectNothingLeft();
    client.reset();
  });
});

describe('pings', () => {
  it('keep a client that answers them, and cut one that does not', async () => {
    const pass = stopClock();
    const setup = await openWs({ limits: { pingMs: 500 } });
    const ends = endsOf(setup);
    const alive = await setup.connect();
    alive.send({});
    await setup.stream();
    let pings = 0;
    alive.socket.on('ping', () => pings++);
    const mute = await setup.raw();
    mute.write(rawFrame({ opcode: 1, data: '{}' }));
    const stream = await setup.stream(1);
    for (let i = 0; i < 3; i++) {
      const heard = ends[0]?.bytesRead ?? 0;
      pass(500);
      // What the client answers has to be there before the next one is due.
      await eventually(() => ends[0]?.bytesRead).toBeGreaterThan(heard);
    }
    expect(pings).toBe(3);
    await eventually(() => mute.closed).toBe(true);
    await eventually(() => stream.closed).toBe(1);
    expect(alive.socket.readyState).toBe(alive.socket.OPEN);
  });

  it('are not held against a client that we do not read', async () => {
    const pass = stopClock();
    const { runtime, letGo, writes } = heldRuntime();
    const setup = await openWs({ runtime, limits: { pingMs: 250, maxFrames: 1 } });
    const client = await setup.connect();
    for (let i = 0; i < 20; i++) client.sendText('input', 'x', i < 19 ? 1 : 2);
    await eventually(writes).toBe(1);
    await turns(50);
    for (let i = 0; i < 4; i++) {
      pass(250);
      await turns(50);
    }
    letGo();
    expect(await client.rest()).toHaveLength(21);
  });

  it('of a client that does not read the answers end its connection before many wait', async () => {
    const setup = await openWs();
    const client = await setup.raw();
    client.write(rawText('x', 1));
    const stream = await setup.stream();
    client.pause();
    const ping = rawFrame({ opcode: 9, data: 'x'.repeat(125) });
    const pings = Buffer.concat(Array.from({ length: 8192 }, () => ping));
    // More than the system takes for somebody who does not read.
    for (let i = 0; i < 64; i++) client.write(pings);
    await eventually(() => stream.closed).toBe(1);
    await setup.expectNothingLeft();
    client.reset();
  });

  it('of a client in a flood are answered or its connection is cut', async () => {
    const setup = await openWs();
    const client = await setup.raw();
    client.pause();
    const ping = rawFrame({ opcode: 9, data: 'x'.repeat(125) });
    for (let i = 0; i < 50_000; i++) client.write(ping);
    client.resume();
    await eventually(() => client.closed || client.frames.filter(({ opcode }) => opcode === 10).length === 50_000).toBe(
      true,
    );
    client.reset();
  });
});

describe('a plugin that is slower than its client', () => {
  it('has the connection wait when enough frames wait, and gets all of them in order', async () => {
    const { runtime, letGo, writes } = heldRuntime();
    const setup = await openWs({ runtime, limits: { maxFrames: 4 } });
    const client = await setup.connect();
    const frames = 2000;
    const text = (index: number): string => `${index}-`.padEnd(16 * 1024, 'x');
    for (let i = 0; i < frames; i++) client.sendText('input', text(i), i + 1 < frames ? 1 : 2);
    await eventually(writes).toBe(1);
    await turns(50);
    // What has left the client fits into the buffers of the system and our own.
    expect(client.socket.bufferedAmount).toBeGreaterThan(8 << 20);
    letGo();
    const results = await client.rest();
    expect(results.slice(1).map((frame) => Number.parseInt(textOf(frame)))).toEqual(
      Array.from({ length: frames }, (_, index) => index),
    );
  }, 180_000);

  it('has it wait for bytes as for frames, and takes a frame that is larger than all that may wait', async () => {
    const { runtime, letGo, writes } = heldRuntime();
    const setup = await openWs({ runtime, limits: { maxFrameBytes: 1000 } });
    const client = await setup.connect();
    const held = 'x'.repeat(500_000);
    for (let i = 0; i < 60; i++) client.sendText('input', held, i < 59 ? 1 : 2);
    await eventually(writes).toBe(1);
    await turns(50);
    expect(client.socket.bufferedAmount).toBeGreaterThan(8 << 20);
    letGo();
    const results = await client.rest();
    expect(results).toHaveLength(61);
    expect(textOf(results[60] ?? (await client.next()))).toBe(held);
  }, 180_000);

  it('has it wait for small frames that came in one piece too', async () => {
    const { runtime, letGo, writes } = heldRuntime();
    let decoded = 0;
    const check = (): void => {
      decoded++;
    };
    const setup = await openWs({ runtime, limits: { maxFrames: 2 }, endpoint: { check } });
    const client = await setup.raw();
    const frames = 5000;
    client.write(...Array.from({ length: frames }, () => rawText('x', 1)), rawText('end', 2));
    await eventually(writes).toBe(1);
    await turns(50);
    expect([writes(), decoded]).toEqual([1, 2]);
    letGo();
    await eventually(() => client.frames.length).toBe(frames + 3);
    client.finish();
  });

  it('has the frames that wait thrown away when the session fails, unread, and one failure told', async () => {
    const { runtime, letGo, writes } = heldRuntime();
    const shutdown = new AbortController();
    const setup = await openWs({ runtime, limits: { maxFrames: 2 }, options: { shutdown: shutdown.signal } });
    const client = await setup.raw();
    const broken = rawFrame({ opcode: 1, data: '{' });
    // One is with the plugin, one in the session.
    client.write(rawText('x', 1), rawText('x', 1), broken, rawText('x', 1));
    await eventually(writes).toBe(1);
    await turns(50);
    shutdown.abort(new AigesError('shuttingDown'));
    letGo();
    await eventually(() => client.frames.map(({ opcode }) => opcode)).toEqual([1, 1, 8]);
    expect(setup.errors.map(({ kind }) => kind)).toEqual(['shuttingDown']);
    client.reset();
  });
});

describe('clients that are slower than their plugin', () => {
  it('64 of them hold as many results as documented, and lose none', async () => {
    const sessions = 64;
    const results = 160;
    const size = 64 * 1024;
    const maxUnsentBytes = 256 * 1024;
    let made = 0;
    const runtime = new FakeRuntime();
    runtime.openStream = () => {
      const stream = new FakeStream(runtime);
      // Gives the next result when it is asked for one, as plugins do.
      stream.results = async function* () {
        for (let i = 1; i <= results; i++) {
          made++;
          const data = Buffer.alloc(size, i);
          const status = i < results ? DataStatus.continue : DataStatus.end;
          const frame: Frame = { key: 'result', data, type: 1, status, desc: new Map() };
          yield await Promise.resolve(runtime.output([frame]));
        }
      };
      return stream;
    };
    const setup = await openWs({ runtime, permits: sessions, limits: { maxUnsentBytes } });
    const clients = await Promise.all(
      Array.from({ length: sessions }, async (_, index) => {
        // Half of them with, half without base64.
        const client = await setup.raw(index % 2 === 0 ? { 'sec-websocket-protocol': 'aiges.binary' } : {}, 2);
        client.pause();
        return client;
      }),
    );
    // When all of them are there: the first results keep the process busy.
    for (const client of clients) client.write(rawText('x', 2));
    while (runtime.streams.length < sessions) await turns(1);
    // Until nothing moves any more.
    let before = -1;
    while (before !== made) {
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    // 4 MiB in the session, what the connection may hold, and what the system takes beyond that.
    const held = 4 * 1024 * 1024 + maxUnsentBytes + 2 * size;
    expect(runtime.outputsAlive * size).toBeLessThanOrEqual(sessions * held);
    expect(made).toBeLessThan(sessions * results);
    expect(setup.service.load.running).toBe(sessions);
    for (const client of clients) {
      // One after the other: all of them together take a slow machine longer than anything should have to wait.
      client.resume();
      await eventually(() => client.frames.at(-1)?.opcode).toBe(8);
      const bytes = client.frames.slice(1, -1).reduce((sum, { length }) => sum + length, 0);
      expect(bytes).toBeGreaterThanOrEqual(results * size);
      expect(client.frames.filter(({ fin, opcode }) => fin && opcode !== 8)).toHaveLength(results + 1);
    }
    expect(made).toBe(sessions * results);
    await setup.expectNothingLeft();
    for (const client of clients) client.reset();
  }, 300_000);
});
