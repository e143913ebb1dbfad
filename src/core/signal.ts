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

/** Aborts a `Signal` that is no `AbortSignal`. Listeners are called in the order in which they were added, and never throw. */
export class LightSignal implements Signal {
  #aborted = false;
  #reason: unknown = undefined;
  #listeners: Set<() => void> | null = null;
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
    if (!this.#aborted) (this.#listeners ??= new Set()).add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners?.delete(listener);
  }

  /** Does nothing when it has aborted before. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#real?.abort(reason);
    // They stay in place meanwhile: one may take another away.
    for (const listener of this.#listeners ?? []) listener();
    this.#listeners = null;
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
