/** Lets calls through at a rate, with bursts: a bucket that fills with time and loses a token for every call. */
export class RateLimit {
  #tokens: number;
  #filledAt: number;
  readonly #msPerToken: number;
  readonly #size: number;
  readonly #now: () => number;

  /**
   * @param msPerToken milliseconds per call
   * @param burst calls that may come at once after a pause
   * @param now milliseconds, monotonic
   */
  constructor(msPerToken: number, burst: number, now: () => number = () => performance.now()) {
    this.#msPerToken = msPerToken;
    this.#size = Math.max(1, burst);
    this.#tokens = this.#size;
    this.#now = now;
    this.#filledAt = now();
  }

  /** Whether one more call may pass now. */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#size, this.#tokens + (now - this.#filledAt) / this.#msPerToken);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
