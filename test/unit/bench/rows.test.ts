import { describe, expect, it } from 'vitest';
import { allRows, describeRow, inFlight, parseRow, sizes, usualRows } from '../../../bench/rows.js';

describe('parseRow', () => {
  it.each(['', '32B', '32B-', '32B-0', '32B-8x0', '31B-8', '32B-8-streams', '32B-101', '10MiB-11x10', 'toString-1'])(
    'refuses %j and says what a row looks like',
    (id) => {
      expect(() => parseRow(id)).toThrow(`--rows ${id}: expected size-connections`);
    },
  );

  it('reads size, connections, streams and mode', () => {
    expect(parseRow('32B-8')).toEqual({ id: '32B-8', size: '32B', connections: 8, streams: 1, mode: 'once' });
    expect(parseRow('100KiB-4x2-stream')).toMatchObject({ size: '100KiB', connections: 4, streams: 2, mode: 'stream' });
    expect(inFlight(parseRow('32B-8x8'))).toBe(64);
  });
});

describe('the rows', () => {
  it('are all readable and all different', () => {
    const all = allRows();
    expect(new Set(all).size).toBe(all.length);
    expect(all.map((id) => parseRow(id).id)).toEqual(all);
    expect(all).toEqual(expect.arrayContaining([...usualRows]));
    for (const size of Object.keys(sizes)) {
      for (const at of [1, 8, 64]) {
        expect(all).toContain(`${size}-${at}`);
        expect(all).toContain(`${size}-${at}-stream`);
      }
    }
  });

  it('have names for people', () => {
    expect(describeRow(parseRow('32B-1'))).toBe('32 B, 1 connection');
    expect(describeRow(parseRow('10MiB-8x8-stream'))).toBe('10 MiB, 8 connections × 8 streams, sessions of 8 packets');
  });
});
