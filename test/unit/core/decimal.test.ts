import { describe, expect, it } from 'vitest';
import { parseDecimal } from '../../../src/core/decimal.js';

describe('text as a number', () => {
  it.each(['', ' ', '.', '-', 'e1', '0x10', '0b1', '0o7', 'Infinity', 'NaN', '1e999', '1 2', '1_000', '1,5'])(
    'is none: %j',
    (text) => {
      expect(parseDecimal(text)).toBeNull();
    },
  );

  it.each([
    ['0', 0],
    [' 5 ', 5],
    ['-1.50', -1.5],
    ['+.5', 0.5],
    ['5.', 5],
    ['1E3', 1000],
    ['25e-1', 2.5],
  ])('is read: %j', (text, number) => {
    expect(parseDecimal(text)).toBe(number);
  });
});
