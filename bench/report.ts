import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { root } from './places.js';
import type { Row } from './rows.js';

/** Everything that one run of the bench found out, as it lies in a result file. Nothing in it is derived. */
export interface Report {
  readonly version: 1;
  readonly startedAt: string;
  readonly commit: string;
  /** Whether the working tree held changes that the commit does not. */
  readonly dirty: boolean;
  readonly machine: Machine;
  /** Seconds that each measurement was to take, and how often each was taken. */
  readonly seconds: number;
  readonly rounds: number;
  /** CPUs of servers and clients; null when nothing was pinned. */
  readonly cores: { readonly server: number; readonly client: number } | null;
  /** What was not there to be measured. */
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
  readonly rows: readonly RowReport[];
  readonly weather: Weather;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** null where it is not installed. */
  readonly h2load: string | null;
  readonly nghttpd: string | null;
}

/** What else went on on the machine. */
export interface Weather {
  readonly loadBefore: number;
  readonly loadAfter: number;
  /** Share of CPU time that the hypervisor gave to others. */
  readonly stolen: number;
}

export interface RowReport {
  readonly row: Row;
  readonly results: readonly Result[];
}

export interface Result {
  readonly contender: string;
  readonly serverCommand: string;
  readonly clientCommand: string;
  /** What the server wrote on stderr. */
  readonly notes: string;
  /** Why there are no figures: one request that failed is enough. null when all is well. */
  readonly failed: string | null;
  readonly rounds: readonly Round[];
  /** Resident memory of the server: at most since it was started for this row, and 5 s after its last request. */
  readonly memory: { readonly peak: number; readonly after: number } | null;
}

/** One measurement. */
export interface Round {
  readonly calls: number;
  readonly seconds: number;
  /** CPU time of the server, all threads, user and system. */
  readonly cpuSeconds: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    h2load: versionOf('h2load'),
    nghttpd: versionOf('nghttpd'),
  };
}

export function describeCommit(): { readonly commit: string; readonly dirty: boolean } {
  const git = (...args: string[]): string | null => {
    const { stdout, status } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : null;
  };
  return { commit: git('rev-parse', '--short=10', 'HEAD') ?? 'unknown', dirty: git('status', '--porcelain') !== '' };
}

/** Load average of the last minute. */
export function currentLoad(): number {
  return loadavg()[0] ?? NaN;
}

/** @throws Error that says what is wrong with the file */
export function parseReport(text: string, file: string): Report {
  let report: Partial<Report> | null;
  try {
    report = JSON.parse(text) as Partial<Report> | null;
  } catch (error) {
    throw new Error(`${file}: no JSON: ${(error as Error).message}`, { cause: error });
  }
  if (report?.version !== 1 || !Array.isArray(report.rows)) {
    throw new Error(`${file}: expected a result file of npm run bench, version 1`);
  }
  return report as Report;
}

function versionOf(command: string): string | null {
  const { stdout, error } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return error === undefined ? stdout.trim() : null;
}
