import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../fixtures/eventually.js';
import { LogFile, type LogFileOptions } from '../../../src/observability/log-file.js';

let folder: string;
let told: string[];
let opened: LogFile[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-log-'));
  told = [];
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((file) => file.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function open(changes: Partial<LogFileOptions> = {}, retryMs = 0): Promise<LogFile> {
  const options = { path: join(folder, 'aiges.log'), maxBytes: null, keep: null, maxAgeMs: null, ...changes };
  const file = await LogFile.open(options, { tell: (text) => told.push(text), retryMs });
  opened.push(file);
  return file;
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const rotated = (): string[] =>
  readdirSync(folder)
    .filter((name) => name !== 'aiges.log')
    .sort();

/** Name of a file that was rotated so many milliseconds ago. */
const named = (ageMs: number): string =>
  `aiges-${new Date(Date.now() - ageMs).toISOString().slice(0, -1).replaceAll(':', '-')}.log`;

const hour = 60 * 60 * 1000;

describe('LogFile.open refuses, with the key and a way out,', () => {
  it.each([
    ['a path below a file', () => join(folder, 'file', 'aiges.log'), /ENOTDIR|EEXIST/],
    ['a directory', () => folder, /not a file/],
    ['a name that no disk takes', () => join(folder, 'x'.repeat(300)), /ENAMETOOLONG/],
  ])('%s', async (_name, path, why) => {
    writeFileSync(join(folder, 'file'), '');
    const error = await open({ path: path() }).catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ kind: 'initFailed' });
    expect((error as Error).message).toMatch(/^\[log\]\.file: cannot write .+; name a file that this user may write/);
    expect((error as Error).message).toMatch(why);
    expect(told).toEqual([]);
  });
});

describe('LogFile loses lines, says so once and goes on, when', () => {
  it('the disk is full', async () => {
    const file = await open({ path: '/dev/full' }, 60_000);
    file.write('one\n');
    await eventually(() => told).toEqual([
      expect.stringMatching(/^\[log\]\.file: lines of the log are lost: \/dev\/full: ENOSPC/),
    ]);
    for (let line = 0; line < 1000; line++) file.write('more\n');
    await file.close();
    expect(told).toHaveLength(1);
  });

  it('the disk stays full: every new attempt fails in silence', async () => {
    const file = await open({ path: '/dev/full' });
    file.write('line\n');
    await eventually(() => told).toHaveLength(1);
    for (let line = 0; line < 20; line++) {
      file.write('line\n');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await file.close();
    expect(told).toHaveLength(1);
  });

  it('its directory is gone, and tells how many when it is back', async () => {
    const path = join(folder, 'sub', 'aiges.log');
    const file = await open({ path, maxBytes: 10 });
    rmSync(join(folder, 'sub'), { recursive: true });
    writeFileSync(join(folder, 'sub'), 'in the way');
    file.write('long enough to be rotated\n');
    await eventually(() => told).toHaveLength(1);
    expect(told[0]).toContain('lines of the log are lost');
    file.write('lost\n');
    rmSync(join(folder, 'sub'));
    await eventually(() => {
      file.write('again\n');
      return told.at(-1);
    }).toMatch(/the log is written again; \d+ line\(s\) were lost$/);
    expect(told).toHaveLength(2);
    await file.close();
    expect(
      readdirSync(join(folder, 'sub'))
        .map((name) => readFileSync(join(folder, 'sub', name), 'utf8'))
        .join(''),
    ).toContain('again\n');
  });

  it('the disk takes them too slowly', async () => {
    const file = await open();
    const line = `${'x'.repeat(1024 * 1024)}\n`;
    for (let count = 0; count < 40; count++) file.write(line);
    expect(told).toEqual([expect.stringContaining('the disk is too slow')]);
    await eventually(() => told).toHaveLength(2);
    const lost = Number(/(\d+) line\(s\) were lost/.exec(told[1] ?? '')?.[1]);
    expect(lost).toBeGreaterThan(0);
    await file.close();
    expect(read('aiges.log').length).toBe((40 - lost) * line.length);
  });

  it('rotated files cannot be deleted, which costs no line', async () => {
    mkdirSync(join(folder, named(2 * hour)));
    const file = await open({ maxAgeMs: hour });
    file.write('one\n');
    await file.close();
    expect(told).toEqual([expect.stringContaining('[log].count: rotated files of the log cannot be deleted')]);
    expect(read('aiges.log')).toBe('one\n');
  });
});

describe('LogFile', () => {
  it('makes the directories of its path, and adds to a file that is there', async () => {
    const path = join(folder, 'a', 'b', 'aiges.log');
    for (const text of ['one\n', 'two\n']) {
      const file = await open({ path });
      file.write(text);
      await file.close();
    }
    expect(read('a/b/aiges.log')).toBe('one\ntwo\n');
  });

  it('has everything on the disk once it is closed, and takes nothing after that', async () => {
    const file = await open();
    const lines = Array.from({ length: 5000 }, (_, index) => `line ${index}\n`);
    for (const line of lines) file.write(line);
    await file.close();
    file.write('late\n');
    await file.close();
    expect(read('aiges.log')).toBe(lines.join(''));
    expect(told).toEqual([]);
  });

  it('rotates by size without losing or parting a line, and keeps as many as it is told to', async () => {
    const file = await open({ maxBytes: 1000, keep: 3 });
    const lines = Array.from({ length: 100 }, (_, index) => `${String(index).padStart(99, '.')}\n`);
    for (const line of lines) file.write(line);
    await file.close();
    const names = rotated();
    expect(names).toHaveLength(3);
    for (const name of names) expect(name).toMatch(/^aiges-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}(_\d+)?\.log$/);
    expect([...names, 'aiges.log'].map(read).join('')).toBe(lines.slice(-30).join(''));
  });

  it('keeps every rotated file where no number is given', async () => {
    const file = await open({ maxBytes: 100 });
    for (let line = 0; line < 20; line++) file.write(`${'x'.repeat(99)}\n`);
    await file.close();
    expect(rotated()).toHaveLength(20);
  });

  it('rotates a file that was too large already', async () => {
    writeFileSync(join(folder, 'aiges.log'), 'x'.repeat(200));
    const file = await open({ maxBytes: 100, keep: 5 });
    file.write('new\n');
    await file.close();
    expect(read('aiges.log')).toBe('new\n');
    expect(rotated()).toHaveLength(1);
  });

  it('deletes rotated files that are too old, and nothing else', async () => {
    const others = ['aiges-notes.log', 'other-2020-01-01T00-00-00.000.log', 'aiges-2020-01-01T00-00-00.000.txt'];
    for (const name of [...others, named(3 * hour), named(hour)]) writeFileSync(join(folder, name), '');
    const young = named(hour / 2);
    writeFileSync(join(folder, young), '');
    const file = await open({ maxAgeMs: 2 * hour });
    await file.close();
    expect(rotated()).toEqual(expect.arrayContaining([...others, young]));
    expect(rotated()).toHaveLength(5);
  });

  it('writes to a pipe as it is, without rotating', async () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, 'r+');
    const file = await open({ path, maxBytes: 10 });
    for (let line = 0; line < 10; line++) file.write('line\n');
    await file.close();
    const bytes = Buffer.alloc(1000);
    expect(bytes.toString('utf8', 0, readSync(reader, bytes))).toBe('line\n'.repeat(10));
    closeSync(reader);
    expect(readdirSync(folder)).toEqual(['pipe']);
  });
});
