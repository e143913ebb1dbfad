interface Slice {
  /** Which slice since the clock's zero. */
  index: number;
  count: number;
  sum: number;
  least: number;
  most: number;
}

/** Durations of the last so many slices of time. Nothing here grows with the number of durations. */
export class DelayWindow {
  readonly #slices: Slice[] = [];
  readonly #count: number;
  readonly #sliceMs: number;
  readonly #now: () => number;

  /** @param now milliseconds, monotonic */
  constructor(slices: number, sliceMs: number, now: () => number) {
    this.#count = slices;
    this.#sliceMs = sliceMs;
    this.#now = now;
  }

  /** Takes a duration that ends now. */
  add(ms: number): void {
    const index = this.#index();
    const place = index % this.#count;
    let slice = this.#slices[place];
    if (slice?.index !== index) {
      slice = { index, count: 0, sum: 0, least: Infinity, most: 0 };
      this.#slices[place] = slice;
    }
    slice.count++;
    slice.sum += ms;
    slice.least = Math.min(slice.least, ms);
    slice.most = Math.max(slice.most, ms);
  }

  /** Durations in milliseconds, all 0 when there were none, and how many came per second of the whole window. */
  read(): { readonly max: number; readonly min: number; readonly avg: number; readonly qps: number } {
    const oldest = this.#index() - this.#count + 1;
    let count = 0;
    let sum = 0;
    let min = Infinity;
    let max = 0;
    // Not `for of`: slices in which nothing came are holes.
    this.#slices.forEach((slice) => {
      if (slice.index < oldest) return;
      count += slice.count;
      sum += slice.sum;
      min = Math.min(min, slice.least);
      max = Math.max(max, slice.most);
    });
    const seconds = (this.#count * this.#sliceMs) / 1000;
    return { max, min: count === 0 ? 0 : min, avg: count === 0 ? 0 : sum / count, qps: count / seconds };
  }

  #index(): number {
    return Math.floor(this.#now() / this.#sliceMs);
  }
}
