import { describe, expect, it } from 'vitest';
import { foldable, membersOf, pageSize, summaryOf } from '../../../../playground/view/folding.js';

describe('a folded JSON value', () => {
  it('has nothing to fold where it is small', () => {
    expect([null, true, 1, 'text', [], {}].map(foldable)).toEqual([false, false, false, false, false, false]);
  });

  it('says how much is in it', () => {
    expect([[], [1], { a: 1, b: 2 }, 'text', null].map(summaryOf)).toEqual([
      '[ 0 items ]',
      '[ 1 item ]',
      '{ 2 members }',
      '"text"',
      'null',
    ]);
  });

  it('shows its members page by page, with their own places', () => {
    const items = Array.from({ length: pageSize + 5 }, (_, n) => n * 2);
    expect(membersOf(items, 0)).toHaveLength(pageSize);
    expect(membersOf(items, pageSize)[0]).toEqual({ label: String(pageSize), value: pageSize * 2 });
    expect(membersOf(items, pageSize)).toHaveLength(5);
    expect(membersOf({ a: 1, b: [] }, 0)).toEqual([
      { label: 'a', value: 1 },
      { label: 'b', value: [] },
    ]);
    expect(membersOf('text', 0)).toEqual([]);
  });
});
