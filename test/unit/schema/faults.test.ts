import { expect, it } from 'vitest';
import { describeFaults } from '../../../src/schema/faults.js';
import type { ErrorObject } from '../../../src/schema/rules.js';

it('looks at so few of the errors that it does not matter how many there are', () => {
  const lookedAt = new Set<number>();
  const errors = Array.from({ length: 10_000 }, (_, index): ErrorObject => {
    return {
      get keyword() {
        lookedAt.add(index);
        return 'required';
      },
      instancePath: '',
      schemaPath: '#/required',
      params: { missingProperty: `x${index}` },
      data: {},
    };
  });
  expect(describeFaults(errors)).toBe('x0 is missing; x1 is missing; x2 is missing; and more');
  expect(lookedAt.size).toBeLessThanOrEqual(100);
});
