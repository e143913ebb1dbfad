import { anything, type Kind } from './kind.js';

/**
 * What a key does in this version:
 * - `live`: has an effect.
 * - `later`: had an effect in the original and has none here yet.
 * - `dead`: never had an effect, or means nothing to this loader.
 * - `platform`: talks to the platform that the original was part of.
 */
export type KeyClass = 'live' | 'later' | 'dead' | 'platform';

type Scalar = string | number | boolean;

interface Extras {
  /** Written, not commented out, in the default file. */
  readonly active?: boolean;
  /** What stands for the default where a value cannot. */
  readonly defaultText?: string;
  /** A value to show where the default is none, as TOML. */
  readonly sample?: string;
  /** Kept for older files only, and therefore not in the default file. */
  readonly superseded?: boolean;
  /** What the warning about the key says instead of the usual sentence. */
  readonly note?: string;
  /** Old files hold values of a wrong type here, for which the original took the default: so do we, with a warning. */
  readonly tolerant?: boolean;
  /** Values that ask for nothing, and therefore need no warning. */
  readonly inert?: readonly Scalar[];
}

export interface Key<T = unknown> extends Extras {
  readonly class: KeyClass;
  readonly kind: Kind<T>;
  readonly default: T;
  /** For the reference and the default file. */
  readonly text: string;
}

export interface Table<K extends Readonly<Record<string, Key>> = Readonly<Record<string, Key>>> {
  readonly name: string;
  readonly text: string;
  readonly keys: K;
  /** Set when the table takes keys that nobody can list: plugin config, or tables of which only the name counts. */
  readonly open?: KeyClass;
  /** Whether the table is on when its `able` key is missing; set for tables that have such a switch. */
  readonly able?: boolean;
  /** A line for the default file, where a table has no keys of its own to show. */
  readonly example?: string;
}

export function table<const K extends Readonly<Record<string, Key>>>(
  name: string,
  text: string,
  keys: K,
  options: Pick<Table, 'open' | 'able' | 'example'> = {},
): Table<K> {
  return { name, text, keys, ...options };
}

export function live<T>(kind: Kind<T>, fallback: NoInfer<T>, text: string, extras?: Extras): Key<T>;
export function live<T>(kind: Kind<T>, fallback: null, text: string, extras?: Extras): Key<T | null>;
export function live<T>(kind: Kind<T>, fallback: T, text: string, extras: Extras = {}): Key<T> {
  return { class: 'live', kind, default: fallback, text, ...extras };
}

/** The default is the original's. */
export function later<T>(kind: Kind<T>, fallback: T | null, text: string, extras: Extras = {}): Key<T | null> {
  return { class: 'later', kind, default: fallback, text, ...extras };
}

export function dead(text: string, extras: Extras = {}): Key<null> {
  return { class: 'dead', kind: anything(), default: null, text, ...extras };
}

export function platform(text: string, extras: Extras = {}): Key<null> {
  return { class: 'platform', kind: anything(), default: null, text, ...extras };
}
