import { describe, expect, it } from 'vitest';
import type { Param } from '../../../../playground/catalogue.js';
import { param as describedParam } from '../../../fixtures/descriptors.js';
import { limitsOf, paramValue } from '../../../../playground/view/param-value.js';

const param = (changes: Partial<Param>): Param => describedParam('p', changes);

describe('what a request says about a parameter', () => {
  it('is nothing where the form is left as it was', () => {
    expect(paramValue(param({}), '')).toBeUndefined();
    expect(paramValue(param({ fallback: 'a' }), 'a')).toBeUndefined();
    expect(paramValue(param({ type: 'number', fallback: 1.5 }), '1.50')).toBeUndefined();
    expect(paramValue(param({ type: 'integer' }), ' ')).toBeUndefined();
  });

  it('is what the form says otherwise', () => {
    expect(paramValue(param({ fallback: 'a' }), '')).toBe('');
    expect(paramValue(param({}), ' x ')).toBe(' x ');
    expect(paramValue(param({ type: 'integer', fallback: 1 }), '0')).toBe(0);
    expect(paramValue(param({ type: 'number' }), '-1e3')).toBe(-1000);
  });
});

describe('the limits of a parameter', () => {
  it('are told in words', () => {
    expect(limitsOf(param({}))).toEqual([]);
    expect(limitsOf(param({ minimum: 0, maximum: 5, fallback: 3 }))).toEqual(['0 to 5', 'default 3']);
    expect(limitsOf(param({ minimum: 0 }))).toEqual(['at least 0']);
    expect(limitsOf(param({ maxLength: 12 }))).toEqual(['at most 12 characters']);
    expect(limitsOf(param({ maxLength: 12, enums: ['a'] }))).toEqual([]);
  });
});
