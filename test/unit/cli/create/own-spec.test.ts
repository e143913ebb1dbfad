import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findOwnSpec } from '../../../../src/cli/create/own-spec.js';
import { version } from '../../../../src/cli/version.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-spec-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A package in a node_modules folder, with the lock file that npm leaves there. */
function installed(lock: string | null): string {
  const modules = join(folder, 'tool', 'node_modules');
  mkdirSync(join(modules, 'aiges-ts'), { recursive: true });
  if (lock !== null) writeFileSync(join(modules, '.package-lock.json'), lock);
  return join(modules, 'aiges-ts');
}

const lockOf = (resolved: unknown): string =>
  JSON.stringify({ packages: { 'node_modules/aiges-ts': { version: '0.1.0', resolved } } });

describe('findOwnSpec', () => {
  it.each([
    ['there is no lock file', null],
    ['the lock file is broken', '{'],
    ['it came from a registry', lockOf('https://registry.example/aiges-ts/-/aiges-ts-0.1.0.tgz')],
    ['the lock file does not say', lockOf(undefined)],
  ])('names its version when %s', (_name, lock) => {
    expect(findOwnSpec(join(folder, 'hello'), installed(lock))).toBe(`^${version}`);
  });

  it('names the archive that it came from, as seen from the project', () => {
    const root = installed(lockOf('file:../archives/aiges-ts-0.1.0.tgz'));
    expect(findOwnSpec(join(folder, 'hello'), root)).toBe('file:../archives/aiges-ts-0.1.0.tgz');
    expect(findOwnSpec(join(folder, 'a', 'b'), root)).toBe('file:../../archives/aiges-ts-0.1.0.tgz');
  });

  it('names its folder as seen from where a link leads', () => {
    mkdirSync(join(folder, 'far', 'away'), { recursive: true });
    symlinkSync(join(folder, 'far', 'away'), join(folder, 'near'));
    expect(findOwnSpec(join(folder, 'near', 'hello'), join(folder, 'clone'))).toBe('file:../../../clone');
  });

  it('names its folder when that is in no node_modules', () => {
    expect(findOwnSpec(join(folder, 'hello'), join(folder, 'clone'))).toBe('file:../clone');
  });
});
