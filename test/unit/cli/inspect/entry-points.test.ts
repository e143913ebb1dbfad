import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readElfLibrary } from '../../../../src/cli/inspect/elf.js';
import { groups, readEntryPoints } from '../../../../src/cli/inspect/entry-points.js';
import { probeLibrary } from '../../../../src/runtimes/load.js';
import { fixtureEngine } from '../../../fixtures/engines.js';

const all = groups.flatMap(({ functions }) => functions);

describe('readEntryPoints', () => {
  it('names what every engine needs', () => {
    expect(readEntryPoints(all.filter((name) => name !== 'wrapperFini')).fault).toMatch(
      /^lacks entry points: every engine needs wrapperFini; are they declared extern "C"/,
    );
  });

  it('wants one way to call the engine, and takes half a way for none', () => {
    const half = ['wrapperInit', 'wrapperFini', 'wrapperError', 'wrapperVersion', 'wrapperExec', 'wrapperCreate'];
    const { fault, groups: found } = readEntryPoints(half);
    expect(fault).toMatch(/one complete group of once, async and stream is needed/);
    expect(found.filter(({ complete }) => complete).map(({ name }) => name)).toEqual(['always']);
    expect(readEntryPoints([...half, 'wrapperExecFree']).fault).toBeNull();
  });

  it('knows C++ functions that lack extern "C"', () => {
    const { mangled, fault } = readEntryPoints([
      '_Z11wrapperExecP9ParamList',
      '_Z12wrapperExtraPv',
      '_ZN1a11wrapperExecEv',
    ]);
    expect(mangled).toEqual(['_Z11wrapperExecP9ParamList']);
    expect(fault).toContain('_Z11wrapperExecP9ParamList: C++ functions; declare them extern "C"');
  });

  it.each([
    [all, /^2022 \(all 15 entry points\)$/],
    [all.filter((name) => name !== 'wrapperSetCtrl'), /^perhaps 2019/],
    [all.slice(0, 6), /^2022, in part \(6 of 15 entry points\)$/],
    [[], /^none/],
  ])('names the variant of %j', (exports, variant) => {
    expect(readEntryPoints(exports).variant).toMatch(variant);
  });

  it.each(['scripted', 'once_only', 'async_only', 'no_stream', 'echo', 'no_symbols', 'mangled', 'partial'])(
    'agrees with the loader about the engine %s',
    (name) => {
      const path = fixtureEngine(name);
      const { fault } = readEntryPoints(readElfLibrary(readFileSync(path)).exports);
      expect(fault === null).toBe(probeLibrary(path, false).error === null);
    },
  );
});
