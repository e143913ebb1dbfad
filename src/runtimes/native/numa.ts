import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AigesError } from '../../core/errors.js';
import { loadAddon } from './addon.js';

export interface NumaSurroundings {
  /** Where the system tells about its nodes. */
  readonly sysfs: string;
  /** Keeps every thread of the process on these CPUs; gives a text when that fails. */
  readonly bind: (cpus: readonly number[]) => string | null;
}

const system: NumaSurroundings = {
  sysfs: '/sys/devices/system/node',
  bind: (cpus) => loadAddon().bindToCpus(cpus),
};

/**
 * Keeps the process on the CPUs of a NUMA node, and with it every thread that it starts from now on.
 * @throws AigesError `initFailed` with a text that says what is wrong
 */
export function bindToNode(node: number, { sysfs, bind }: NumaSurroundings = system): void {
  const reason = bindOrExplain(node, sysfs, bind);
  if (reason !== null) {
    throw new AigesError('initFailed', { message: `cannot run on NUMA node ${node} (AIGES_ENV_NUMA): ${reason}` });
  }
}

function bindOrExplain(node: number, sysfs: string, bind: NumaSurroundings['bind']): string | null {
  const list = read(join(sysfs, `node${node}`, 'cpulist'));
  if (list === null) {
    const online = read(join(sysfs, 'online'));
    return online === null
      ? 'this machine tells of no NUMA nodes'
      : `there is no such node; this machine has ${online}`;
  }
  const cpus = parseCpuList(list);
  if (cpus === null) return `its list of CPUs cannot be read: ${JSON.stringify(list)}`;
  if (cpus.length === 0) return 'it has memory only, no CPUs';
  try {
    return bind(cpus);
  } catch (error) {
    return (error as Error).message;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** More than any machine has. */
const mostCpus = 65_536;

/** Reads a list as the kernel writes it, `0-3,8,10-11`; `null` when the text is none. */
export function parseCpuList(text: string): readonly number[] | null {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const cpus = new Set<number>();
  for (const range of trimmed.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    if (match === null) return null;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first || last >= mostCpus) return null;
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}
