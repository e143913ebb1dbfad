import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRecording } from '../../../src/cli/recording.js';

let folder: string;
let warnings: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-recording-'));
  warnings = [];
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const create = (): ReturnType<typeof createRecording> =>
  createRecording(folder, (text) => {
    warnings.push(text);
  });

describe('the recording of the start', () => {
  it.each([
    [
      'a file has its place',
      () => {
        writeFileSync(join(folder, 'xsf_status'), '');
      },
    ],
    [
      'the working directory is gone',
      () => {
        rmSync(folder, { recursive: true });
        writeFileSync(folder, '');
      },
    ],
    [
      'a directory has the place of its file',
      () => {
        mkdirSync(join(folder, 'xsf_status', 'recording', 'x'), { recursive: true });
      },
    ],
  ])('gives one warning and nothing else when %s', (_name, prepare) => {
    prepare();
    const record = create();
    record('xsf_initializing');
    record('xsf_done');
    expect(warnings).toEqual([expect.stringMatching(/^xsf_status\/recording cannot be written/)]);
  });

  it('holds exactly the last phase, without a line end', () => {
    mkdirSync(join(folder, 'xsf_status'));
    writeFileSync(join(folder, 'xsf_status', 'recording'), 'xsf_done of an earlier run');
    const record = create();
    for (const phase of ['xsf_initializing', 'user_initializing', 'xsf_done'] as const) {
      record(phase);
      expect(readFileSync(join(folder, 'xsf_status', 'recording'), 'utf8')).toBe(phase);
    }
    expect(readdirSync(join(folder, 'xsf_status'))).toEqual(['recording']);
    expect(warnings).toEqual([]);
  });
});
