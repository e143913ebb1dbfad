// npm run bench: measures the loader against what it is made of, or reads what an earlier run has measured.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { compare } from './compare.js';
import { contenders, loaderName, probeServers } from './contenders.js';
import { fillDocument } from './document.js';
import { failures, rowTable, unrest } from './figures.js';
import { type Effort, measureRow } from './measure.js';
import { requireBuild, root } from './places.js';
import { machineTicks } from './proc.js';
import { currentLoad, describeCommit, describeMachine, parseReport, type Report, type RowReport } from './report.js';
import { allRows, describeRow, parseRow, type Row, usualRows } from './rows.js';
import { Stage } from './stage.js';
import { renderText } from './tables.js';
import { targetTable } from './targets.js';

const usage = `npm run bench -- [options]
  --full               every size at every concurrency, once and as streams, also with an engine that calls back
  --rows a,b,…         these rows only, such as 32B-8,32B-8x8,10MiB-4,1KiB-64-stream
  --seconds N          of each measurement; default 3
  --rounds N           measurements of each contender in each row; default 3
  --out FILE           the result file; default bench/results/<date>-<commit>.json
npm run bench -- --compare before.json after.json
npm run bench -- --docs result.json          writes the figures into docs/performance.md
`;

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      rows: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      out: { type: 'string' },
      compare: { type: 'boolean', default: false },
      docs: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const files = positionals.map((file) => parseReport(readFileSync(file, 'utf8'), file));
  const [first, second] = files;
  if (values.compare) {
    if (first === undefined || second === undefined || files.length > 2) throw new Error(`--compare takes two files`);
    process.stdout.write(renderText(compare(first, second)));
    return;
  }
  if (values.docs) {
    if (first === undefined || files.length > 1) throw new Error('--docs takes one file');
    const document = join(root, 'docs/performance.md');
    writeFileSync(document, fillDocument(readFileSync(document, 'utf8'), first));
    return;
  }
  if (files.length > 0) throw new Error(`what should be done with ${String(positionals[0])}? see --help`);
  const ids = values.rows?.split(',') ?? (values.full ? allRows() : usualRows);
  const effort = { seconds: positive('--seconds', values.seconds), rounds: positive('--rounds', values.rounds) };
  await bench(ids.map(parseRow), { ...effort, restMs: 5000 }, values.full, values.out ?? null);
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`${option} ${text}: expected a number above 0`);
  return value;
}

/** Runs the rows one after the other. The result file is there after the first of them, and grows. */
async function bench(rows: readonly Row[], effort: Effort, asynchronous: boolean, out: string | null): Promise<void> {
  requireBuild();
  const stage = new Stage();
  const onSignal = (): void => {
    void stage.close().then(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const startedAt = new Date().toISOString();
    const [loadBefore, ticksBefore] = [currentLoad(), machineTicks()];
    const commit = describeCommit();
    const { present, absent } = await probeServers(stage);
    const entered = contenders(present, asynchronous).filter(({ name }) => !absent.some((gone) => gone.name === name));
    const fixed = {
      version: 1,
      startedAt,
      ...commit,
      machine: describeMachine(),
      seconds: effort.seconds,
      rounds: effort.rounds,
      cores: stage.cores,
      absent,
    } as const;
    announce(fixed, stage);
    const name = `${startedAt.slice(0, 16).replace(/:/g, '')}-${commit.commit}.json`;
    const file = out ?? join(root, 'bench/results', name);
    if (out === null) mkdirSync(join(root, 'bench/results'), { recursive: true });
    const done: RowReport[] = [];
    const shown = new Set<string>();
    let report: Report | null = null;
    for (const row of rows) {
      const measured = await measureRow(row, entered, stage, effort);
      done.push(measured);
      print(measured, shown);
      const ticks = machineTicks();
      const stolen = (ticks.stolen - ticksBefore.stolen) / Math.max(1, ticks.all - ticksBefore.all);
      report = { ...fixed, rows: done, weather: { loadBefore, loadAfter: currentLoad(), stolen } };
      writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
    }
    if (report !== null) conclude(report, present, file);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await stage.close();
  }
}

function announce(report: Omit<Report, 'rows' | 'weather'>, stage: Stage): void {
  const { machine, commit, dirty, cores, absent } = report;
  const lines = [
    `${machine.cpu}, ${machine.cores} CPUs; Node.js ${machine.node}; commit ${commit}${dirty ? ' with local changes' : ''}`,
    cores === null
      ? 'nothing is pinned: there is one CPU only, or no taskset. Client and server compete.'
      : `servers on CPU ${cores.server}, clients on CPU ${cores.client}`,
    ...(stage.hasH2load ? [] : ['h2load is not installed (Debian package nghttp2-client): clients run on Node.js']),
    ...absent.map(({ name, reason }) => `${name} is absent: ${reason}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Prints a row. Command lines only once for each contender: they differ by port and size, and the file has them all. */
function print(report: RowReport, shown: Set<string>): void {
  const { row, results } = report;
  process.stdout.write(`\n${row.id}: ${describeRow(row)}\n${renderText(rowTable(report))}`);
  for (const line of failures(report)) process.stdout.write(`  ${line}\n`);
  for (const { contender, serverCommand, clientCommand, notes } of results) {
    if (notes !== '') process.stdout.write(`  ${contender} wrote: ${notes}\n`);
    if (shown.has(contender)) continue;
    shown.add(contender);
    process.stdout.write(`  ${contender}\n    server: ${serverCommand}\n    client: ${clientCommand}\n`);
  }
}

function conclude(report: Report, servers: readonly string[], file: string): void {
  for (const name of servers.map(loaderName)) {
    process.stdout.write(`\nTargets: ${name}\n${renderText(targetTable(report, name))}`);
  }
  for (const { name, reason } of report.absent) process.stdout.write(`\n${name} is absent: ${reason}\n`);
  const warning = unrest(report);
  if (warning !== null) process.stdout.write(`\n${warning}\n`);
  process.stdout.write(`\nwritten to ${relative(process.cwd(), file)}\n`);
  // What failed has no figures, and whoever asked for them should not have to look.
  if (report.rows.some((row) => failures(row).length > 0)) process.exitCode = 1;
}
