import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects garbage: what is young, or everything. */
export type Collect = (options?: { readonly type: 'minor' }) => void;

const mebibyte = 1024 * 1024;
/** Bytes borrowed between two collections of what is young: those take a fraction of a millisecond. */
const minorBytes = 32 * mebibyte;
/** Bytes alive from which on everything is collected, which takes some milliseconds. */
const majorBytes = 128 * mebibyte;
/** A thread that has borrowed nothing for so long lets go of the rest. */
const idleMs = 1000;

/**
 * Has the memory of requests go soon after them. A wrapper may keep what it received, so only the garbage collector can
 * say when nobody does any more; but to it a request of 10 MiB is a few small objects, and it takes its time.
 */
export class Collector {
  readonly #collect: Collect;
  readonly #alive: () => number;
  #sinceMinor = 0;
  #limit = majorBytes;
  #idle: NodeJS.Timeout | null = null;

  /** @param alive bytes that are borrowed and have not been collected, as far as is known by now */
  constructor(alive: () => number, collect: Collect = exposedCollect()) {
    this.#alive = alive;
    this.#collect = collect;
  }

  /** Notes that so many bytes have been borrowed. Resolves when what was collected before them has been let go of. */
  async borrowed(bytes: number): Promise<void> {
    if (bytes === 0) return;
    this.#whenIdle();
    this.#sinceMinor += bytes;
    if (this.#sinceMinor < minorBytes) return;
    this.#sinceMinor = 0;
    const alive = this.#alive();
    if (alive < this.#limit) {
      this.#limit = Math.max(majorBytes, Math.min(this.#limit, 2 * alive));
      this.#collect({ type: 'minor' });
    } else {
      // A wrapper that keeps its requests is not to pay for this each time.
      this.#limit = 2 * alive;
      this.#collect();
    }
    // Finalizers run in a turn of their own, and messages that follow one another leave none.
    await setImmediate();
  }

  #whenIdle(): void {
    if (this.#idle !== null) {
      this.#idle.refresh();
      return;
    }
    this.#idle = setTimeout(() => {
      this.#idle = null;
      this.#sinceMinor = 0;
      if (this.#alive() > 0) this.#collect();
    }, idleMs).unref();
  }
}

/** V8 gives the function to contexts that are made while the flag is set. It stays set: threads start side by side. */
function exposedCollect(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
