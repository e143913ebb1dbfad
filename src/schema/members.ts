import { describeJson, formatPath, isObject } from '../core/json.js';

/** Collects what is wrong with a document, so that a person mends it once. */
export type OnFault = (keys: readonly string[], reason: string) => void;

/** The members of an object in a document that a person wrote. Reading one says what it has to be; null is none. */
export class Members {
  readonly keys: readonly string[];
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #onFault: OnFault;
  readonly #asked = new Set<string>();

  constructor(value: unknown, keys: readonly string[], onFault: OnFault) {
    this.keys = keys;
    this.#onFault = onFault;
    this.#object = isObject(value) ? value : {};
    if (!isObject(value)) this.#refuse(keys, 'an object', value);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== null;
  }

  fault(name: string, reason: string): void {
    this.#onFault([...this.keys, name], reason);
  }

  text(name: string, fallback: string): string {
    return this.#read(name, fallback, 'text', (value) => (typeof value === 'string' ? value : undefined));
  }

  /** Text that something is called by. */
  name(name: string): string {
    const expected = 'a name';
    const value = this.#read(name, null, expected, (value) =>
      typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined,
    );
    if (value === null && !this.has(name)) this.fault(name, `is missing; expected ${expected}`);
    return value ?? '';
  }

  flag(name: string, fallback: boolean): boolean {
    return this.#read(name, fallback, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  number(name: string): number | null {
    return this.#read(name, null, 'a number', (value) => (typeof value === 'number' ? value : undefined));
  }

  /** How many of something. */
  count(name: string): number | null {
    return this.#read(name, null, 'an integer from 0 up', (value) =>
      Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined,
    );
  }

  scalar(name: string): string | number | boolean | null {
    return this.#read(name, null, 'text, a number or a boolean', (value) =>
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined,
    );
  }

  choice<const T extends string, F>(name: string, choices: readonly T[], fallback: F): T | F {
    const expected = `one of ${choices.map((each) => JSON.stringify(each)).join(', ')}`;
    return this.#read<T | F>(name, fallback, expected, (value) => choices.find((each) => each === value));
  }

  list(name: string, expected: string): readonly unknown[] {
    return this.#read<readonly unknown[]>(name, [], expected, (value) => (Array.isArray(value) ? value : undefined));
  }

  objects(name: string): readonly Members[] {
    return this.list(name, 'a list of objects').flatMap((value, index) => {
      const keys = [...this.keys, name, String(index)];
      if (isObject(value)) return [new Members(value, keys, this.#onFault)];
      this.#refuse(keys, 'an object', value);
      return [];
    });
  }

  /** The object of that name; one without members where there is none. */
  object(name: string): Members {
    this.#asked.add(name);
    return new Members(this.has(name) ? this.#object[name] : {}, [...this.keys, name], this.#onFault);
  }

  /** Every member, by its name. */
  entries(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#object);
  }

  value(name: string): unknown {
    this.#asked.add(name);
    return this.has(name) ? this.#object[name] : undefined;
  }

  /** Refuses members that nobody has asked for: a slip of the pen would have no effect. */
  end(hints: Readonly<Record<string, string>> = {}): void {
    for (const name of Object.keys(this.#object)) {
      if (this.#asked.has(name)) continue;
      const hint = Object.hasOwn(hints, name)
        ? `write ${hints[name] ?? ''}`
        : `there are ${[...this.#asked].join(', ')}`;
      this.fault(name, `is not known here; ${hint}`);
    }
  }

  #read<T>(name: string, fallback: T, expected: string, accept: (value: unknown) => T | undefined): T {
    const value = this.value(name);
    if (value === undefined) return fallback;
    const accepted = accept(value);
    if (accepted === undefined) this.#refuse([...this.keys, name], expected, value);
    return accepted ?? fallback;
  }

  #refuse(keys: readonly string[], expected: string, found: unknown): void {
    this.#onFault(keys, `expected ${expected} but found ${describeJson(found)}`);
  }
}

/** A line of a message about a document. */
export function formatFault(keys: readonly string[], reason: string): string {
  return `${formatPath(keys) || 'the document'}: ${reason}`;
}
