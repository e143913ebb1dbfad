import { describe, expect, it } from 'vitest';
import { compileRules } from '../../../src/schema/rules.js';

const members = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`x${index}`, index]));

describe('a rule about each member of a value', () => {
  it.each<[string, object, unknown]>([
    ['no others', { properties: { a: {} }, additionalProperties: false }, members],
    ['no others, deep inside', { properties: { a: { properties: {}, additionalProperties: false } } }, { a: members }],
    ['none that no rule knows', { unevaluatedProperties: false }, members],
    ['no items that no rule knows', { unevaluatedItems: false }, Object.values(members)],
    ['names', { propertyNames: { maxLength: 1 } }, members],
    ['no names', { propertyNames: false }, members],
    ['no such names', { patternProperties: { '^x': false } }, members],
    ['items', { items: { type: 'string' } }, Object.values(members)],
  ])('finds no more faults than the first: %s', (_name, schema, value) => {
    const holds = compileRules({ type: ['object', 'array'], ...schema });
    expect(holds(value)).toBe(false);
    // A rule about names adds what was wrong with the name.
    expect(holds.errors?.length).toBeLessThanOrEqual(2);
  });

  it('does not hide other faults where it cannot be broken', () => {
    const holds = compileRules({ required: ['a', 'b'], additionalProperties: true });
    expect(holds({})).toBe(false);
    expect(holds.errors).toHaveLength(2);
  });
});
