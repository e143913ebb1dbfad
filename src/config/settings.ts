import type { Key } from './key.js';

/** Checked values of keys. Keys that nobody set have their default. */
export class Settings {
  readonly #values = new Map<Key, unknown>();
  readonly #places = new Map<Key, string>();
  /** What counts for a key that is not set here. */
  readonly #below: Settings | null;
  /** Keys for which nobody below is asked. */
  readonly #own: ReadonlySet<Key>;

  constructor(below: Settings | null = null, own: Iterable<Key> = []) {
    this.#below = below;
    this.#own = new Set(own);
  }

  /** Declares where messages look for a key that nobody set. */
  locate(key: Key, where: string): void {
    this.#places.set(key, where);
  }

  set(key: Key, value: unknown, where: string): void {
    this.#values.set(key, value);
    this.#places.set(key, where);
  }

  has(key: Key): boolean {
    return this.#values.has(key) || this.#inherited(key) !== null;
  }

  get<T>(key: Key<T>): T {
    // What is stored under a key came out of its own `kind.read`.
    if (this.#values.has(key)) return this.#values.get(key) as T;
    return this.#inherited(key)?.get(key) ?? key.default;
  }

  where(key: Key): string {
    return this.#inherited(key)?.where(key) ?? this.#places.get(key) ?? 'config';
  }

  /** Who has the value of a key that is not set here. */
  #inherited(key: Key): Settings | null {
    if (this.#values.has(key) || this.#own.has(key) || this.#below?.has(key) !== true) return null;
    return this.#below;
  }
}
