import { describe, expect, it } from 'vitest';
import { counters } from '../../../src/runtimes/native/index.js';
import {
  judgeLatency,
  judgeMemory,
  liveWhenEnded,
  mostGrowth,
  nonZero,
  type Tenth,
} from '../../../bench/soak-verdict.js';

const tenth = (changes: Partial<Tenth> = {}): Tenth => ({
  requests: 1000,
  seconds: 1,
  p50: 100,
  p99: 900,
  bare: 50,
  rss: 100 << 20,
  ...changes,
});

describe('judgeMemory', () => {
  it('fails when nothing was measured', () => {
    expect(judgeMemory([])).toMatchObject({ ok: false });
  });

  it('fails for more growth than the bound, counted from the second tenth', () => {
    const [low, high] = [tenth({ rss: 1 }), tenth({ rss: (100 << 20) + mostGrowth })];
    expect(judgeMemory([low, tenth(), high]).ok).toBe(true);
    expect(judgeMemory([low, tenth(), { ...high, rss: high.rss + 1 }])).toMatchObject({
      ok: false,
      text: 'memory: 100 MiB in the second tenth, 132 MiB in the last; may grow by 32 MiB',
    });
  });
});

describe('judgeLatency', () => {
  it('fails when nothing was measured', () => {
    expect(judgeLatency([tenth()])).toMatchObject({ ok: false });
  });

  it('fails when the loader becomes slower and a bare server does not', () => {
    expect(judgeLatency([tenth({ p50: 1 }), tenth(), tenth({ p50: 201 })])).toMatchObject({
      ok: false,
      text: expect.stringContaining('× 2.01, and × 2.01') as string,
    });
    expect(judgeLatency([tenth(), tenth(), tenth({ p50: 200 })]).ok).toBe(true);
  });

  it('does not blame the loader for a machine that became slower', () => {
    expect(judgeLatency([tenth(), tenth(), tenth({ p50: 300, bare: 150 })]).ok).toBe(true);
    expect(judgeLatency([tenth(), tenth(), tenth({ bare: 10 })]).ok).toBe(true);
  });
});

describe('live counters', () => {
  it('are named as the native part names them', () => {
    expect(Object.keys(counters())).toEqual(expect.arrayContaining([...liveWhenEnded]));
  });

  it('are reported when they are not zero, or not there', () => {
    expect(nonZero({ pins: 0, sessions: 3 }, ['pins', 'sessions', 'tombstones'])).toEqual([
      'sessions=3',
      'tombstones=undefined',
    ]);
  });
});
