import { describe, expect, it } from 'vitest';
import { median, pairedRatio, percentile, spread } from '../../../bench/statistics.js';

describe('statistics of nothing', () => {
  it('are no numbers, never zero', () => {
    expect(median([])).toBeNaN();
    expect(percentile([], 0.5)).toBeNaN();
    expect(pairedRatio([], [1])).toBeNaN();
    expect(pairedRatio([1], [])).toBeNaN();
  });
});

describe('median', () => {
  it.each([
    [[7], 7],
    [[3, 1, 2], 2],
    [[10, 1, 4, 2], 3],
    [[100, 9], 54.5],
  ])('of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle);
  });
});

describe('percentile', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);

  it('is the value that so many do not exceed', () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile([5], 0.01)).toBe(5);
  });
});

describe('spread', () => {
  it('is the distance between the rounds as a share of their median', () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.2);
    expect(spread([42])).toBe(0);
  });
});

describe('pairedRatio', () => {
  it('compares each round with its own reference, so that a slow minute cancels out', () => {
    expect(pairedRatio([200, 20, 200], [100, 10, 100])).toBe(2);
    expect(pairedRatio([200, 20, 999], [100, 10])).toBe(2);
  });
});
