/** Ends what nobody has used for a time. Costs nothing to touch. */
export class IdleTimer {
  readonly #ms: number;
  readonly #busy: () => boolean;
  readonly #expired: () => void;
  #touched = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param ms time without use, in milliseconds; 0 never ends anything
   * @param busy whether it is in use all the time right now
   * @param expired called once, when the time is up
   */
  constructor(ms: number, busy: () => boolean, expired: () => void) {
    this.#ms = ms;
    this.#busy = busy;
    this.#expired = expired;
    if (ms > 0) this.#wait(ms);
  }

  touch(): void {
    this.#touched = performance.now();
  }

  /** Idempotent. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      if (this.#busy()) this.touch();
      const left = this.#touched + this.#ms - performance.now();
      if (left > 0) this.#wait(left);
      else this.#expired();
    }, ms);
  }
}
