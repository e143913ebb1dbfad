import { AigesError } from '../core/errors.js';
import type { Signal } from '../core/signal.js';

/** Those who wait until something holds. They look when they come, and again at each change. */
export class Watchers {
  readonly #watching = new Set<() => void>();

  /**
   * Resolves when the condition holds.
   * @param signal ends the wait, also that of who comes too late; null waits for as long as it takes
   * @throws AigesError the signal's reason
   */
  until(condition: () => boolean, signal: Signal | null = null): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#watching.delete(look);
        signal?.removeEventListener('abort', onAbort);
      };
      const look = (): void => {
        if (!condition()) return;
        leave();
        resolve();
      };
      const onAbort = (): void => {
        leave();
        reject(AigesError.from(signal?.reason));
      };
      this.#watching.add(look);
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted === true) onAbort();
      else look();
    });
  }

  /** Has everyone look who waits. */
  look(): void {
    for (const look of [...this.#watching]) look();
  }
}
