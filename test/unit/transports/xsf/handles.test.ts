import { describe, expect, it } from 'vitest';
import { Handles } from '../../../../src/transports/xsf/handles.js';

describe('Handles', () => {
  it('writes version, address, counter and seconds in the widths that clients cut out', () => {
    let now = 5_000;
    const handles = new Handles(() => now);
    now += 110_000;
    expect(handles.create({ host: '127.0.0.1', port: 5090 })).toBe('07f00000113e2000001000006e');
    expect(handles.create({ host: '10.0.255.1', port: 80 })).toBe('00a00ff010050000002000006e');
  });

  it('refuses a handle that is in use', () => {
    const handles = new Handles();
    handles.open('abc');
    expect(() => {
      handles.open('abc');
    }).toThrow('handle:abc is already stored');
  });

  it('tells a handle that was released from one that never was', () => {
    const handles = new Handles();
    handles.open('abc');
    handles.release('abc');
    expect(handles.absent('abc').code).toBe(10101);
    expect(handles.absent('xyz').code).toBe(10008);
  });

  it('remembers the last 1000 released handles', () => {
    const handles = new Handles();
    for (let n = 0; n < 1001; n++) {
      handles.open(`h${n}`);
      handles.release(`h${n}`);
    }
    expect(handles.absent('h0').code).toBe(10008);
    expect(handles.absent('h1').code).toBe(10101);
    expect(handles.live).toBe(0);
  });

  it('ignores the release of a handle that is not in use', () => {
    const handles = new Handles();
    handles.release('abc');
    expect(handles.absent('abc').code).toBe(10008);
  });
});
