import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcCall,
  GrpcError,
  type GrpcServer,
  GrpcStatus,
  type Message,
  type Reply,
} from '../../../../src/transports/grpc/server.js';
import type { WireServerOptions } from '../../../../src/transports/grpc/wire.js';
import { eventually } from '../../../fixtures/eventually.js';
import { gate } from '../../../fixtures/fake-runtime.js';
import { wireServer } from '../../../fixtures/grpc-servers.js';
import { framed, Http2Client, readAll } from '../../../fixtures/http2-client.js';

const path = '/a.B/c';
const large = 1 << 20;

let server: GrpcServer;
const clients: Http2Client[] = [];

beforeEach(() => {
  server = wireServer();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.drain(AbortSignal.abort());
  if (server.stats() === null) return;
  const nothing = { connections: 0, calls: 0, bytesHeld: 0, bytesQueued: 0, tokens: 0 };
  await eventually(() => server.stats()).toMatchObject(nothing);
});

async function connect(options: { window?: number } = {}): Promise<Http2Client> {
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const client = new Http2Client(port, options);
  clients.push(client);
  return client;
}

function limited(changes: Partial<WireServerOptions>): void {
  server = wireServer(changes);
}

/** A reply that counts how often it was released. */
function counted(chunks: Uint8Array[], released: { times: number }): Reply {
  return { chunks, release: () => released.times++ };
}

