import { describe, expect, it } from 'vitest';
import type { Caller } from '../../../bench/callers.js';
import { drive } from '../../../bench/drive.js';

function caller(call: () => Promise<number>): Caller {
  return { call, close: () => undefined };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('drive', () => {
  it('fails with what the first failing call said, and makes no more calls', async () => {
    let calls = 0;
    const broken = caller(async () => {
      await turn();
      if (++calls === 5) throw new Error('the fifth is wrong');
      return 1;
    });
    await expect(drive([broken], 2, 1000)).rejects.toThrow('the fifth is wrong');
    expect(calls).toBeLessThanOrEqual(6);
  });

  it('makes exactly as many calls as asked for, as many at a time as there are lanes', async () => {
    let [running, most, calls] = [0, 0, 0];
    const count = caller(async () => {
      most = Math.max(most, ++running);
      await turn();
      running--;
      return ++calls;
    });
    const { latencies, seconds } = await drive([count, count], 3, 100);
    expect(calls).toBe(100);
    expect(most).toBe(6);
    expect(latencies).toHaveLength(100);
    expect([...latencies]).toEqual([...latencies].sort((a, b) => a - b));
    expect(seconds).toBeGreaterThan(0);
  });
});
