import { AigesError } from '../core/errors.js';

/** setTimeout fires at once for anything longer. */
const longestTimer = 2 ** 31 - 1;

export interface Deadline {
  readonly signal: AbortSignal;
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
export function openDeadline(ms: number, expired: () => AigesError, parents: readonly AbortSignal[]): Deadline {
  const controller = new AbortController();
  const at = performance.now() + Math.max(0, ms);
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    clearTimeout(timer);
    for (const parent of parents) parent.removeEventListener('abort', onParent);
  };
  const end = (reason: AigesError): void => {
    if (closed) return;
    close();
    controller.abort(reason);
  };
  const onParent = (event: Event): void => {
    end(reasonOf(event.target as AbortSignal));
  };
  const aborted = parents.find((parent) => parent.aborted);
  if (aborted !== undefined) end(reasonOf(aborted));
  else if (ms <= 0) end(expired());
  else {
    for (const parent of parents) parent.addEventListener('abort', onParent);
    if (ms <= longestTimer) {
      timer = setTimeout(() => {
        end(expired());
      }, ms);
    }
  }
  return { signal: controller.signal, at, abort: end, close };
}

/** Resolves when the signal aborts, at once if it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      resolve();
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}

/**
 * Waits for something that cannot be hurried, but no longer than who asked for it does.
 * @param onLate gets what comes when nobody waits for it any more
 * @throws AigesError what it failed with, or the signal's reason
 */
export function untilAborted<T>(running: Promise<T>, signal: AbortSignal, onLate: (value: T) => void): Promise<T> {
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

function reasonOf(signal: AbortSignal): AigesError {
  const reason: unknown = signal.reason;
  return reason instanceof AigesError ? reason : new AigesError('cancelled', { cause: reason });
}
