import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DelayWindow } from '../../../src/observability/delay-window.js';

describe('DelayWindow', () => {
  it('tells zeros while there is nothing', () => {
    expect(new DelayWindow(3, 1000, () => 5).read()).toEqual({ max: 0, min: 0, avg: 0, qps: 0 });
  });

  it('tells extremes, mean and rate of the whole window', () => {
    let now = 0;
    const window = new DelayWindow(4, 500, () => now);
    for (const ms of [1, 2, 6]) {
      window.add(ms);
      now += 500;
    }
    expect(window.read()).toEqual({ max: 6, min: 1, avg: 3, qps: 1.5 });
  });

  it('forgets slice by slice, and everything after a long silence', () => {
    let now = 0;
    const window = new DelayWindow(2, 100, () => now);
    window.add(10);
    now = 100;
    window.add(20);
    expect(window.read()).toMatchObject({ max: 20, min: 10 });
    now = 200;
    expect(window.read()).toMatchObject({ max: 20, min: 20 });
    now = 1_000_000;
    expect(window.read()).toEqual({ max: 0, min: 0, avg: 0, qps: 0 });
  });

  it('agrees with a list of everything that ever came', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 250 }), ms: fc.integer({ min: 0, max: 1000 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(step),
        (slices, sliceMs, steps) => {
          let now = 0;
          const window = new DelayWindow(slices, sliceMs, () => now);
          const all: { slice: number; ms: number }[] = [];
          for (const { wait, ms } of steps) {
            now += wait;
            window.add(ms);
            all.push({ slice: Math.floor(now / sliceMs), ms });
            const seen = all.filter(({ slice }) => slice > Math.floor(now / sliceMs) - slices).map((each) => each.ms);
            const { max, min, avg, qps } = window.read();
            expect([max, min]).toEqual([Math.max(...seen), Math.min(...seen)]);
            expect(avg).toBeCloseTo(seen.reduce((sum, each) => sum + each, 0) / seen.length);
            expect(qps).toBeCloseTo((seen.length * 1000) / (slices * sliceMs));
          }
        },
      ),
    );
  });
});
