import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAddon } from '../../../../src/runtimes/native/addon.js';
import { bindToNode, parseCpuList } from '../../../../src/runtimes/native/numa.js';

let sysfs: string;

beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), 'aiges-numa-'));
  const nodes = { 0: '0-3,8\n', 1: '4-7\n', 2: '\n', 3: 'many\n' };
  for (const [node, list] of Object.entries(nodes)) {
    mkdirSync(join(sysfs, `node${node}`));
    writeFileSync(join(sysfs, `node${node}`, 'cpulist'), list);
  }
  writeFileSync(join(sysfs, 'online'), '0-3\n');
});

afterEach(() => {
  rmSync(sysfs, { recursive: true });
});

describe('parseCpuList', () => {
  it.each(['x', '-1', '1-', '-', '3-1', '1,,2', '1, 2', '0x1', '1.5', '1;2', '99999', '0-99999', '123456'])(
    'refuses %j',
    (text) => {
      expect(parseCpuList(text)).toBeNull();
    },
  );

  it.each([
    ['', []],
    ['\n', []],
    ['0', [0]],
    ['0-3,8,10-11\n', [0, 1, 2, 3, 8, 10, 11]],
    ['10-11,0-1,1-2', [0, 1, 2, 10, 11]],
    ['7-7', [7]],
    ['65535', [65535]],
  ])('reads %j', (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });
});

describe('bindToNode', () => {
  const fail = (node: number, why: string | null): string => {
    try {
      bindToNode(node, { sysfs, bind: () => why });
    } catch (error) {
      expect(error).toMatchObject({ kind: 'initFailed' });
      return (error as Error).message;
    }
    throw new Error('expected a failure');
  };

  it.each([
    [9, null, 'there is no such node; this machine has 0-3'],
    [2, null, 'it has memory only, no CPUs'],
    [3, null, 'its list of CPUs cannot be read: "many"'],
    [1, 'not permitted', 'not permitted'],
  ])('to node %d fails with a text', (node, why, text) => {
    expect(fail(node, why)).toBe(`cannot run on NUMA node ${node} (AIGES_ENV_NUMA): ${text}`);
  });

  it('fails where the system tells of no nodes', () => {
    rmSync(join(sysfs, 'online'));
    expect(fail(9, null)).toContain('this machine tells of no NUMA nodes');
  });

  it('passes on why the addon cannot be loaded', () => {
    const bind = (): never => {
      throw new Error('no addon');
    };
    expect(() => {
      bindToNode(0, { sysfs, bind });
    }).toThrow('cannot run on NUMA node 0 (AIGES_ENV_NUMA): no addon');
  });

  it('binds to the CPUs of the node', () => {
    let bound: readonly number[] = [];
    bindToNode(0, {
      sysfs,
      bind: (cpus) => {
        bound = cpus;
        return null;
      },
    });
    expect(bound).toEqual([0, 1, 2, 3, 8]);
  });
});

describe('bindToCpus of the addon', () => {
  const bind = (cpus: unknown): string | null => loadAddon().bindToCpus(cpus as number[]);

  it.each([[undefined], ['0'], [['0']], [[0, null]]])('refuses %j with a TypeError', (cpus) => {
    expect(() => bind(cpus)).toThrow(TypeError);
  });

  it.each([
    [[], 'no CPUs are named'],
    [[-1], 'there is no CPU -1'],
    [[65_535], 'this process may use none of these CPUs'],
  ])('gives a text for %j', (cpus, text) => {
    expect(bind(cpus)).toBe(text);
  });
});
