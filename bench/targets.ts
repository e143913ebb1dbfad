import { bareGrpcJs, nghttpd, workerNameOf } from './contenders.js';
import { calm, figuresOf, resultOf, versus } from './figures.js';
import type { Report, Result } from './report.js';
import { describeRow, inFlight, parseRow, sizes } from './rows.js';
import { mebibytes, number, ratio, type Table } from './tables.js';

/** What the native server is to reach. Ratios are of rates, in one run, server on one core. */
const ratioTargets = [
  { row: '32B-8', [bareGrpcJs]: 2.8, [nghttpd]: 0.8 },
  { row: '32B-8x8', [bareGrpcJs]: 2.8, [nghttpd]: 0.75 },
  { row: '100KiB-8', [bareGrpcJs]: 4.5, [nghttpd]: 1.1 },
  { row: '1MiB-8', [bareGrpcJs]: 5, [nghttpd]: 1.5 },
  { row: '10MiB-4', [bareGrpcJs]: 3.5, [nghttpd]: 1.4 },
] as const;

/** Microseconds that the median answer to a lone small request may take longer than nghttpd's. */
const latencyTarget = { row: '32B-1', microseconds: 60 } as const;

/** Requests and answers are held, and 200 MB for everything else; back under 250 MB within 5 s. */
const memoryTarget = { row: '10MiB-64', besides: 200e6, after: 250e6 } as const;

/** What one worker is to reach, measured against the C engine behind the same server in the same run. */
const workerTargets = {
  ratios: [
    { row: '32B-8', needed: 0.4 },
    { row: '32B-8x8', needed: 0.4 },
    { row: '1MiB-8', needed: 0.9 },
    { row: '10MiB-4', needed: 0.9 },
  ],
  /** Microseconds that the median answer to a lone small request may take longer. */
  latency: { row: '32B-1', microseconds: 150 },
} as const;

/** Whether a loader meets the targets, as far as their rows were run; those of a worker only if one took part. */
export function targetTable(report: Report, loader: string): Table {
  const body: string[][] = [];
  const add = (row: string, what: string, needed: string, found: string, verdict: string, byCpu = ''): void => {
    body.push([`${describeRow(parseRow(row))}: ${what}`, needed, found, verdict, byCpu]);
  };
  const faster = (row: string, needed: number, name: string, against: string, what: string): void => {
    const [ours, theirs] = [resultOf(report, row, name), resultOf(report, row, against)];
    const found = versus(ours, theirs);
    // What the ratio would be if both had a whole CPU and nothing else held them up: on a busy machine, the better guess.
    const byCpu = ratio(cpu(theirs) / cpu(ours));
    const verdict = noisy(ours, theirs) ?? judge(found, needed);
    add(row, what, `≥ ${ratio(needed)}`, ratio(found), verdict, byCpu);
  };
  for (const target of ratioTargets) {
    for (const against of [bareGrpcJs, nghttpd] as const) {
      faster(target.row, target[against], loader, against, `rate against ${against}`);
    }
  }
  const later = ({ row, microseconds }: LatencyTarget, name: string, against: string, what: string): void => {
    const [ours, theirs] = [resultOf(report, row, name), resultOf(report, row, against)];
    const found = p50(ours) - p50(theirs);
    const verdict = noisy(ours, theirs) ?? judge(microseconds, found);
    add(row, what, `≤ ${microseconds} µs`, `${number(found)} µs`, verdict);
  };
  later(latencyTarget, loader, nghttpd, `p50 over ${nghttpd}`);
  const memory = resultOf(report, memoryTarget.row, loader)?.memory;
  const spec = parseRow(memoryTarget.row);
  const most = 2 * inFlight(spec) * sizes[spec.size] + memoryTarget.besides;
  const { peak = NaN, after = NaN } = memory ?? {};
  add(spec.id, 'RSS peak', `≤ ${mebibytes(most)} MiB`, `${mebibytes(peak)} MiB`, judge(most, peak));
  const least = memoryTarget.after;
  add(spec.id, 'RSS 5 s after', `≤ ${mebibytes(least)} MiB`, `${mebibytes(after)} MiB`, judge(least, after));
  const worker = workerNameOf(loader);
  if (report.rows.some(({ results }) => results.some(({ contender }) => contender === worker))) {
    for (const { row, needed } of workerTargets.ratios) {
      faster(row, needed, worker, loader, 'rate of a worker against the C engine');
    }
    later(workerTargets.latency, worker, loader, 'p50 of a worker over the C engine');
  }
  return { head: ['target', 'needed', 'found', '', 'by CPU time'], body };
}

interface LatencyTarget {
  readonly row: string;
  readonly microseconds: number;
}

function p50(result: Result | null): number {
  return result === null ? NaN : figuresOf(result).p50;
}

function cpu(result: Result | null): number {
  return result === null ? NaN : figuresOf(result).cpu;
}

/** Whether there is enough of something. */
function judge(found: number, needed: number): string {
  if (Number.isNaN(found) || Number.isNaN(needed)) return 'not measured';
  return found >= needed ? 'met' : 'missed';
}

/** What stands in for a verdict when the rounds of one of them disagree too much for any. */
function noisy(...results: readonly (Result | null)[]): string | null {
  const spreads = results.map((result) => (result === null ? 0 : figuresOf(result).spread));
  return spreads.some((spread) => spread > calm) ? 'too noisy' : null;
}
