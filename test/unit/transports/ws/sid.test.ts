import { describe, expect, it } from 'vitest';
import { SessionIds } from '../../../../src/transports/ws/sid.js';

const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');

describe('SessionIds', () => {
  it('has the form of the original', () => {
    const ids = new SessionIds(() => 0x18c_1234_5678);
    const pid = hex(process.pid & 0xff, 4);
    expect(ids.next({ host: '10.20.30.200', port: 1888 })).toBe(`ase${pid}0001@local18c123456781ec8182`);
    expect(ids.next({ host: '::ffff:127.0.0.1', port: 65535 })).toBe(`ase${pid}0002@local18c123456780001652`);
  });

  it.each([
    ['::1', 80, '0000802'],
    ['', 0, '0000002'],
    ['localhost', 7, '0000072'],
    ['fe80::1%eth0', 1, '0000012'],
  ])('takes any address: %s and port %i', (host, port, end) => {
    expect(new SessionIds(() => 1).next({ host, port })).toMatch(new RegExp(`@local00000000001${end}$`));
  });

  it('never repeats, whatever the clock does', () => {
    let now = 1_000_000;
    const ids = new SessionIds(() => now);
    const seen = new Set<string>();
    for (let i = 0; i < 200_000; i++) {
      seen.add(ids.next({ host: '127.0.0.1', port: 1888 }));
      if (i % 50_000 === 0) now -= 500;
    }
    expect(seen.size).toBe(200_000);
  });
});
