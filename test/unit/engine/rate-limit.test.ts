import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimit } from '../../../src/engine/rate-limit.js';

describe('RateLimit', () => {
  it('lets a burst through and then one call per interval', () => {
    let now = 0;
    const limit = new RateLimit(100, 3, () => now);
    expect([1, 2, 3, 4].map(() => limit.take())).toEqual([true, true, true, false]);
    now = 99;
    expect(limit.take()).toBe(false);
    now = 100;
    expect(limit.take()).toBe(true);
    expect(limit.take()).toBe(false);
  });

  it('saves no more than a burst up', () => {
    let now = 0;
    const limit = new RateLimit(10, 2, () => now);
    now = 1_000_000;
    expect([1, 2, 3].map(() => limit.take())).toEqual([true, true, false]);
  });

  it('takes a burst of 0 as 1: a limit that lets nothing through is no use', () => {
    const limit = new RateLimit(10, 0, () => 0);
    expect([1, 2].map(() => limit.take())).toEqual([true, false]);
  });

  it('never lets more through than burst and time allow', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (waits, burst) => {
          let now = 0;
          let passed = 0;
          const limit = new RateLimit(50, burst, () => now);
          for (const wait of waits) {
            now += wait;
            if (limit.take()) passed++;
            expect(passed).toBeLessThanOrEqual(burst + now / 50);
          }
        },
      ),
    );
  });
});
