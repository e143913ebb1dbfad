import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/install.mjs', import.meta.url));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-install-'));
  symlinkSync('/bin/sh', join(folder, 'sh'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs the install step on a machine that has these programs and no others. */
function install(programs: readonly string[], env: object = {}): Promise<{ code: number; output: string }> {
  for (const program of programs) {
    const file = join(folder, program);
    writeFileSync(file, '#!/bin/sh\nexit 0\n');
    chmodSync(file, 0o755);
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [script], { env: { PATH: folder, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

describe('npm install on a machine without', () => {
  it.each([
    ['cmake', ['cc', 'c++', 'make'], 'apt-get install cmake'],
    ['make', ['cc', 'c++', 'cmake'], 'apt-get install make'],
    ['a C++ compiler', ['cc', 'make', 'cmake'], 'apt-get install g++'],
    ['anything', [], 'apt-get install gcc g++ make cmake'],
  ])('%s ends with one line that names the Debian package', async (_name, programs, advice) => {
    const { code, output } = await install(programs);
    expect(code).toBe(1);
    expect(output.trimEnd().split('\n')).toHaveLength(1);
    expect(output.trimEnd().endsWith(advice)).toBe(true);
  });
});

describe('npm install with AIGES_ADDON', () => {
  it('says that it names nothing', async () => {
    const { code, output } = await install([], { AIGES_ADDON: '/nowhere/aiges.node' });
    expect(code).toBe(1);
    expect(output.trimEnd()).toBe('aiges-ts: AIGES_ADDON names /nowhere/aiges.node, which does not exist');
  });

  it('builds nothing, so that no compiler is needed', async () => {
    const { code, output } = await install([], { AIGES_ADDON: script });
    expect(code).toBe(0);
    expect(output).toContain(`the native addon is ${script}`);
  });
});
