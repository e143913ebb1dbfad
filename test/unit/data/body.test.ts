import { describe, expect, it } from 'vitest';
import { Budget } from '../../../src/data/body.js';

describe('Budget', () => {
  it('gives no more than there is and takes back what was not used', () => {
    const budget = new Budget(10);
    expect(budget.take(6)).toBe(true);
    expect(budget.take(5)).toBe(false);
    expect(budget.take(4)).toBe(true);
    budget.giveBack(6);
    expect(budget.take(6)).toBe(true);
    expect(budget.take(1)).toBe(false);
  });
});
