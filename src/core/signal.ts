/**
 * What our own code needs of an `AbortSignal`. Every `AbortSignal` is one; making and watching one costs more than all
 * else that is done for a small request, so most calls never have one.
 */
export interface Signal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

interface Followers {
  readonly listeners: ((() => void) | null)[];
  /** Places of those that have left. */
  readonly free: number[];
}

/** Aborts a `Signal` that is no `AbortSignal`. Listeners are called in the order in which they were added, and never throw. */
export class LightSignal implements Signal {
  #aborted = false;
  #reason: unknown = undefined;
  /** Most have one, and a Set costs more than all that it is for. */
  #listener: (() => void) | null = null;
  #listeners: Set<() => void> | null = null;
  #followers: Followers | null = null;
  #real: AbortController | null = null;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  throwIfAborted(): void {
    // As an AbortSignal does: the reason is whatever it was aborted with.
    if (this.#aborted) throw this.#reason;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (this.#aborted || this.#listener === listener) return;
    if (this.#listener === null && this.#listeners === null) this.#listener = listener;
    else (this.#listeners ??= new Set()).add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = null;
    else this.#listeners?.delete(listener);
  }

  /**
   * As `addEventListener`, for a signal that every call listens to: a Set with so many comings and goings makes what it
   * has held grow old (see `CallTable`).
   * @returns what `unfollow` takes
   */
  follow(listener: () => void): number {
    const { listeners, free } = (this.#followers ??= { listeners: [], free: [] });
    const place = free.pop() ?? listeners.length;
    listeners[place] = listener;
    return place;
  }

  unfollow(place: number): void {
    if (this.#followers === null) return;
    this.#followers.listeners[place] = null;
    this.#followers.free.push(place);
  }

  /** Does nothing when it has aborted before. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#real?.abort(reason);
    // They stay in place meanwhile: one may take another away.
    this.#listener?.();
    this.#listener = null;
    for (const listener of this.#listeners ?? []) listener();
    this.#listeners = null;
    for (const listener of this.#followers?.listeners ?? []) listener?.();
  }

  /** The same as an `AbortSignal`, for what takes no less. */
  get real(): AbortSignal {
    if (this.#real === null) {
      this.#real = new AbortController();
      if (this.#aborted) this.#real.abort(this.#reason);
    }
    return this.#real.signal;
  }
}

/** For what takes a real one: `fetch`, `pipeline`, the code of plugins. */
export function toAbortSignal(signal: Signal): AbortSignal {
  return signal instanceof LightSignal ? signal.real : (signal as AbortSignal);
}
