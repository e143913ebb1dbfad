/** What became of a packet that was put in, and the packet that it took the place of. */
export type Placed<T> =
  { readonly kept: true; readonly replaced: T | undefined } | { readonly kept: false; readonly why: 'late' | 'full' };

/**
 * Puts packets that arrive in any order back into the order of their numbers. Pure: no clock, no waiting.
 * The packet that opens a session takes the first number.
 */
export class Reorder<T extends object> {
  #next: number;
  readonly #capacity: number;
  readonly #kept = new Map<number, T>();

  /**
   * @param first number of the first packet
   * @param capacity packets that may wait; one more is refused
   */
  constructor(first: number, capacity: number) {
    this.#next = first;
    this.#capacity = capacity;
  }

  /** Packets that wait. */
  get size(): number {
    return this.#kept.size;
  }

  /** Takes out everything that waits, in no order: nobody will. */
  clear(): T[] {
    const packets = [...this.#kept.values()];
    this.#kept.clear();
    return packets;
  }

  /** Whether packets wait for one that has not come. */
  get blocked(): boolean {
    return this.#kept.size > 0 && !this.#kept.has(this.#next);
  }

  /** Keeps a packet. A number that has been passed is late; one that waits already is replaced by the newer packet. */
  put(number: number, packet: T): Placed<T> {
    if (number < this.#next) return { kept: false, why: 'late' };
    const replaced = this.#kept.get(number);
    if (replaced === undefined && this.#kept.size >= this.#capacity) return { kept: false, why: 'full' };
    this.#kept.set(number, packet);
    return { kept: true, replaced };
  }

  /** Takes the packet whose turn it is; undefined when it has not come. */
  take(): T | undefined {
    const packet = this.#kept.get(this.#next);
    if (packet !== undefined) {
      this.#kept.delete(this.#next);
      this.#next++;
    }
    return packet;
  }

  /** Gives up on the packet that has not come: the next one is the lowest that waits. */
  skip(): void {
    if (!this.blocked) return;
    let lowest = Infinity;
    // There may be more of them than a call takes arguments.
    for (const number of this.#kept.keys()) lowest = Math.min(lowest, number);
    this.#next = lowest;
  }
}
