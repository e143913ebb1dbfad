import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reorder } from '../../../src/engine/reorder.js';

interface Box<T> {
  readonly value: T;
}

const box = <T>(value: T): Box<T> => ({ value });

function takeAll<T>(reorder: Reorder<Box<T>>): T[] {
  const taken: T[] = [];
  for (let next = reorder.take(); next !== undefined; next = reorder.take()) taken.push(next.value);
  return taken;
}

describe('Reorder', () => {
  it('drops a packet whose number has been passed', () => {
    const reorder = new Reorder<Box<string>>(0, 10);
    reorder.put(0, box('a'));
    reorder.take();
    expect(reorder.put(0, box('again'))).toMatchObject({ why: 'late' });
    expect(reorder.put(-5, box('negative'))).toMatchObject({ why: 'late' });
    expect(reorder.size).toBe(0);
  });

  it('refuses a packet beyond its capacity, but replaces one that waits', () => {
    const reorder = new Reorder<Box<string>>(0, 2);
    expect(reorder.put(5, box('a'))).toMatchObject({ kept: true });
    expect(reorder.put(6, box('b'))).toMatchObject({ kept: true });
    expect(reorder.put(7, box('c'))).toMatchObject({ why: 'full' });
    expect(reorder.put(6, box('newer'))).toEqual({ kept: true, replaced: box('b') });
    reorder.skip();
    expect(takeAll(reorder)).toEqual(['a', 'newer']);
  });

  it('gives nothing while the packet whose turn it is has not come', () => {
    const reorder = new Reorder<Box<number>>(1, 10);
    reorder.put(2, box(2));
    expect(reorder.blocked).toBe(true);
    expect(reorder.take()).toBeUndefined();
    reorder.put(1, box(1));
    expect(reorder.blocked).toBe(false);
    expect(takeAll(reorder)).toEqual([1, 2]);
  });

  it('goes on with the lowest packet that waits when told to skip', () => {
    const reorder = new Reorder<Box<number>>(1, 10);
    for (const number of [9, 4, 5]) reorder.put(number, box(number));
    reorder.skip();
    expect(takeAll(reorder)).toEqual([4, 5]);
    expect(reorder.blocked).toBe(true);
    reorder.skip();
    expect(takeAll(reorder)).toEqual([9]);
  });

  it('skips nothing when nothing is missing', () => {
    const reorder = new Reorder<Box<number>>(1, 10);
    reorder.skip();
    reorder.put(1, box(1));
    reorder.skip();
    expect(takeAll(reorder)).toEqual([1]);
  });

  it('goes on behind a gap however many packets wait there', () => {
    const count = 200_000;
    const reorder = new Reorder<Box<number>>(0, count);
    for (let number = count; number > 0; number--) reorder.put(number, box(number));
    reorder.skip();
    expect(takeAll(reorder)).toHaveLength(count);
  });

  it('gives any permutation of packets in order, each once', () => {
    const order = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 60 });
    fc.assert(
      fc.property(order, fc.array(fc.nat(60), { maxLength: 30 }), (numbers, repeats) => {
        const reorder = new Reorder<Box<number>>(0, 100);
        const taken: number[] = [];
        for (const number of [...numbers, ...repeats.filter((number) => numbers.includes(number))]) {
          reorder.put(number, box(number));
          taken.push(...takeAll(reorder));
        }
        while (reorder.blocked) {
          reorder.skip();
          taken.push(...takeAll(reorder));
        }
        expect(taken).toEqual([...numbers].sort((a, b) => a - b));
        expect(reorder.size).toBe(0);
      }),
    );
  });

  it('never holds more than its capacity', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -10, max: 100 })),
        fc.integer({ min: 1, max: 10 }),
        (numbers, capacity) => {
          const reorder = new Reorder<Box<number>>(0, capacity);
          for (const number of numbers) {
            reorder.put(number, box(number));
            expect(reorder.size).toBeLessThanOrEqual(capacity);
          }
        },
      ),
    );
  });
});
