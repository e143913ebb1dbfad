import { describe, expect, it } from 'vitest';
import { LightSignal, toAbortSignal } from '../../../src/core/signal.js';

describe('LightSignal', () => {
  it('keeps its first reason', () => {
    const signal = new LightSignal();
    signal.abort('first');
    signal.abort('second');
    expect(signal).toMatchObject({ aborted: true, reason: 'first' });
    expect(() => {
      signal.throwIfAborted();
    }).toThrow('first');
  });

  it('tells who listens, in their order, once each, and nobody who has stopped or came too late', () => {
    const signal = new LightSignal();
    const heard: string[] = [];
    const stopped = (): void => void heard.push('stopped');
    const first = (): void => void heard.push(`first ${String(signal.aborted)}`);
    signal.addEventListener('abort', first);
    signal.addEventListener('abort', stopped);
    signal.addEventListener('abort', () => void heard.push('second'));
    signal.addEventListener('abort', first);
    signal.removeEventListener('abort', stopped);
    signal.abort('reason');
    signal.addEventListener('abort', () => void heard.push('late'));
    signal.abort('again');
    expect(heard).toEqual(['first true', 'second']);
  });

  it('does not tell a listener that an earlier one has taken away', () => {
    const signal = new LightSignal();
    const heard: string[] = [];
    const second = (): void => void heard.push('second');
    signal.addEventListener('abort', () => {
      signal.removeEventListener('abort', second);
    });
    signal.addEventListener('abort', second);
    signal.abort('reason');
    expect(heard).toEqual([]);
  });
});

describe('toAbortSignal', () => {
  it('makes one that aborts with the same reason, and no second one', () => {
    const signal = new LightSignal();
    const real = toAbortSignal(signal);
    expect(real).toBeInstanceOf(AbortSignal);
    expect(toAbortSignal(signal)).toBe(real);
    expect(real.aborted).toBe(false);
    signal.abort('reason');
    expect(real).toMatchObject({ aborted: true, reason: 'reason' });
  });

  it('makes an aborted one of one that has aborted', () => {
    const signal = new LightSignal();
    signal.abort('reason');
    expect(toAbortSignal(signal)).toMatchObject({ aborted: true, reason: 'reason' });
  });

  it('leaves a real one as it is', () => {
    const { signal } = new AbortController();
    expect(toAbortSignal(signal)).toBe(signal);
  });

  it('should tell those that follow it, and none that has left', () => {
    const signal = new LightSignal();
    const told: string[] = [];
    const first = signal.follow(() => told.push('first'));
    signal.follow(() => told.push('second'));
    signal.unfollow(first);
    // It takes the place of the first.
    signal.follow(() => told.push('third'));
    signal.abort('why');
    expect(told.sort()).toEqual(['second', 'third']);
  });

  it('should let several listen, and leave in any order', () => {
    const signal = new LightSignal();
    const told: string[] = [];
    const listeners = ['a', 'b', 'c'].map((name) => () => void told.push(name));
    for (const listener of listeners) signal.addEventListener('abort', listener);
    signal.removeEventListener('abort', listeners[0] ?? (() => undefined));
    signal.addEventListener('abort', listeners[2] ?? (() => undefined));
    signal.abort('why');
    expect(told).toEqual(['b', 'c']);
  });
});
