import type { Caller } from './callers.js';

export interface Driven {
  readonly seconds: number;
  /** Of each call in microseconds, ascending. */
  readonly latencies: Float64Array;
}

/**
 * Makes so many calls, one after the other in each lane.
 * @throws Error what the first call that failed said; the other lanes stop after the call they are in
 */
export async function drive(callers: readonly Caller[], lanesEach: number, calls: number): Promise<Driven> {
  const latencies = new Float64Array(calls);
  let next = 0;
  let failed = false;
  const lane = async (caller: Caller): Promise<void> => {
    while (next < calls && !failed) {
      const index = next++;
      const start = performance.now();
      try {
        await caller.call();
      } catch (error) {
        failed = true;
        throw error;
      }
      latencies[index] = (performance.now() - start) * 1000;
    }
  };
  const start = performance.now();
  const lanes = callers.flatMap((caller) => Array.from({ length: lanesEach }, () => lane(caller)));
  const ends = await Promise.allSettled(lanes);
  const seconds = (performance.now() - start) / 1000;
  const fault = ends.find((end) => end.status === 'rejected');
  if (fault !== undefined) throw fault.reason as Error;
  return { seconds, latencies: latencies.sort() };
}
