import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchSources } from '../../../../src/cli/dev/watch.js';
import { eventually } from '../../../fixtures/eventually.js';

let folder: string;
let changes: string[];
let troubles: string[];
let stop: () => void;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-watch-'));
  for (const name of ['node_modules', '.git', 'dist', 'lib']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'wrapper.ts'), '');
  changes = [];
  troubles = [];
  const watched = watchSources(
    join(folder, 'wrapper.ts'),
    (files) => changes.push(...files),
    (text) => troubles.push(text),
  );
  stop = watched.stop;
});

afterEach(() => {
  stop();
  rmSync(folder, { recursive: true, force: true });
});

const write = (file: string): void => {
  writeFileSync(join(folder, file), String(Math.random()));
};

describe('watchSources', () => {
  it('says when there is nothing to watch', () => {
    watchSources(
      join(folder, 'no', 'wrapper.ts'),
      () => undefined,
      (text) => troubles.push(text),
    ).stop();
    expect(troubles).toEqual([expect.stringMatching(/no is not watched: ENOENT/)]);
  });

  it('tells of sources and of nothing else', async () => {
    for (const ignored of ['node_modules/a.ts', '.git/a.ts', 'dist/a.js', 'aiges.log', '.hidden.txt']) write(ignored);
    write('wrapper.ts');
    write('lib/deep.json');
    await eventually(() => [...changes].sort()).toEqual(['lib/deep.json', 'wrapper.ts']);
  });

  it('follows folders that come, are renamed and go', async () => {
    mkdirSync(join(folder, 'new', 'deep'), { recursive: true });
    write('new/deep/a.ts');
    await eventually(() => changes).toContain('new/deep/a.ts');
    renameSync(join(folder, 'new'), join(folder, 'other'));
    await eventually(() => changes).toContain('other/deep/a.ts');
    changes.length = 0;
    write('other/deep/a.ts');
    await eventually(() => changes).toEqual(['other/deep/a.ts']);
    rmSync(join(folder, 'other'), { recursive: true });
    write('wrapper.ts');
    await eventually(() => changes).toContain('wrapper.ts');
    expect(troubles).toEqual([]);
  });

  it('sees a file that editors replace instead of writing it', async () => {
    write('lib/next.tmp');
    renameSync(join(folder, 'lib', 'next.tmp'), join(folder, 'wrapper.ts'));
    await eventually(() => changes).toEqual(['wrapper.ts']);
  });
});
