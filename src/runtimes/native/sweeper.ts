import type { Addon } from './addon.js';

/** Forgets the tags of closed streams when their time has come, also when nothing else happens. */
export class Sweeper {
  #timer: NodeJS.Timeout | null = null;

  /** To be called when a tag may have been left behind. Does not keep the process alive. */
  start(addon: Addon): void {
    this.stop();
    const left = addon.sweep();
    if (left === null) return;
    // At most a day: longer ones would overflow the timer, and are looked at again then.
    this.#timer = setTimeout(
      () => {
        this.start(addon);
      },
      Math.min(left + 1, 86_400_000),
    ).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
