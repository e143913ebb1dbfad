import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OwnWrites } from '../../../../src/cli/dev/own-writes.js';

const both = ['state.json', 'wrapper.ts'];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('OwnWrites', () => {
  it('takes JSON that changes while the wrapper starts for its own, and never code', () => {
    const own = new OwnWrites();
    const loaded = own.loading();
    expect(own.sort(both)).toEqual({ files: ['wrapper.ts'], left: ['state.json'] });
    const again = own.loading();
    loaded();
    vi.advanceTimersByTime(1000);
    expect(own.sort(both)).toMatchObject({ left: ['state.json'] });
    again();
    // News of what init did last.
    vi.advanceTimersByTime(150);
    expect(own.sort(both)).toMatchObject({ left: ['state.json'] });
  });

  it('leaves everything to the watcher at other times', () => {
    const own = new OwnWrites();
    expect(own.sort(both)).toEqual({ files: both, left: [] });
    own.loading()();
    vi.advanceTimersByTime(1000);
    expect(own.sort(both)).toEqual({ files: both, left: [] });
  });
});
