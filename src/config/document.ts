import { parse, TomlError, type TomlTable, type TomlValue } from 'smol-toml';
import { ConfigError } from './config.js';
import type { Found } from './kind.js';
import type { Report } from './report.js';

/** A value and where it was written, for messages. */
export interface Entry extends Found {
  readonly where: string;
}

/** Values by table and key. Maps, because keys such as `__proto__` are names like any other here. */
export type Entries = Map<string, Map<string, Entry>>;

export interface Document {
  /** How messages call the file. */
  readonly source: string;
  readonly entries: Entries;
  /** Keys outside of any table. */
  readonly stray: ReadonlyMap<string, Entry>;
}

/**
 * Reads TOML into entries. Tables within tables stay values.
 * @throws ConfigError with line and column of a syntax error
 */
export function readDocument(source: string, text: string): Document {
  const entries: Entries = new Map();
  const stray = new Map<string, Entry>();
  for (const [name, value] of Object.entries(parseToml(source, text))) {
    if (!isTable(value)) {
      stray.set(name, { value, text: false, where: `${source}: ${quoteName(name)}` });
      continue;
    }
    entries.set(name, readTable(source, name, value));
  }
  return { source, entries, stray };
}

export function readTable(source: string, name: string, table: TomlTable): Map<string, Entry> {
  const entries = Object.entries(table).map(([key, value]): [string, Entry] => [
    key,
    { value, text: false, where: `${source}: ${joinNames(name, key)}` },
  ]);
  return new Map(entries);
}

/** `a.b` written without quotes is a table within a table to TOML; for free-form tables it is the key "a.b" all the same. */
export function flatten(table: ReadonlyMap<string, Entry>, report: Report): Map<string, Entry> {
  const flat = new Map<string, Entry>();
  const visit = (key: string, entry: Entry, depth: number): void => {
    if (isTable(entry.value) && depth < deepest) {
      for (const [name, value] of Object.entries(entry.value)) {
        visit(`${key}.${name}`, { ...entry, value, where: `${entry.where}.${quoteName(name)}` }, depth + 1);
      }
    } else if (flat.has(key)) {
      report.fault(entry.where, twice);
    } else {
      flat.set(key, entry);
    }
  };
  for (const [key, entry] of table) visit(key, entry, 0);
  return flat;
}

export const twice = 'the key is there twice, with and without quotes; remove one';

/** Names are followed no deeper; a file that goes there is refused as one with tables for values. */
const deepest = 16;

export function isTable(value: TomlValue): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

/** `table.key` as a message shows it: on one line, whatever the names hold. */
export function joinNames(...names: readonly string[]): string {
  return names.map(quoteName).join('.');
}

export function quoteName(name: string): string {
  return /^[\w./~-]+$/.test(name) ? name : JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}

function parseToml(source: string, text: string): TomlTable {
  try {
    // Integers stay apart from floats this way: 5090.0 is not a port.
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    throw describeSyntaxError(source, text, error);
  }
}

function describeSyntaxError(source: string, text: string, error: unknown): ConfigError {
  if (!(error instanceof TomlError)) return new ConfigError([`${source}: cannot be read as TOML`], { cause: error });
  const reason = (error.message.split('\n')[0] ?? '').replace('Invalid TOML document: ', '');
  const line = (text.split(/\r?\n/)[error.line - 1] ?? '').trim();
  // A password that lacks its quote is not to end up in a log.
  if (/^["']?rabPass\b/i.test(line)) return new ConfigError([`${source}:${error.line}:${error.column}: ${reason}`]);
  const shown = line.length > 100 ? `${line.slice(0, 100)}…` : line;
  return new ConfigError([`${source}:${error.line}:${error.column}: ${reason}: ${shown}`], { cause: error });
}
