import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Length of the kernel's tick in seconds. */
const tick = 1 / (Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100);

/** Seconds that all threads of a process have run so far, in user and in kernel mode. */
export function cpuSeconds(pid: number): number {
  return parseCpu(readFileSync(`/proc/${pid}/stat`, 'latin1')) * tick;
}

/** Resident memory of a process in bytes: now, and at most so far. */
export function residentMemory(pid: number): { readonly now: number; readonly peak: number } {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM') };
}

/** Ticks since boot of all CPUs: altogether, and those that the hypervisor gave to others. */
export function machineTicks(): { readonly all: number; readonly stolen: number } {
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n');
  // user nice system idle iowait irq softirq steal; guest time, which follows, is part of user.
  const fields = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: fields.reduce((sum, field) => sum + field, 0), stolen: fields[7] ?? 0 };
}

/**
 * Two CPUs that do not share a core, the first for servers, the second for clients; null when there is only one.
 * @param allowed as in "Cpus_allowed_list", such as "0-3,8"
 * @param siblings the list of CPUs that share a core with the given one, in the same form
 */
export function chooseCores(
  allowed: string,
  siblings: (cpu: number) => string,
): { readonly server: number; readonly client: number } | null {
  const [server, ...others] = parseCpuList(allowed);
  if (server === undefined || others[0] === undefined) return null;
  const shared = parseCpuList(siblings(server));
  return { server, client: others.find((cpu) => !shared.includes(cpu)) ?? others[0] };
}

/** The CPUs that this process may use, in the kernel's own notation. */
export function allowedCpus(): string {
  return /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
}

/** The CPUs that share a core with this one; only itself where the kernel does not say. */
export function siblingsOf(cpu: number): string {
  try {
    return readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, 'latin1').trim();
  } catch {
    return String(cpu);
  }
}

/** utime + stime of /proc/<pid>/stat. The name before them may hold anything, also blanks and brackets. */
export function parseCpu(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function parseCpuList(list: string): number[] {
  return list
    .split(',')
    .filter((range) => range !== '')
    .flatMap((range) => {
      const [from = NaN, to = from] = range.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}
