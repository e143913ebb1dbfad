import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillDocument } from '../../bench/document.js';
import { parseReport, type Report } from '../../bench/report.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-bench-test-'));
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.bench.json'], { cwd: root });
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, ...env } };
    execFile(process.execPath, [join(root, 'build-bench', script), ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** Milliseconds for a dozen processes one after the other, on a machine that has other things to do. */
const patience = 300_000;
const briefly = ['--seconds', '0.02', '--rounds', '2'];

async function measure(rows: string, env: NodeJS.ProcessEnv = {}): Promise<{ ended: Ended; report: Report }> {
  const out = join(folder, `${rows}.json`);
  const ended = await run('main.js', ['--rows', rows, ...briefly, '--out', out], env);
  return { ended, report: parseReport(readFileSync(out, 'utf8'), out) };
}

/** Every contender that is there made calls, and all of them were right. */
function expectFigures(report: Report): void {
  for (const { row, results } of report.rows) {
    for (const { contender, failed, rounds, memory } of results) {
      const where = `${row.id} ${contender}`;
      expect({ where, failed }).toEqual({ where, failed: null });
      expect(rounds, where).toHaveLength(2);
      const calls = row.connections * row.streams;
      for (const round of rounds) {
        expect(round.calls % calls, where).toBe(0);
        expect(round.calls, where).toBeGreaterThanOrEqual(calls);
        expect(round.p99, where).toBeGreaterThanOrEqual(round.p50);
        expect(round.p50, where).toBeGreaterThan(0);
      }
      expect(memory?.peak, where).toBeGreaterThan(0);
    }
  }
}

describe('npm run bench', () => {
  it.each([
    [['--rows', '33B-1'], /^bench: --rows 33B-1: expected size-connections/],
    [['--seconds', '0'], /^bench: --seconds 0: expected a number above 0/],
    [['--rounds', 'few'], /^bench: --rounds few: expected a number above 0/],
    [['--round', '1'], /^bench: Unknown option '--round'/],
    [['--compare', 'nope.json', 'nope.json'], /^bench: ENOENT.*nope\.json/],
    [['--compare', 'bad.json', 'bad.json'], /^bench: bad\.json: expected a result file/],
    [['--docs'], /^bench: --docs takes one file/],
    [['--compare'], /^bench: --compare takes two files/],
  ])('%j ends with exit code 1 and what is wrong', async (args, message) => {
    writeFileSync(join(folder, 'bad.json'), '{}');
    const { code, stdout, stderr } = await run('main.js', args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });

  it(
    'measures what is there and names what is not',
    async () => {
      const { ended, report } = await measure('32B-2x2,32B-2-stream');
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      expectFigures(report);
      const names = [...(report.rows[0]?.results ?? []).map(({ contender }) => contender)];
      names.push(...report.absent.map(({ name }) => name));
      expect(names.sort()).toEqual(
        [
          ...['bare grpc-js', 'engine, in process', 'loader HTTP', 'loader grpc-js', 'loader wire', 'nghttpd'],
          ...['loader grpc-js, TypeScript', 'loader wire, TypeScript'],
        ].sort(),
      );
      for (const { name, reason } of report.absent) expect(ended.stdout).toContain(`${name} is absent: ${reason}`);
      const ofStreams = report.rows[1]?.results.map(({ contender }) => contender);
      expect(ofStreams).toEqual(expect.arrayContaining(['loader grpc-js', 'loader grpc-js, TypeScript']));
      expect(ended.stdout).toContain('32B-2x2: 32 B, 2 connections × 2 streams');
      expect(ended.stdout).toContain('Targets: loader grpc-js');
      expect(ended.stdout).toMatch(/^ {2} +requests\/s {2}× bare {2}× nghttpd {2}× C engine /m);
    },
    patience,
  );

  it(
    'does without h2load, nghttpd, taskset and git',
    async () => {
      const { ended, report } = await measure('1KiB-2', { PATH: folder });
      expect(ended).toMatchObject({ code: 0, stderr: '' });
      expectFigures(report);
      expect(report).toMatchObject({ cores: null, commit: 'unknown', machine: { h2load: null, nghttpd: null } });
      expect(report.absent).toContainEqual({
        name: 'nghttpd',
        reason: 'not installed (Debian package nghttp2-server)',
      });
      expect(report.rows[0]?.results[0]?.clientCommand).toContain('client-process.js');
    },
    patience,
  );

  it('compares two result files', async () => {
    const reference = join(root, 'bench/results/reference.json');
    const { code, stdout } = await run('main.js', ['--compare', reference, reference]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}32B-8 loader grpc-js +1\.00 +1\.00 .* within noise$/m);
  });
});

describe('docs/performance.md', () => {
  it('has the figures of the reference', () => {
    const read = (path: string): string => readFileSync(join(root, path), 'utf8');
    const document = read('docs/performance.md');
    const reference = parseReport(read('bench/results/reference.json'), 'reference.json');
    expect(fillDocument(document, reference)).toBe(document);
  });
});

describe('npm run soak', () => {
  it.each([
    [['--requests', '10'], /^soak: --requests 10: expected a whole number, 100 at least/],
    [['--server', 'nope'], /^soak: .*grpc\.server: /],
  ])('%j ends with exit code 1 and what is wrong', async (args, message) => {
    const { code, stderr } = await run('soak.js', args);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });

  it(
    'answers every request and leaves nothing behind',
    async () => {
      const { code, stdout, stderr } = await run('soak.js', ['--requests', '2000', '--server', 'grpc-js']);
      expect(stderr).toBe('');
      expect(stdout.match(/^ *\d+\/10 .* live: /gm)).toHaveLength(10);
      for (const line of [
        'requests: 2000 answered, every byte right',
        'live counters when idle: all zero',
        'live counters when ended: all zero',
        'end: 0 calls stuck, the engine ended',
      ]) {
        expect(stdout).toContain(`ok      ${line}\n`);
      }
      // So few requests are all warm-up: what memory and latency make of them decides the code, not this test.
      expect(code).toBe(/^FAILED {2}(memory|latency): /m.test(stdout) ? 1 : 0);
    },
    patience,
  );
});
