import type { Report, Result, RowReport } from './report.js';
import { bareGrpcJs, engineRivalOf, nghttpd } from './contenders.js';
import { median, pairedRatio, spread } from './statistics.js';
import { mebibytes, number, percent, ratio, type Table } from './tables.js';

/** Medians over the rounds of a result; NaN throughout for one that failed. */
export interface Figures {
  /** Calls per second. */
  readonly rate: number;
  /** How far the rates of the rounds lie apart. */
  readonly spread: number;
  /** CPU time of the server for one call, in microseconds. */
  readonly cpu: number;
  /** Share of one core that the server used. Well below 1, something else was the bottleneck. */
  readonly busy: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

export function figuresOf({ rounds }: Result): Figures {
  return {
    rate: median(rates(rounds)),
    spread: rounds.length === 0 ? NaN : spread(rates(rounds)),
    cpu: median(rounds.map(({ cpuSeconds, calls }) => (cpuSeconds / calls) * 1e6)),
    busy: median(rounds.map(({ cpuSeconds, seconds }) => cpuSeconds / seconds)),
    p50: median(rounds.map((round) => round.p50)),
    p99: median(rounds.map((round) => round.p99)),
  };
}

/** How many times as fast one is as the other; NaN when one of them is missing or failed. */
export function versus(result: Result | null, reference: Result | null): number {
  return result === null || reference === null ? NaN : pairedRatio(rates(result.rounds), rates(reference.rounds));
}

export function rowOf(report: Report, row: string): RowReport | undefined {
  return report.rows.find((each) => each.row.id === row);
}

export function resultOf(report: Report, row: string, contender: string): Result | null {
  return find(rowOf(report, row), contender);
}

/** How many times as fast a worker is as the C engine behind the same server; NaN for everything else. */
export function versusEngine(report: RowReport | undefined, contender: string): number {
  const rival = engineRivalOf(contender);
  return rival === null ? NaN : versus(find(report, contender), find(report, rival));
}

/** All contenders of one row. The comparison of workers with engines is there when there are workers. */
export function rowTable(report: RowReport): Table {
  const workers = report.results.some(({ contender }) => engineRivalOf(contender) !== null);
  const [bare, fast] = [find(report, bareGrpcJs), find(report, nghttpd)];
  const unit = report.row.mode === 'once' ? 'requests/s' : 'sessions/s';
  const body = report.results.map((result) => {
    if (result.failed !== null) return [result.contender, 'FAILED'];
    const figures = figuresOf(result);
    return [
      result.contender,
      number(figures.rate),
      ratio(versus(result, bare)),
      ratio(versus(result, fast)),
      ...(workers ? [ratio(versusEngine(report, result.contender))] : []),
      percent(figures.spread),
      number(figures.cpu),
      percent(figures.busy),
      number(figures.p50),
      number(figures.p99),
      mebibytes(result.memory?.peak ?? NaN),
      mebibytes(result.memory?.after ?? NaN),
    ];
  });
  const head = [
    '',
    unit,
    '× bare',
    '× nghttpd',
    ...(workers ? ['× C engine'] : []),
    'spread',
    'CPU µs',
    'core',
    'p50 µs',
    'p99 µs',
    'RSS MiB',
    'after 5 s',
  ];
  return { head, body };
}

/** Why contenders of a row have no figures, one line each. */
export function failures({ results }: RowReport): string[] {
  return results.flatMap(({ contender, failed }) => (failed === null ? [] : [`${contender} FAILED: ${failed}`]));
}

/** Beyond this spread, rates say more about the machine than about what ran on it. */
export const calm = 0.3;

/** What readers of the rates should know first; null when the rounds agree well enough. */
export function unrest({ rows }: Report): string | null {
  const spreads = rows.flatMap(({ results }) => results.map((result) => figuresOf(result).spread));
  const restless = spreads.filter((each) => each > calm);
  if (restless.length === 0) return null;
  return (
    `In ${restless.length} of ${spreads.length} results the rounds lie more than ${percent(calm)} apart, up to ` +
    `${percent(Math.max(...restless))}: something else used this machine. Rely on CPU time, not on rates.`
  );
}

function find(report: RowReport | undefined, contender: string): Result | null {
  return report?.results.find((result) => result.contender === contender) ?? null;
}

function rates(rounds: Result['rounds']): number[] {
  return rounds.map(({ calls, seconds }) => calls / seconds);
}
