import { extname } from 'node:path';
import { quietMs } from './watch.js';

/** News of a file takes a moment, and comes when nothing else has changed for `quietMs`. */
const newsMs = 2 * quietMs;

export interface SortedChanges {
  /** Somebody has edited them. */
  readonly files: readonly string[];
  /** The wrapper itself seems to have written them. */
  readonly left: readonly string[];
}

/**
 * Tells what somebody edits from what the wrapper writes when it starts, such as a state.json beside it: to load it
 * for that again would go on for ever. Nobody can say who wrote a file; only when it was, and code is never taken for
 * the wrapper's own.
 */
export class OwnWrites {
  #loading = 0;
  #lastEnd = -Infinity;

  /** Says that the wrapper is being loaded. @returns what to call when it is, or is not going to be */
  loading(): () => void {
    this.#loading++;
    return () => {
      this.#loading--;
      this.#lastEnd = performance.now();
    };
  }

  /** @param changed files that have just become known as changed */
  sort(changed: readonly string[]): SortedChanges {
    const starting = this.#loading > 0 || performance.now() - this.#lastEnd < newsMs;
    const isOwn = (file: string): boolean => starting && extname(file) === '.json';
    return { files: changed.filter((file) => !isOwn(file)), left: changed.filter(isOwn) };
  }
}
