import { describe, expect, it } from 'vitest';
import type { AigesError } from '../../../../src/core/errors.js';
import { Handles } from '../../../../src/transports/xsf/handles.js';

function codeOf(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    return (error as AigesError).code;
  }
  throw new Error('it did not fail');
}

describe('Handles', () => {
  it('writes version, address, counter and seconds in the widths that clients cut out', () => {
    let now = 5_000;
    const handles = new Handles<string>(() => now);
    now += 110_000;
    expect(handles.create({ host: '127.0.0.1', port: 5090 })).toBe('07f00000113e2000001000006e');
    expect(handles.create({ host: '10.0.255.1', port: 80 })).toBe('00a00ff010050000002000006e');
  });

  it('refuses a handle that is in use', () => {
    const handles = new Handles<string>();
    handles.open('abc', 'x');
    expect(() => {
      handles.open('abc', 'x');
    }).toThrow('handle:abc is already stored');
  });

  it('refuses a handle that plugin code still knows, whether it was released or not', () => {
    const handles = new Handles<string>();
    handles.open('abc', 'x');
    handles.enter('abc');
    handles.release('abc');
    expect(
      codeOf(() => {
        handles.checkFree('abc');
      }),
    ).toBe(10105);
    handles.leave('abc');
    expect(() => {
      handles.open('abc', 'x');
    }).not.toThrow();
  });

  it('tells a handle that was released from one that never was', () => {
    const handles = new Handles<string>();
    handles.open('abc', 'x');
    handles.release('abc');
    expect(codeOf(() => handles.find('abc'))).toBe(10101);
    expect(codeOf(() => handles.find('xyz'))).toBe(10008);
  });

  it('remembers the last 1000 released handles', () => {
    const handles = new Handles<string>();
    for (let n = 0; n < 1001; n++) {
      handles.open(`h${n}`, 'x');
      handles.release(`h${n}`);
    }
    expect(codeOf(() => handles.find('h0'))).toBe(10008);
    expect(codeOf(() => handles.find('h1'))).toBe(10101);
    expect(handles.live.size).toBe(0);
  });

  it('ignores the release of a handle that is not in use', () => {
    const handles = new Handles<string>();
    handles.release('abc');
    expect(codeOf(() => handles.find('abc'))).toBe(10008);
  });

  it('finds what is behind a handle in use, and forgets one without a trace', () => {
    const handles = new Handles<string>();
    handles.open('abc', 'x');
    expect(handles.find('abc')).toBe('x');
    handles.forget('abc');
    expect(codeOf(() => handles.find('abc'))).toBe(10008);
  });
});
