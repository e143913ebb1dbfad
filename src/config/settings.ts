import type { Key } from './key.js';

/** Checked values of keys. Keys that nobody set have their default. */
export class Settings {
  readonly #values = new Map<Key, unknown>();
  readonly #places = new Map<Key, string>();

  /** Declares where messages look for a key that nobody set. */
  locate(key: Key, where: string): void {
    this.#places.set(key, where);
  }

  set(key: Key, value: unknown, where: string): void {
    this.#values.set(key, value);
    this.#places.set(key, where);
  }

  has(key: Key): boolean {
    return this.#values.has(key);
  }

  get<T>(key: Key<T>): T {
    // What is stored under a key came out of its own `kind.read`.
    return this.#values.has(key) ? (this.#values.get(key) as T) : key.default;
  }

  where(key: Key): string {
    return this.#places.get(key) ?? 'config';
  }
}