describe('the wire', () => {
  it('takes no method once it listens', async () => {
    await server.listen({ host: '127.0.0.1', port: 0 });
    expect(() => {
      server.unary(path, () => Promise.resolve({ chunks: [] }));
    }).toThrow('/a.B/c is registered after listen');
  });

  it('does not listen again after it was drained', async () => {
    await server.drain(new AbortController().signal);
    await expect(server.listen({ host: '127.0.0.1', port: 0 })).rejects.toThrow('the server has been stopped');
  });

  it('says that an address is not one of this machine', async () => {
    await expect(server.listen({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  it('listens on a host name', async () => {
    server.unary(path, ({ message }) => Promise.resolve({ chunks: [message.bytes] }));
    const { host, port } = await server.listen({ host: 'localhost', port: 0 });
    expect(host).toBe('localhost');
    const client = new Http2Client(port);
    clients.push(client);
    expect(await client.call(path, framed(Buffer.from('hi')))).toMatchObject({
      status: 0,
      body: framed(Buffer.from('hi')),
    });
  });

  it('lets two servers share a port when both are told to', async () => {
    limited({ reusePort: true });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    const other = wireServer({ reusePort: true });
    expect((await other.listen({ host: '127.0.0.1', port })).port).toBe(port);
    await other.drain(AbortSignal.abort());
  });

  it('closes a connection that never says what it wants', async () => {
    limited({ handshakeTimeoutMs: 50 });
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    const { connect: dial } = await import('node:net');
    const socket = dial(port, '127.0.0.1');
    socket.resume();
    await new Promise((resolve) => socket.on('close', resolve));
  });
});

describe('metadata that is not allowed', () => {
  const bad: [string, [string, (string | Uint8Array)[]]][] = [
    ['a key with a blank', ['a b', ['x']]],
    ['a value with a line break', ['a', ['x\ny']]],
    ['text for a -bin key', ['a-bin', ['x']]],
    ['bytes for a key of text', ['a', [Buffer.from('x')]]],
  ];

  it.each(bad)('ends a call with UNKNOWN where a handler sends %s', async (_, [key, values]) => {
    server.unary(path, (call) => {
      call.sendMetadata(new Map([[key, values]]));
      return Promise.resolve({ chunks: [] });
    });
    expect(await (await connect()).call(path, framed(Buffer.alloc(0)))).toMatchObject({
      status: GrpcStatus.unknown,
      message: 'internal error',
    });
  });

  it.each(bad)('ends a call with UNKNOWN where an error carries %s', async (_, [key, values]) => {
    server.unary(path, () => Promise.reject(new GrpcError(GrpcStatus.internal, 'no', new Map([[key, values]]))));
    expect(await (await connect()).call(path, framed(Buffer.alloc(0)))).toMatchObject({
      status: GrpcStatus.unknown,
      message: 'internal error',
    });
  });
});

describe('metadata of more than 64 KiB', () => {
  const metadata = new Map([['large', ['x'.repeat(100_000)]]]);

  it('at the beginning ends a call with RESOURCE_EXHAUSTED', async () => {
    server.unary(path, (call) => {
      call.sendMetadata(metadata);
      return Promise.resolve({ chunks: [Buffer.alloc(large)] });
    });
    const { status, message } = await (await connect()).call(path, framed(Buffer.alloc(0)));
    expect({ status, message }).toEqual({
      status: GrpcStatus.resourceExhausted,
      message: "the server's initial metadata is longer than an HTTP/2 header block may be (64 KiB)",
    });
  });

  it('at the end does so after the messages', async () => {
    server.unary(path, (call) => {
      call.setTrailers(metadata);
      return Promise.resolve({ chunks: [Buffer.from('answer')] });
    });
    const { status, body } = await (await connect()).call(path, framed(Buffer.alloc(0)));
    expect({ status, body }).toEqual({ status: GrpcStatus.resourceExhausted, body: framed(Buffer.from('answer')) });
    expect(server.stats()?.metadataUnsendable).toBe(1);
  });
});

describe('what a handler sees of a call', () => {
  async function seen(headers = {}): Promise<GrpcCall> {
    const call = gate<GrpcCall>();
    server.unary(path, (started) => {
      call.open(started);
      return Promise.resolve({ chunks: [] });
    });
    await (await connect()).call(path, framed(Buffer.alloc(0)), headers);
    return call.promise;
  }

  it('is metadata that can be read after the call has ended', async () => {
    const { metadata } = await seen({ many: ['a', 'b'], 'raw-bin': Buffer.from([0, 255]).toString('base64') });
    expect(metadata.get('many')?.join()).toMatch(/^a, ?b$/);
    expect(metadata.get('raw-bin')).toEqual([Buffer.from([0, 255])]);
    expect([...metadata.keys()].filter((key) => /^(:|grpc-|te$|content-type$)/.test(key))).toEqual([]);
  });

  it('is a deadline on the clock of performance.now()', async () => {
    const before = performance.now();
    const { deadline } = await seen({ 'grpc-timeout': '100S' });
    expect(deadline).toBeGreaterThanOrEqual(before + 99_999);
    expect(deadline).toBeLessThanOrEqual(performance.now() + 100_001);
  });

  it('is no deadline when the client gave none', async () => {
    expect((await seen()).deadline).toBe(Infinity);
  });

  it('is the right peer for each of many connections, also when their numbers are used again', async () => {
    server.unary(path, ({ peer, local }) =>
      Promise.resolve({ chunks: [Buffer.from(`${String(peer?.port)} ${String(local?.port)}`)] }),
    );
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    for (let round = 0; round < 5; round++) {
      const some = Array.from({ length: 40 }, () => new Http2Client(port));
      await Promise.all(
        some.map(async (client) => {
          const { body } = await client.call(path, framed(Buffer.alloc(0)));
          expect(body.subarray(5).toString()).toBe(`${String(client.session.socket.localPort)} ${port}`);
          client.close();
        }),
      );
    }
  });
});

describe('the memory of a message', () => {
  /** Answers once the gate opens, and gives the message away. */
  function holding(): { message: Promise<Message>; answer: () => void } {
    const message = gate<Message>();
    const answer = gate();
    server.unary(path, async (call) => {
      message.open(call.message);
      await answer.promise;
      return { chunks: [] };
    });
    return { message: message.promise, answer: answer.open };
  }

  it('goes with the reply', async () => {
    const { message, answer } = holding();
    const ended = (await connect()).call(path, framed(Buffer.alloc(large, 7)));
    const { bytes } = await message;
    expect(bytes).toHaveLength(large);
    expect(server.stats()?.bytesHeld).toBeGreaterThanOrEqual(large);
    answer();
    await ended;
    expect(bytes).toHaveLength(0);
  });

  it('stays as long as somebody else holds it', async () => {
    const { message, answer } = holding();
    const ended = (await connect()).call(path, framed(Buffer.alloc(large, 7)));
    const held = await message;
    held.retain();
    answer();
    await ended;
    expect(Buffer.compare(held.bytes, Buffer.alloc(large, 7))).toBe(0);
    held.release();
    expect(held.bytes).toHaveLength(0);
  });

  it('goes when the client has left and the handler has returned', async () => {
    const { message, answer } = holding();
    const client = await connect();
    client.open(path).end(framed(Buffer.alloc(large)));
    const { bytes } = await message;
    client.close();
    await eventually(() => server.stats()?.calls).toBe(0);
    expect(bytes).toHaveLength(large);
    answer();
    await eventually(() => bytes).toHaveLength(0);
  });

  it('is the received memory itself when it is large', async () => {
    server.unary(path, ({ message }) => Promise.resolve({ chunks: [message.bytes] }));
    const data = Buffer.from(Array.from({ length: large }, (_, i) => i % 251));
    const client = await connect();
    const { body } = await client.call(path, framed(data));
    expect(body.equals(framed(data))).toBe(true);
    // The wire copies the bytes from its read buffer to their place, once.
    expect(server.stats()?.bytesCopiedOut).toBeLessThan(1000);
  });
});

describe('a reply', () => {
  const sizes: [string, number[]][] = [
    ['nothing', []],
    ['empty chunks', [0, 0]],
    ['small chunks', [1, 100, 16_000]],
    ['small chunks around a large one', [10, large, 10]],
    ['large chunks', [large, 0, 2 * large]],
    ['more small chunks than are copied', Array.from({ length: 50 }, (_, i) => 1000 + i)],
  ];

  it.each(sizes)('of %s arrives in order and is released once', async (_, lengths) => {
    const released = { times: 0 };
    const chunks = lengths.map((length, i) => Buffer.alloc(length, i + 1));
    server.unary(path, () => Promise.resolve(counted(chunks, released)));
    const { status, body } = await (await connect({ window: 8 << 20 })).call(path, framed(Buffer.alloc(0)));
    expect(status).toBe(0);
    expect(body.equals(framed(Buffer.concat(chunks)))).toBe(true);
    await eventually(() => released.times).toBe(1);
  });

  it('is released once when it is longer than allowed', async () => {
    limited({ maxSendBytes: 1000 });
    const released = { times: 0 };
    server.unary(path, () => Promise.resolve(counted([Buffer.alloc(1001)], released)));
    expect(await (await connect()).call(path, framed(Buffer.alloc(0)))).toMatchObject({
      status: GrpcStatus.resourceExhausted,
      message: 'grpc: trying to send message larger than max (1001 vs. 1000)',
    });
    expect(released.times).toBe(1);
  });

  it('is released once when the client left before it was made', async () => {
    const released = { times: 0 };
    const started = gate();
    const answer = gate();
    server.unary(path, async () => {
      started.open();
      await answer.promise;
      return counted([Buffer.alloc(large)], released);
    });
    const client = await connect();
    client.open(path).end(framed(Buffer.alloc(0)));
    await started.promise;
    client.close();
    await eventually(() => server.stats()?.calls).toBe(0);
    answer.open();
    await eventually(() => released.times).toBe(1);
  });

  it.each(['leaves', 'cancels'])('is released once when the client %s in the middle of it', async (how) => {
    const released = { times: 0 };
    server.unary(path, () => Promise.resolve(counted([Buffer.alloc(4 * large - 10)], released)));
    const client = await connect();
    const stream = client.open(path);
    stream.end(framed(Buffer.alloc(0)));
    await new Promise((resolve) => stream.on('response', resolve));
    await eventually(() => server.stats()?.bytesQueued).toBeGreaterThan(0);
    expect(released.times).toBe(0);
    if (how === 'leaves') client.close();
    else stream.close(8);
    await eventually(() => released.times).toBe(1);
  });

  it('is released once when the server stops under it', async () => {
    const released = { times: 0 };
    let started = 0;
    server.unary(path, () => {
      started++;
      return Promise.resolve(counted([Buffer.alloc(large)], released));
    });
    const client = await connect();
    for (let i = 0; i < 50; i++) client.open(path).end(framed(Buffer.alloc(large)));
    await eventually(() => started).toBeGreaterThan(10);
    await server.drain(AbortSignal.abort());
    expect(released.times).toBe(started);
  });
});

describe('a compressed message', () => {
  const headers = { 'grpc-encoding': 'gzip' };
  const zipped = (data: Buffer): Buffer => framed(gzipSync(data), { compressed: true });

  function echo(): void {
    server.unary(path, ({ message }) => Promise.resolve({ chunks: [message.bytes] }));
    server.stream('/a.B/s', async function* ({ messages }): AsyncIterable<Reply> {
      for await (const { bytes } of messages) yield { chunks: [bytes] };
    });
  }

  /** Handlers that answer when they are let. */
  function held(): { started: () => number; calls: { open: () => void } } {
    let started = 0;
    const calls = gate();
    server.unary(path, async () => {
      started++;
      await calls.promise;
      return { chunks: [] };
    });
    server.stream('/a.B/s', async function* ({ messages }): AsyncIterable<Reply> {
      for await (const { bytes } of messages) {
        started++;
        yield { chunks: [bytes] };
      }
    });
    return { started: () => started, calls: { open: calls.open } };
  }

  it.each([path, '/a.B/s'])('that is too long is refused while it is decompressed (%s)', async (method) => {
    limited({ maxReceiveBytes: 1000 });
    echo();
    expect(await (await connect()).call(method, zipped(Buffer.alloc(1001)), headers)).toMatchObject({
      status: GrpcStatus.resourceExhausted,
      message: 'Received message that decompresses to a size larger than 1000',
    });
  });

  it.each([path, '/a.B/s'])('that is not gzip is refused (%s)', async (method) => {
    echo();
    const client = await connect();
    expect(await client.call(method, framed(Buffer.from('hello'), { compressed: true }), headers)).toMatchObject({
      status: GrpcStatus.internal,
      message: 'Failed to decompress message',
    });
  });

  it.each([path, '/a.B/s'])('is decompressed (%s)', async (method) => {
    echo();
    const client = await connect();
    for (const data of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(large, 7)]) {
      expect((await client.call(method, zipped(data), headers)).body.equals(framed(data))).toBe(true);
    }
  });

  // A quarter of it is for what has been inflated: four of these.
  const tight = { maxReceiveBytes: 64 << 10, totalMemory: 1 << 20 };
  const bomb = zipped(Buffer.alloc(60 << 10, 7));

  it('that waits for memory goes with its call, and with the server', async () => {
    limited(tight);
    const { started, calls } = held();
    const client = await connect();
    for (let i = 0; i < 4; i++) client.open(path, headers).end(bomb);
    await eventually(() => started()).toBe(4);
    const cancelled = client.open(path, headers);
    cancelled.end(bomb);
    const late = client.call(path, bomb, { ...headers, 'grpc-timeout': '50m' });
    client.open('/a.B/s', headers).end(bomb);
    await eventually(() => server.stats()?.callsStarted).toBe(7);
    cancelled.close(8);
    expect(await late).toMatchObject({ status: GrpcStatus.deadlineExceeded });
    await server.drain(AbortSignal.abort());
    calls.open();
    expect(started()).toBe(4);
  });

  it('waits while others have the memory, so that 200 at once are answered a few at a time', async () => {
    limited(tight);
    let now = 0;
    let most = 0;
    const two = gate();
    server.unary(path, async ({ message }) => {
      most = Math.max(most, ++now);
      if (now === 2) two.open();
      await two.promise;
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return { chunks: [message.bytes] };
    });
    const client = await connect({ window: 1 << 20 });
    const answers = await Promise.all(Array.from({ length: 200 }, () => client.call(path, bomb, headers)));
    const whole = framed(Buffer.alloc(60 << 10, 7));
    expect(answers.filter(({ status, body }) => status === 0 && body.equals(whole))).toHaveLength(200);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('waits for no client that leaves its answer unread', async () => {
    limited(tight);
    echo();
    const stalled = await connect({ window: 0 });
    for (let i = 0; i < 8; i++) stalled.open(path, headers).end(bomb);
    await eventually(() => server.stats()?.tokens).toBe(8);
    const other = await connect();
    expect((await other.call(path, bomb, headers)).body).toHaveLength(5 + (60 << 10));
  });

  it('of a stream waits for those of others, and not for the ones before it', async () => {
    limited({ ...tight, maxReceiveBytes: 1 << 20 });
    echo();
    const client = await connect({ window: 8 << 20 });
    const parts = Array.from({ length: 10 }, (_, i) => Buffer.alloc(large, i));
    const sent = Buffer.concat(parts.map(zipped));
    const bodies = await Promise.all([1, 2, 3].map(() => client.call('/a.B/s', sent, headers)));
    const whole = Buffer.concat(parts.map((part) => framed(part)));
    expect(bodies.map(({ body }) => body.equals(whole))).toEqual([true, true, true]);
  });

  it('keeps its place among others', async () => {
    echo();
    const parts = [zipped(Buffer.alloc(large, 1)), framed(Buffer.from('2')), zipped(Buffer.from('3'))];
    const { body } = await (await connect()).call('/a.B/s', Buffer.concat(parts), headers);
    const plain = [Buffer.alloc(large, 1), Buffer.from('2'), Buffer.from('3')].map((data) => framed(data));
    expect(body.equals(Buffer.concat(plain))).toBe(true);
  });
});

describe('a stream', () => {
  it('ends with the error of a handler that throws at once', async () => {
    server.stream(path, () => {
      throw new GrpcError(GrpcStatus.invalidArgument, 'no');
    });
    const client = await connect();
    expect(await client.call(path, framed(Buffer.from('x')))).toMatchObject({ status: GrpcStatus.invalidArgument });
  });

  it('ends with a reply that is longer than allowed, and pulls no further one', async () => {
    limited({ maxSendBytes: 10 });
    const released = { times: 0 };
    let cleaned = false;
    server.stream(path, async function* (): AsyncIterable<Reply> {
      await Promise.resolve();
      try {
        for (;;) yield counted([Buffer.alloc(11)], released);
      } finally {
        cleaned = true;
      }
    });
    const client = await connect();
    expect(await client.call(path, framed(Buffer.alloc(0)))).toMatchObject({ status: GrpcStatus.resourceExhausted });
    expect({ ...released, cleaned }).toEqual({ times: 1, cleaned: true });
  });

  it('tells a handler that waits for a message that the client has left', async () => {
    const failed = gate<unknown>();
    const aborted = gate();
    server.stream(path, async function* ({ messages, signal }): AsyncIterable<Reply> {
      signal.addEventListener('abort', () => {
        aborted.open();
      });
      try {
        for await (const { bytes } of messages) yield { chunks: [bytes] };
      } catch (error) {
        failed.open(error);
      }
    });
    const client = await connect();
    const stream = client.open(path);
    stream.write(framed(Buffer.from('x')));
    await new Promise((resolve) => stream.on('response', resolve));
    client.close();
    expect(await failed.promise).toMatchObject({ status: GrpcStatus.cancelled });
    await aborted.promise;
  });

  it('ends when its handler does not read on', async () => {
    server.stream(path, async function* ({ messages }): AsyncIterable<Reply> {
      for await (const { bytes } of messages) {
        yield { chunks: [bytes] };
        return;
      }
    });
    const client = await connect();
    const stream = client.open(path);
    const ended = readAll(stream);
    stream.write(framed(Buffer.from('1')));
    stream.write(framed(Buffer.from('2')));
    expect(await ended).toMatchObject({ status: 0, body: framed(Buffer.from('1')) });
  });

  it('asks for the next reply when the client has taken the last one', async () => {
    const released = { times: 0 };
    let pulled = 0;
    const total = 20;
    server.stream(path, async function* (): AsyncIterable<Reply> {
      await Promise.resolve();
      while (pulled < total) {
        pulled++;
        yield counted([Buffer.alloc(large, pulled)], released);
      }
    });
    const client = await connect();
    const stream = client.open(path);
    stream.end(framed(Buffer.alloc(0)));
    await new Promise((resolve) => stream.on('response', resolve));
    await eventually(() => pulled).toBe(1);
    // The client's window is 64 KiB: without reading, the first reply never ends.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect({ pulled, ...released }).toEqual({ pulled: 1, times: 0 });
    const { body } = await readAll(stream);
    expect(body.length).toBe(total * (large + 5));
    expect(released.times).toBe(total);
  });

  it('holds back a client that sends more than its handler reads', async () => {
    limited({ streamWindow: 128 << 10, connectionWindow: 256 << 10 });
    const read = gate();
    let bytes = 0;
    server.stream(path, async function* ({ messages }): AsyncIterable<Reply> {
      await read.promise;
      for await (const message of messages) bytes += message.bytes.length;
      yield { chunks: [Buffer.from(String(bytes))] };
    });
    const client = await connect();
    const stream = client.open(path);
    const ended = readAll(stream);
    const count = 400;
    for (let i = 0; i < count; i++) stream.write(framed(Buffer.alloc(64 << 10)));
    stream.end();
    await eventually(() => server.stats()?.bytesHeld).toBeGreaterThan(64 << 10);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.stats()?.bytesHeld).toBeLessThan(1 << 20);
    read.open();
    expect((await ended).body.subarray(5).toString()).toBe(String(count * (64 << 10)));
  });

  it('keeps the memory of a message that a reply refers to until the reply is out', async () => {
    server.stream(path, async function* ({ messages }): AsyncIterable<Reply> {
      for await (const { bytes } of messages) yield { chunks: [bytes] };
    });
    const client = await connect();
    const stream = client.open(path);
    const sent = Array.from({ length: 10 }, (_, i) => framed(Buffer.alloc(large, i)));
    for (const message of sent) stream.write(message);
    stream.end();
    await new Promise((resolve) => stream.on('response', resolve));
    const { body } = await readAll(stream);
    expect(body.equals(Buffer.concat(sent))).toBe(true);
  });
});

describe('draining', () => {
  it('lets an open stream end, and then resolves by itself', async () => {
    const started = gate();
    const finish = gate();
    server.stream(path, async function* (): AsyncIterable<Reply> {
      started.open();
      await finish.promise;
      yield { chunks: [Buffer.from('done')] };
    });
    const client = await connect();
    const stream = client.open(path);
    const ended = readAll(stream);
    stream.end(framed(Buffer.alloc(0)));
    await started.promise;
    const drained = server.drain(new AbortController().signal);
    finish.open();
    expect(await ended).toMatchObject({ status: 0, body: framed(Buffer.from('done')) });
    await drained;
  });

  it('is the same for everybody who asks', async () => {
    await connect();
    await Promise.all([server.drain(AbortSignal.timeout(1)), server.drain(AbortSignal.timeout(1))]);
    await server.drain(new AbortController().signal);
  });
});
