import { expect, it } from 'vitest';
import { formatBytes, formatMs } from '../../../../playground/view/units.js';

it('tells sizes and times with as many digits as people read', () => {
  expect([0, 1023, 1024, 10_240, 5 << 20, 3 * 2 ** 40].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '10 KiB',
    '5.0 MiB',
    '3072 GiB',
  ]);
  expect([0.25, 9.96, 350.4, 1200].map(formatMs)).toEqual(['0.3 ms', '10.0 ms', '350 ms', '1.20 s']);
});
