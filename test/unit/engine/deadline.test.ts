import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { openDeadline, within } from '../../../src/engine/deadline.js';

const expired = (): AigesError => new AigesError('timeout');

describe('openDeadline', () => {
  it('is over at once when there is no time', () => {
    expect(openDeadline(0, expired, []).signal.reason).toMatchObject({ kind: 'timeout' });
    expect(openDeadline(-5, expired, []).signal.reason).toMatchObject({ kind: 'timeout' });
  });

  it('is over at once when a parent is', () => {
    const parent = AbortSignal.abort(new AigesError('shuttingDown'));
    expect(openDeadline(1000, expired, [parent]).signal.reason).toMatchObject({ kind: 'shuttingDown' });
  });

  it('says that the client has left when a parent aborts without a reason of ours', () => {
    const parent = new AbortController();
    const deadline = openDeadline(1000, expired, [parent.signal]);
    parent.abort();
    expect(deadline.signal.reason).toMatchObject({ kind: 'cancelled' });
  });

  it('can be ended before its time, once, and not after it was closed', () => {
    const parent = new AbortController();
    const ended = openDeadline(1000, expired, [parent.signal]);
    ended.abort(new AigesError('releasedHandle'));
    ended.abort(new AigesError('timeout'));
    expect(ended.signal.reason).toMatchObject({ kind: 'releasedHandle' });
    const closed = openDeadline(1000, expired, [parent.signal]);
    closed.close();
    closed.abort(new AigesError('releasedHandle'));
    expect(closed.signal.aborted).toBe(false);
    expect(getEventListeners(parent.signal, 'abort')).toEqual([]);
  });

  it('ends when its time is up, and not before', () => {
    vi.useFakeTimers();
    try {
      const deadline = openDeadline(100, expired, []);
      vi.advanceTimersByTime(99);
      expect(deadline.signal.aborted).toBe(false);
      vi.advanceTimersByTime(1);
      expect(deadline.signal.reason).toMatchObject({ kind: 'timeout' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('does not take a time beyond what a timer can hold for no time', () => {
    vi.useFakeTimers();
    try {
      const deadline = openDeadline(1e15, expired, []);
      vi.advanceTimersByTime(1000);
      expect(deadline.signal.aborted).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  it('leaves no timer and no listener behind when closed', () => {
    vi.useFakeTimers();
    try {
      const parent = new AbortController();
      const deadline = openDeadline(100, expired, [parent.signal]);
      expect(vi.getTimerCount()).toBe(1);
      deadline.close();
      deadline.close();
      expect(vi.getTimerCount()).toBe(0);
      expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
      parent.abort();
      expect(deadline.signal.aborted).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('within', () => {
  const never = new Promise<void>(() => undefined);

  it('tells that what it waited for came, and fails with it', async () => {
    expect(await within(60_000, Promise.resolve())).toBe(true);
    await expect(within(60_000, Promise.reject(expired()))).rejects.toMatchObject({ kind: 'timeout' });
  });

  it('waits no longer than it may, and than its parents let it', async () => {
    expect(await within(1, never)).toBe(false);
    expect(await within(60_000, never, [AbortSignal.abort()])).toBe(false);
    const parent = new AbortController();
    const waiting = within(60_000, never, [parent.signal]);
    parent.abort();
    expect(await waiting).toBe(false);
    expect(getEventListeners(parent.signal, 'abort')).toHaveLength(0);
  });
});
