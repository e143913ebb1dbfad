import { mebibytes, number, ratio } from './tables.js';

/** What one tenth of all requests looked like. */
export interface Tenth {
  readonly requests: number;
  readonly seconds: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** The median latency of a bare grpc-js server in the same minutes: what the machine makes of a small request. */
  readonly bare: number;
  /** Resident memory of the loader in bytes, the median over the tenth. */
  readonly rss: number;
}

/** What a loader must have let go of, by the names of `Counters`, while it runs but has nothing to do. */
export const liveWhenIdle = [
  'jobsQueued',
  'jobsRunning',
  'outputsAlive',
  'leasedBytes',
  'pins',
  'sessions',
  'asyncWaiting',
  'tombstones',
] as const;

/** The same, when it has ended its engine as well. */
export const liveWhenEnded = [...liveWhenIdle, 'engines', 'threads'] as const;

/** Bytes that the loader may grow from the second tenth to the last. */
export const mostGrowth = 32 << 20;

/** Times that the median latency of the last tenth may be that of the second. */
export const mostDrift = 2;

export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
}

/** Which of these counters are not zero. */
export function nonZero(counters: Readonly<Record<string, number>>, names: readonly string[]): string[] {
  return names.filter((name) => counters[name] !== 0).map((name) => `${name}=${String(counters[name])}`);
}

/** The first tenth is warm-up: caches fill, code is compiled. */
export function judgeMemory(tenths: readonly Tenth[]): Verdict {
  const [from, to] = [tenths[1]?.rss ?? NaN, tenths.at(-1)?.rss ?? NaN];
  return {
    ok: to - from <= mostGrowth,
    text:
      `memory: ${mebibytes(from)} MiB in the second tenth, ${mebibytes(to)} MiB in the last; ` +
      `may grow by ${mebibytes(mostGrowth)} MiB`,
  };
}

/** Fails for what the machine does not explain: where a bare server became slower as well, that share is not ours. */
export function judgeLatency(tenths: readonly Tenth[]): Verdict {
  const [from, to] = [tenths[1], tenths.at(-1)];
  if (from === undefined || to === undefined) return { ok: false, text: 'latency: nothing was measured' };
  const drift = to.p50 / from.p50;
  const relative = drift / (to.bare / from.bare);
  return {
    ok: Math.min(drift, relative) <= mostDrift,
    text:
      `latency: p50 ${number(from.p50)} µs in the second tenth, ${number(to.p50)} µs in the last: × ${ratio(drift)}, ` +
      `and × ${ratio(relative)} in terms of a bare server alongside; may be × ${mostDrift}`,
  };
}
