import { describe, expect, it } from 'vitest';
import { chooseCores, cpuSeconds, machineTicks, parseCpu, residentMemory } from '../../../bench/proc.js';

describe('chooseCores', () => {
  const alone = (cpu: number): string => String(cpu);

  it('pins nothing where there is one CPU, or none is known', () => {
    expect(chooseCores('3', alone)).toBeNull();
    expect(chooseCores('', alone)).toBeNull();
  });

  it('keeps client and server apart', () => {
    expect(chooseCores('0-1', alone)).toEqual({ server: 0, client: 1 });
    expect(chooseCores('4,9-11', alone)).toEqual({ server: 4, client: 9 });
  });

  it('does not share a core between them unless it has to', () => {
    expect(chooseCores('0-3', () => '0-1')).toEqual({ server: 0, client: 2 });
    expect(chooseCores('0-1', () => '0,1')).toEqual({ server: 0, client: 1 });
  });
});

describe('parseCpu', () => {
  it('adds user and system time, whatever the process is called', () => {
    const rest = 'S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20';
    expect(parseCpu(`17 (node) ${rest}`)).toBe(175);
    expect(parseCpu(`17 (a) b (c)) ${rest}`)).toBe(175);
  });
});

describe('what the kernel knows about this process', () => {
  it('is more than nothing', () => {
    const { now, peak } = residentMemory(process.pid);
    expect(now).toBeGreaterThan(1 << 20);
    expect(peak).toBeGreaterThanOrEqual(now);
    expect(cpuSeconds(process.pid)).toBeGreaterThan(0);
    const { all, stolen } = machineTicks();
    expect(all).toBeGreaterThan(stolen);
    expect(stolen).toBeGreaterThanOrEqual(0);
  });
});
