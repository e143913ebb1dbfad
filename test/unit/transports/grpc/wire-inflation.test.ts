import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { GrpcStatus } from '../../../../src/transports/grpc/server.js';
import { Inflation } from '../../../../src/transports/grpc/wire-inflation.js';
import { WireMessage } from '../../../../src/transports/grpc/wire-message.js';

const KiB = 1024;
const patient = { signal: new AbortController().signal };

/** A message that becomes `bytes` zeros, or these bytes. */
function zipped(bytes: number | Uint8Array): WireMessage {
  return new WireMessage(gzipSync(typeof bytes === 'number' ? Buffer.alloc(bytes) : bytes), null);
}

/** One that says that it becomes `bytes`. */
function lying(message: WireMessage, bytes: number): WireMessage {
  const lie = Buffer.from(message.bytes);
  lie.writeUInt32LE(bytes, lie.length - 4);
  return new WireMessage(lie, null);
}

/** Whether a promise has settled once everything else had its turn. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const later = new Promise<false>((resolve) => setImmediate(() => setImmediate(resolve, false)));
  const now = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([now, later]);
}

describe('what cannot be inflated', () => {
  const options = { maxBytes: 64 * KiB, memory: 64 * KiB };

  it.each([
    ['is not gzip', new WireMessage(Buffer.from('hello'), null), GrpcStatus.internal],
    ['is empty', new WireMessage(Buffer.alloc(0), null), GrpcStatus.internal],
    ['is cut short', new WireMessage(gzipSync(Buffer.alloc(1000)).subarray(0, 15), null), GrpcStatus.internal],
    ['is not as long as it says', lying(zipped(1000), 1001), GrpcStatus.internal],
    ['is too long', zipped(64 * KiB + 1), GrpcStatus.resourceExhausted],
  ])('is refused and holds nothing when it %s', async (_, message, status) => {
    const inflation = new Inflation(options);
    await expect(inflation.inflate(message, patient)).rejects.toMatchObject({ status });
    expect(inflation.held).toBe(0);
  });

  it('lets those behind it begin', async () => {
    const inflation = new Inflation(options);
    const bad = inflation.inflate(lying(zipped(64 * KiB), 1), patient);
    const good = inflation.inflate(zipped(64 * KiB), patient);
    await expect(bad).rejects.toThrow('Failed to decompress message');
    expect((await good).bytes).toHaveLength(64 * KiB);
  });
});

describe('a message that has to wait', () => {
  /** One of 64 KiB has all the memory. */
  async function full(): Promise<{ inflation: Inflation; first: WireMessage }> {
    const inflation = new Inflation({ maxBytes: 64 * KiB, memory: 64 * KiB });
    return { inflation, first: await inflation.inflate(zipped(60 * KiB), patient) };
  }

  it('does not begin for a call that has ended', async () => {
    const { inflation } = await full();
    const held = inflation.held;
    const gone = inflation.inflate(zipped(60 * KiB), { signal: AbortSignal.abort(new Error('left')) });
    await expect(gone).rejects.toThrow('left');
    expect(inflation.held).toBe(held);
  });

  it('gives its place up when its call ends', async () => {
    const { inflation, first } = await full();
    const call = new AbortController();
    const gone = inflation.inflate(zipped(60 * KiB), call);
    const next = inflation.inflate(zipped(60 * KiB), patient);
    call.abort(new Error('left'));
    await expect(gone).rejects.toThrow('left');
    expect(await settled(next)).toBe(false);
    first.release();
    (await next).release();
    expect(inflation.held).toBe(0);
  });

  it('lets smaller ones behind it begin when its call ends', async () => {
    const inflation = new Inflation({ maxBytes: 64 * KiB, memory: 96 * KiB });
    await inflation.inflate(zipped(60 * KiB), patient);
    const call = new AbortController();
    const gone = inflation.inflate(zipped(60 * KiB), call);
    const small = inflation.inflate(zipped(Buffer.from('small')), patient);
    expect(await settled(small)).toBe(false);
    call.abort(new Error('left'));
    await expect(gone).rejects.toThrow('left');
    expect(Buffer.from((await small).bytes).toString()).toBe('small');
  });

  it('begins when there is memory, in its order', async () => {
    const { inflation, first } = await full();
    const order: number[] = [];
    const rest = [1, 2, 3].map(async (n) => {
      const message = await inflation.inflate(zipped(60 * KiB), patient);
      order.push(n);
      message.release();
    });
    expect(await settled(Promise.race(rest))).toBe(false);
    first.release();
    await Promise.all(rest);
    expect(order).toEqual([1, 2, 3]);
    expect(inflation.held).toBe(0);
  });

  it('waits until the last reference to another is dropped', async () => {
    const { inflation, first } = await full();
    first.retain();
    const next = inflation.inflate(zipped(60 * KiB), patient);
    first.release();
    expect(await settled(next)).toBe(false);
    first.release();
    await next;
  });
});

describe('the memory of inflated messages', () => {
  it('is what they keep, once that is known', async () => {
    const inflation = new Inflation({ maxBytes: 1024 * KiB, memory: 4096 * KiB });
    const message = await inflation.inflate(zipped(100 * KiB), patient);
    expect(inflation.held).toBe(100 * KiB + 1);
    message.release();
    expect(inflation.held).toBe(0);
  });

  it('may all go to one that is larger', async () => {
    const inflation = new Inflation({ maxBytes: 1024 * KiB, memory: 64 * KiB });
    const one = await inflation.inflate(zipped(1024 * KiB), patient);
    const other = inflation.inflate(zipped(1024 * KiB), patient);
    expect(await settled(other)).toBe(false);
    one.release();
    expect((await other).bytes).toHaveLength(1024 * KiB);
  });

  it('is that of all its parts, whatever the last one says', async () => {
    const inflation = new Inflation({ maxBytes: 1024 * KiB, memory: 1024 * KiB });
    const data = Buffer.alloc(500 * KiB, 7);
    const parts = new WireMessage(Buffer.concat([zipped(data).bytes, zipped(Buffer.from('end')).bytes]), null);
    const message = await inflation.inflate(parts, patient);
    expect(Buffer.compare(message.bytes, Buffer.concat([data, Buffer.from('end')]))).toBe(0);
    expect(inflation.held).toBeGreaterThan(500 * KiB);
    message.release();
    expect(inflation.held).toBe(0);
  });

  it('is no more than it can become, however long it says it is', async () => {
    const inflation = new Inflation({ maxBytes: 1024 * KiB, memory: 1024 * KiB });
    const refused = inflation.inflate(lying(zipped(1), 0xffff_ffff), patient);
    expect(inflation.held).toBeLessThan(32 * KiB);
    await expect(refused).rejects.toThrow('Failed to decompress message');
  });
});
