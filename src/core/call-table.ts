const smallest = 64;

/**
 * What belongs to calls under way, by numbers that grow from call to call.
 *
 * A Map would do, but for the garbage collector: each time its table is full of entries that have gone, it is copied
 * to a new one, and the old one still refers to whatever was under way and to its successor. Once one of them has grown
 * old, everything in all that follow grows old with it: kilobytes for every call.
 */
export class CallTable<T extends object> {
  /** The number of the entry at the same place of `#entries`. */
  #numbers = new Float64Array(smallest);
  #entries: (T | null)[] = new Array<T | null>(smallest).fill(null);
  /** Those whose slot is taken: calls that have been under way for long, or that others have overtaken. */
  readonly #others = new Map<number, T>();
  #size = 0;

  get size(): number {
    return this.#size + this.#others.size;
  }

  get(number: number): T | undefined {
    const slot = number % this.#entries.length;
    const entry = this.#entries[slot] ?? null;
    return entry !== null && this.#numbers[slot] === number ? entry : this.#others.get(number);
  }

  /** @param number one that is not in the table */
  set(number: number, entry: T): void {
    const slot = number % this.#entries.length;
    if ((this.#entries[slot] ?? null) !== null) {
      if (2 * this.#size < this.#entries.length) {
        this.#others.set(number, entry);
        return;
      }
      this.#grow();
      this.set(number, entry);
      return;
    }
    this.#numbers[slot] = number;
    this.#entries[slot] = entry;
    this.#size++;
  }

  delete(number: number): void {
    const slot = number % this.#entries.length;
    if ((this.#entries[slot] ?? null) !== null && this.#numbers[slot] === number) {
      this.#entries[slot] = null;
      this.#size--;
    } else if (this.#others.size > 0) this.#others.delete(number);
  }

  *values(): Generator<T> {
    for (const entry of this.#entries) if (entry !== null) yield entry;
    yield* this.#others.values();
  }

  clear(): void {
    this.#entries.fill(null);
    this.#size = 0;
    this.#others.clear();
  }

  #grow(): void {
    const numbers = this.#numbers;
    const entries = this.#entries;
    this.#numbers = new Float64Array(2 * entries.length);
    this.#entries = new Array<T | null>(2 * entries.length).fill(null);
    this.#size = 0;
    for (const [slot, entry] of entries.entries()) if (entry !== null) this.set(numbers[slot] ?? 0, entry);
  }
}
