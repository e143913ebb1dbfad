import { describe, expect, it } from 'vitest';
import { parseResourceIds } from '../../../src/engine/resource-ids.js';

describe('ids of resources', () => {
  it.each(['x', '0', '-1', '1.5', '4294967296', '1,,2', '1,', '0x1', '99999999999'])('%j are refused', (text) => {
    expect(() => parseResourceIds(text, 'psrIds')).toThrow(
      expect.objectContaining({
        kind: 'invalidInput',
        detail: expect.stringContaining('for psrIds but found') as string,
      }),
    );
  });

  it.each([
    ['', []],
    [' ', []],
    ['1', [1]],
    [' 7 , 4294967295', [7, 4294967295]],
    ['3,1,3', [3, 1]],
  ])('%j are %j', (text, ids) => {
    expect(parseResourceIds(text, 'psrIds')).toEqual(ids);
  });
});
