import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aiges, type Ended } from '../fixtures/command-line.js';
import { fixtureEngine } from '../fixtures/engines.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-inspect-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Builds an engine that does this when it is loaded, and that when it is asked for its version. */
function engine(name: string, { load = '', version = '', link = [] as string[] }): string {
  const source = join(folder, `${name}.c`);
  writeFileSync(
    source,
    `#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>
__attribute__((constructor)) static void load(void) { ${load} }
int wrapperInit(void *c) { puts("never called"); abort(); }
int wrapperFini(void) { return 0; }
const char *wrapperError(int e) { return ""; }
const char *wrapperVersion(void) { ${version} return "1.2"; }
int wrapperExec(void) { return 0; }
int wrapperExecFree(void) { return 0; }
`,
  );
  const library = join(folder, `${name}.so`);
  execFileSync('cc', ['-w', '-shared', '-fPIC', '-o', library, source, ...link]);
  return library;
}

/** A copy of an engine with other bytes at a place. */
function changed(at: number, ...bytes: number[]): string {
  const file = readFileSync(fixtureEngine('scripted'));
  file.set(bytes, at);
  const path = join(folder, `changed-${at}.so`);
  writeFileSync(path, file);
  return path;
}

/** Inspects with time enough for the process that loads the library to start on a busy machine. */
function inspect(...args: string[]): Promise<Ended> {
  return aiges(folder, 'inspect', '--timeout', '60000', ...args);
}

describe('aiges-ts inspect', () => {
  it('refuses to be called without a library', async () => {
    expect(await aiges(folder, 'inspect')).toMatchObject({ code: 2 });
  });

  it.each<[string, () => string, RegExp]>([
    ['no file', () => 'none.so', /refuses it: no such file; build the engine or correct the path/],
    ['a folder', () => '.', /refuses it: a folder, not a library/],
    ['a text', () => import.meta.filename, /refuses it: not a shared library \(no ELF header\)/],
    ['a 32-bit library', () => changed(4, 1), /refuses it: a 32-bit file for .*this machine is 64-bit/],
    ['a library for ARM', () => changed(18, 40, 0), /refuses it: a 64-bit file for 32-bit ARM, this machine is/],
    ['a program', () => changed(16, 2, 0), /refuses it: program instead of a shared library/],
    [
      'no entry points',
      () => fixtureEngine('no_symbols'),
      /lacks entry points: every engine needs wrapperInit, wrapperFini/,
    ],
    ['C++ names', () => fixtureEngine('mangled'), /_Z11wrapperExec.*C\+\+ functions; declare them extern "C"/],
    ['an undefined symbol', () => fixtureEngine('unresolved'), /undefined symbol: aiges_fixture_defined_nowhere/],
    ['a crash at load', () => engine('crash', { load: 'abort();' }), /crashes while it was being loaded .*: SIGABRT/],
    ['an exit at load', () => engine('exit', { load: '_exit(3);' }), /ends the process while .* with exit code 3/],
    [
      'a crash in wrapperVersion',
      () => engine('segv', { version: '*(volatile int *)0 = 1;' }),
      /crashes in wrapperVersion: SIGSEGV/,
    ],
  ])('says what is wrong with %s', async (_name, path, message) => {
    const { code, stdout } = await inspect(path());
    expect(stdout).toMatch(message);
    expect(code).toBe(1);
  });

  it('gives up on a library that hangs, and shows what it printed', async () => {
    const library = engine('hang', { load: 'puts("waiting for a licence"); fflush(stdout); for (;;) sleep(1);' });
    const { code, stdout } = await aiges(folder, 'inspect', library, '--timeout', '15000');
    expect(stdout).toMatch(/hangs while it was being loaded \(in a constructor\): nothing came within 15000 ms/);
    expect(stdout).toMatch(/printed +waiting for a licence/);
    expect(code).toBe(1);
  });

  it('names a library that is needed and missing', async () => {
    const needed = engine('needed', {});
    const needing = engine('needing', { link: ['-Wl,--no-as-needed', needed] });
    rmSync(needed);
    const { stdout } = await inspect(needing);
    expect(stdout).toMatch(/needed\.so: cannot open shared object file: .*; install the library it needs/);
  });

  it('says what a good engine offers, and never calls wrapperInit', async () => {
    const { code, stdout } = await inspect(engine('good', {}));
    expect(stdout).toMatch(/once +yes/);
    expect(stdout).toMatch(/stream +no/);
    expect(stdout).toMatch(/loaded +in a process of its own: yes, version "1\.2"/);
    expect(stdout).toMatch(
      /verdict +the loader takes it: one-shot calls through wrapperExec; no streams; no resources/,
    );
    expect(stdout).not.toContain('never called');
    expect(code).toBe(0);
  });

  it('names the data that copies of an engine would share, where there is some', async () => {
    const { stdout } = await inspect(fixtureEngine('unique'));
    expect(stdout).toMatch(/shares +_ZZN8Settings2OfEvE8settings {2}\(with its copies in one process\)/);
    expect((await inspect(fixtureEngine('scripted'))).stdout).not.toContain('shares');
  });

  it('prints a document', async () => {
    const { code, stdout } = await inspect('--json', fixtureEngine('scripted'));
    expect(JSON.parse(stdout)).toMatchObject({
      fault: null,
      header: { kind: 'shared library' },
      entryPoints: { mangled: [] },
      loaded: { opened: true, version: 'scripted 1.0' },
    });
    expect(code).toBe(0);
  });
});
