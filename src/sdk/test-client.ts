import { setTimeout as sleep } from 'node:timers/promises';
import { AigesError } from '../core/errors.js';

/** A timer fires at once for anything longer. */
const longestTimer = 2 ** 31 - 1;

/** Whoever waits for the answer of a wrapper under test: like a client of the loader, it may leave or run out of time. */
export class TestClient {
  /** What the wrapper gets. Aborts with the error that a client of the loader gets. */
  readonly signal: AbortSignal;
  /** In milliseconds of `performance.now()`. */
  readonly deadline: number;
  readonly #gone = new AbortController();
  readonly #parent: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #left: Promise<never>;

  /** @param timeoutMs how long it waits; 0 or less for not at all */
  constructor(parent: AbortSignal | undefined, timeoutMs: number) {
    this.signal = this.#gone.signal;
    this.deadline = performance.now() + timeoutMs;
    this.#parent = parent;
    this.#left = new Promise((_, reject) => {
      // An AigesError: nothing else aborts it.
      this.signal.addEventListener('abort', () => {
        reject(this.signal.reason as AigesError);
      });
    });
    // It may leave before or after somebody looks.
    this.#left.catch(() => undefined);
    parent?.addEventListener('abort', this.#leave);
    if (parent?.aborted === true) this.#leave();
    if (timeoutMs <= 0) this.#expire();
    else if (timeoutMs <= longestTimer) this.#timer = setTimeout(this.#expire, timeoutMs);
  }

  /** What `work` gives, unless the client goes first. @throws AigesError `timeout` or `cancelled` */
  async wait<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.#left]);
  }

  /** Waits for what ends a call; once the client has gone, no longer than `ms`. What fails then concerns nobody. */
  async waitForEnd(ending: Promise<void>, ms: number): Promise<void> {
    const ended = new AbortController();
    const patience = this.#left.catch(() => sleep(ms, undefined, { signal: ended.signal }));
    try {
      await Promise.race([ending, patience]);
    } catch (error) {
      if (!this.signal.aborted) throw error;
    } finally {
      ended.abort();
      patience.catch(() => undefined);
    }
  }

  /** It has what it wanted. */
  end(): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener('abort', this.#leave);
  }

  readonly #leave = (): void => {
    this.#gone.abort(new AigesError('cancelled', { cause: this.#parent?.reason }));
  };

  readonly #expire = (): void => {
    this.#gone.abort(new AigesError('timeout'));
  };
}
