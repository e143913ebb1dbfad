import { describe, expect, test } from 'vitest';
import { formatDecimal } from '../../../src/core/decimal.js';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/config/units.js';

describe('sizes', () => {
  test.each(['', 'MiB', '1.5MiB', '-1', '64MB', '64 M', '0x10', '1e3'])('%j is none', (text) => {
    expect(parseSize(text)).toBeNull();
  });

  test.each([
    ['0', 0],
    ['4096', 4096],
    ['12B', 12],
    ['64KiB', 65536],
    ['64 kib', 65536],
    ['256MiB', 268435456],
    ['2GiB', 2147483648],
  ])('%j is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([0, 1, 1023, 1024, 1536, 64 * 1024 ** 2, 3 * 1024 ** 3])('%i survives being written', (bytes) => {
    expect(parseSize(formatSize(bytes))).toBe(bytes);
  });
});

describe('durations', () => {
  test.each(['', '60', 's', '-1s', '1 day', '60S', '1m30s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['1.5s', 1500],
    ['2 m', 120_000],
    ['1h', 3_600_000],
  ])('%j is %i ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each([0, 1, 999, 1000, 120_000])('%i survives being written', (milliseconds) => {
    expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
  });
});

describe('decimals', () => {
  test.each([
    [2.5, '2.5'],
    [10, '10'],
    [1e21, '1000000000000000000000'],
    [1.25e22, '12500000000000000000000'],
    [-1.25e-7, '-0.000000125'],
    [5e-324, `0.${'0'.repeat(323)}5`],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [NaN, 'NaN'],
  ])('%d is %s', (value, text) => {
    expect(formatDecimal(value)).toBe(text);
  });
});
