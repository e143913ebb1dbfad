import { describe, expect, it } from 'vitest';
import { LightSignal } from '../../../src/core/signal.js';
import { withSignal } from '../../../src/sdk/lazy-signal.js';

describe('withSignal', () => {
  it('gives the same AbortSignal each time, which aborts with the call', () => {
    const signal = new LightSignal();
    const view = withSignal({ sid: 'a' }, signal);
    const real = view.signal;
    expect(real).toBeInstanceOf(AbortSignal);
    expect(view.signal).toBe(real);
    signal.abort('why');
    expect(real).toMatchObject({ aborted: true, reason: 'why' });
  });

  it('goes along when the object is spread or taken apart', () => {
    const view = withSignal({ sid: 'a' }, new LightSignal());
    const { signal } = view;
    expect({ ...view, sid: 'b' }.signal).toBe(signal);
    expect(Object.keys(view)).toEqual(['sid', 'signal']);
  });

  it('can be replaced, as any other property can', () => {
    const view = withSignal({ sid: 'a' }, new LightSignal());
    const { signal } = new AbortController();
    expect(Object.assign(view, { signal }).signal).toBe(signal);
  });
});
