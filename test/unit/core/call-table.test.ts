import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallTable } from '../../../src/core/call-table.js';

describe('CallTable', () => {
  it('should know nothing of a number that was never set, nor of one that was deleted', () => {
    const table = new CallTable<{ name: string }>();
    expect(table.get(0)).toBeUndefined();
    table.delete(0);
    table.set(0, { name: 'a' });
    table.delete(0);
    expect(table.get(0)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it('should keep one that is under way for long apart from those that come after it', () => {
    const table = new CallTable<{ n: number }>();
    table.set(1, { n: 1 });
    for (let n = 2; n < 1000; n++) {
      table.set(n, { n });
      expect(table.get(n)).toEqual({ n });
      expect(table.get(1)).toEqual({ n: 1 });
      table.delete(n);
    }
    expect(table.size).toBe(1);
  });

  it('should hold whatever a Map would, for numbers that grow', () => {
    const step = fc.record({ gap: fc.integer({ min: 1, max: 70 }), ends: fc.array(fc.nat(200), { maxLength: 4 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new CallTable<{ n: number }>();
        const model = new Map<number, { n: number }>();
        let n = 0;
        for (const { gap, ends } of steps) {
          n += gap;
          const entry = { n };
          table.set(n, entry);
          model.set(n, entry);
          for (const back of ends) {
            table.delete(n - back);
            model.delete(n - back);
            expect(table.get(n - back)).toBeUndefined();
          }
          expect(table.size).toBe(model.size);
        }
        for (const [number, entry] of model) expect(table.get(number)).toBe(entry);
        expect(new Set(table.values())).toEqual(new Set(model.values()));
        table.clear();
        expect([...table.values()]).toEqual([]);
      }),
    );
  });
});
