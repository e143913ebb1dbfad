import type { Signal } from '../core/signal.js';

interface Size<T> {
  /** What may wait, in all. */
  readonly max: number;
  /** Asked once for each item: what it has lent may be gone by the time that it is taken. */
  readonly of: (item: T) => number;
}

interface Queued<T> {
  readonly item: T;
  readonly size: number;
}

/** Hands results from the plugin to whoever asks next, in order, each to one. */
export class ResultQueue<T> {
  readonly #capacity: number;
  readonly #size: Size<T>;
  #sum = 0;
  readonly #items: Queued<T>[] = [];
  readonly #takers = new Set<(item: T | null) => void>();
  #room: (() => void) | null = null;
  #ended = false;

  /**
   * @param capacity results that may wait before `push` asks the producer to
   * @param size the same for how large they are; without it that does not matter
   */
  constructor(capacity: number, size: Size<T> = { max: Infinity, of: () => 0 }) {
    this.#capacity = capacity;
    this.#size = size;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Adds a result. Resolves when there is room for the next one. */
  push(item: T): Promise<void> {
    const [taker] = this.#takers;
    if (taker !== undefined) taker(item);
    else {
      const size = this.#size.of(item);
      this.#items.push({ item, size });
      this.#sum += size;
    }
    if (this.#items.length < this.#capacity && this.#sum < this.#size.max) return Promise.resolve();
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  /** Takes the next result, waiting for it until the signal aborts or the queue ends: null then. */
  take(signal: Signal): Promise<T | null> {
    const queued = this.#items.shift();
    if (queued !== undefined) {
      this.#sum -= queued.size;
      if (this.#sum < this.#size.max) this.#makeRoom();
      return Promise.resolve(queued.item);
    }
    if (this.#ended || signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const onAbort = (): void => {
        settle(null);
      };
      const settle = (taken: T | null): void => {
        this.#takers.delete(settle);
        signal.removeEventListener('abort', onAbort);
        resolve(taken);
      };
      this.#takers.add(settle);
      signal.addEventListener('abort', onAbort);
    });
  }

  /** Sends away who waits, now and later; what is queued can still be taken. */
  end(): void {
    this.#ended = true;
    this.#makeRoom();
    for (const settle of [...this.#takers]) settle(null);
  }

  /** Takes out everything that waits. */
  clear(): T[] {
    this.#sum = 0;
    return this.#items.splice(0).map(({ item }) => item);
  }

  #makeRoom(): void {
    this.#room?.();
    this.#room = null;
  }
}
