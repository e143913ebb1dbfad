import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyCollector } from '../../../../src/transports/http/body-collector.js';

const KiB = 1024;
const plenty = { take: () => undefined, drop: () => undefined };

describe('BodyCollector', () => {
  it('is empty when nothing comes', () => {
    expect(new BodyCollector(null, plenty).finish()).toHaveLength(0);
    expect(new BodyCollector(0, plenty).finish()).toHaveLength(0);
  });

  it.each([null, 2_000_000])('holds no chunk of one byte, of two million (announced: %s)', (announced) => {
    const body = new BodyCollector(announced, plenty);
    const chunk = Buffer.alloc(1);
    for (let i = 0; i < 2_000_000; i++) {
      // Whoever holds it finds it changed.
      chunk[0] = i % 251;
      body.add(chunk);
    }
    expect(body.length).toBe(2_000_000);
    const whole = body.finish();
    expect(whole).toHaveLength(2_000_000);
    expect(whole.findIndex((byte, i) => byte !== i % 251)).toBe(-1);
  });

  it.each([null, 400 * KiB])('copies large chunks once (announced: %s)', (announced) => {
    const copied: number[] = [];
    const chunks = Array.from({ length: 100 }, () => counted(Buffer.alloc(4 * KiB, 7), copied));
    const body = new BodyCollector(announced, plenty);
    for (const chunk of chunks) body.add(chunk);
    expect(body.finish().equals(Buffer.alloc(400 * KiB, 7))).toBe(true);
    expect(copied).toEqual(chunks.map(() => 4 * KiB));
  });

  it('keeps no room for what is only announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const bodies = Array.from({ length: 100 }, () => {
      const body = new BodyCollector(64 * KiB * KiB, plenty);
      body.add(Buffer.from('{'));
      return body;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(bodies.length * 2 * KiB);
  });

  it('takes as much memory as has come, and the rest of it when half has come', () => {
    const taken: number[] = [];
    const hold = { ...plenty, take: (bytes: number) => taken.push(bytes) };
    const announced = new BodyCollector(10_000, hold);
    for (let i = 0; i < 10; i++) announced.add(Buffer.alloc(1000));
    expect(taken).toEqual([1000, 1000, 1000, 1000, 6000]);
    taken.length = 0;
    const chunked = new BodyCollector(null, hold);
    for (const length of [1, 5000, 2]) chunked.add(Buffer.alloc(length));
    expect(taken).toEqual([1, 5000, 2]);
  });

  it('has everything in its order, however it came', () => {
    const chunks = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 10 * KiB })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(chunks, fc.boolean(), (lengths, announces) => {
        const all = Buffer.from(
          Array.from({ length: lengths.reduce((sum, each) => sum + each, 0) }, (_, i) => i % 251),
        );
        const body = new BodyCollector(announces ? all.length : null, plenty);
        let at = 0;
        for (const length of lengths) body.add(Buffer.from(all.subarray(at, (at += length))));
        expect(body.finish().equals(all)).toBe(true);
      }),
    );
  });
});

/** Notes what is copied out of it. */
function counted(chunk: Buffer, copied: number[]): Buffer {
  const copy = chunk.copy.bind(chunk);
  chunk.copy = (target, ...rest) => {
    const bytes = copy(target, ...rest);
    copied.push(bytes);
    return bytes;
  };
  return chunk;
}
