import { bareGrpcJs } from './contenders.js';
import { figuresOf, resultOf, rowOf, versus, versusEngine } from './figures.js';
import type { Report } from './report.js';
import { percent, ratio, type Table } from './tables.js';

/**
 * The second of two reports in terms of the first, for every contender of every row that both have.
 * Rates of two runs also differ because the machine does; "against bare" does not mind, it compares what each run
 * found against its own bare grpc-js, nor does "against C", which holds each worker against the C engine of its run.
 */
export function compare(before: Report, after: Report): Table {
  const body = after.rows.flatMap((report) => {
    const { row, results } = report;
    return results.flatMap((result) => {
      const earlier = resultOf(before, row.id, result.contender);
      if (earlier === null) return [];
      const [old, now] = [figuresOf(earlier), figuresOf(result)];
      const relative =
        versus(result, resultOf(after, row.id, bareGrpcJs)) / versus(earlier, resultOf(before, row.id, bareGrpcJs));
      const toEngine = versusEngine(report, result.contender) / versusEngine(rowOf(before, row.id), result.contender);
      const noise = Math.max(old.spread, now.spread);
      return [
        [
          `${row.id} ${result.contender}`,
          ratio(now.rate / old.rate),
          ratio(relative),
          ratio(toEngine),
          ratio(now.cpu / old.cpu),
          ratio(now.p50 / old.p50),
          ratio(now.p99 / old.p99),
          ratio((result.memory?.peak ?? NaN) / (earlier.memory?.peak ?? NaN)),
          percent(noise),
          hint(now.rate / old.rate, noise, result.failed ?? earlier.failed),
        ],
      ];
    });
  });
  const head = ['', 'rate', 'against bare', 'against C', 'CPU', 'p50', 'p99', 'RSS peak', 'noise', ''];
  return { head, body };
}

/** The rounds of one run lie so far apart already: less than that between two runs says nothing. */
function hint(change: number, noise: number, failed: string | null): string {
  if (failed !== null) return 'FAILED';
  if (Math.abs(change - 1) <= noise) return 'within noise';
  return change > 1 ? 'faster' : 'slower';
}
