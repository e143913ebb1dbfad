import { AigesError } from '../core/errors.js';
import { LightSignal, type Signal } from '../core/signal.js';

/** setTimeout fires at once for anything longer. */
const longestTimer = 2 ** 31 - 1;

export interface Deadline {
  readonly signal: Signal;
  /** When the time is up, in milliseconds of `performance.now()`. */
  readonly at: number;
  /** Ends the call before its time. Does nothing when it has ended. */
  abort(reason: AigesError): void;
  /** Frees the timer and the listener. The signal stays as it is. Idempotent. */
  close(): void;
}

/**
 * One signal for everything that ends a call early: its time, its client, the shutdown.
 * @param ms time from now, in milliseconds; 0 or less gives an aborted signal; Infinity never aborts
 * @param expired the reason when the time is up
 * @param parents abort this one too: with their own reason when that is an `AigesError`, else because the
 *   client has left
 */
export function openDeadline(ms: number, expired: () => AigesError, parents: readonly Signal[]): Deadline {
  return new OpenDeadline(ms, expired, parents);
}

/** Every request has one: it is its own signal. */
class OpenDeadline extends LightSignal implements Deadline {
  readonly at: number;
  readonly #parents: readonly Signal[];
  readonly #places: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(ms: number, expired: () => AigesError, parents: readonly Signal[]) {
    super();
    this.at = performance.now() + Math.max(0, ms);
    this.#parents = parents;
    this.#onParent();
    if (this.#closed) return;
    if (ms <= 0) {
      this.abort(expired());
      return;
    }
    for (const parent of parents) {
      if (parent instanceof LightSignal) this.#places.push(parent.follow(this.#onParent));
      else parent.addEventListener('abort', this.#onParent);
    }
    if (ms <= longestTimer) {
      this.#timer = setTimeout(() => {
        this.abort(expired());
      }, ms);
    }
  }

  get signal(): Signal {
    return this;
  }

  override abort(reason: AigesError): void {
    if (this.#closed) return;
    this.close();
    super.abort(reason);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    let next = 0;
    for (const parent of this.#parents) {
      if (!(parent instanceof LightSignal)) parent.removeEventListener('abort', this.#onParent);
      else if (next < this.#places.length) parent.unfollow(this.#places[next++] ?? 0);
    }
  }

  readonly #onParent = (): void => {
    for (const parent of this.#parents) if (parent.aborted) this.abort(reasonOf(parent));
  };
}

/** Resolves when the signal aborts, at once if it has. */
export function aborted(signal: Signal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      resolve();
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}

/**
 * Waits for something, but not for ever: tells whether it came.
 * @param ms the longest time, in milliseconds
 * @param parents end the wait too
 * @throws what `awaited` rejects with
 */
export async function within(ms: number, awaited: Promise<unknown>, parents: readonly Signal[] = []): Promise<boolean> {
  const patience = openDeadline(ms, () => new AigesError('timeout'), parents);
  try {
    return await Promise.race([awaited.then(() => true), aborted(patience.signal).then(() => false)]);
  } finally {
    patience.close();
  }
}

/**
 * Waits for something that cannot be hurried, but no longer than who asked for it does.
 * @param onLate gets what comes when nobody waits for it any more
 * @throws AigesError what it failed with, or the signal's reason
 */
export function untilAborted<T>(running: Promise<T>, signal: Signal, onLate: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(AigesError.from(signal.reason));
    };
    signal.addEventListener('abort', onAbort);
    running.then(
      (value) => {
        signal.removeEventListener('abort', onAbort);
        if (signal.aborted) onLate(value);
        else resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        reject(AigesError.from(error));
      },
    );
    if (signal.aborted) onAbort();
  });
}

function reasonOf(signal: Signal): AigesError {
  const reason: unknown = signal.reason;
  return reason instanceof AigesError ? reason : new AigesError('cancelled', { cause: reason });
}
