import type { Signal } from '../../core/signal.js';
import { setTimeout as delay } from 'node:timers/promises';
import type { Addon } from './addon.js';

/** Between two looks whether the engine has called back. */
const pauseMs = 10;

interface AbandonedCall {
  readonly tag: string;
  readonly resourceIds: readonly number[];
  /** When the engine is taken to have let go of it in any case, in milliseconds of `performance.now()`. */
  readonly until: number;
}

/**
 * Asynchronous calls that were given up before their callback. The engine may still be working on them, with the
 * resources that they named.
 */
export class Abandoned {
  readonly #graceMs: number;
  /** The one whose time ends first comes first. */
  #calls: AbandonedCall[] = [];

  /** @param graceMs how long after it was given up a call that never calls back is taken to use its resources */
  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  add(tag: string, resourceIds: readonly number[]): void {
    if (resourceIds.length === 0) return;
    const now = performance.now();
    const alive = this.#calls.findIndex(({ until }) => until > now);
    this.#calls.splice(0, alive === -1 ? this.#calls.length : alive);
    this.#calls.push({ tag, resourceIds, until: now + this.#graceMs });
  }

  /**
   * Resolves when no call that was given up can use the resource any more.
   * @throws the signal's reason when it aborts first
   */
  async letGoOf(id: number, addon: Addon, signal: Signal): Promise<void> {
    for (;;) {
      const now = performance.now();
      this.#calls = this.#calls.filter(({ tag, until }) => until > now && addon.known(tag));
      if (!this.#calls.some(({ resourceIds }) => resourceIds.includes(id))) return;
      signal.throwIfAborted();
      await delay(pauseMs);
    }
  }
}
