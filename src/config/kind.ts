import type { TomlValue } from 'smol-toml';
import { type Address, formatAddress } from '../core/address.js';
import { formatDecimal } from '../core/decimal.js';
import { isDialable, isHost, parseAddress } from './address.js';
import { formatDuration, formatSize, MiB, parseDuration, parseSize } from './units.js';

/** A value as it was found. */
export interface Found {
  readonly value: TomlValue;
  /** It came as text from the environment or the command line, where nothing else can be written. */
  readonly text: boolean;
}

/** Why a value is not taken. */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** What values a key takes. */
export interface Kind<T> {
  /** For the reference. */
  readonly name: string;
  read(found: Found): T | Refusal;
  /** The value as it is written in a file. */
  show(value: T): string;
}

export function anything(): Kind<null> {
  return { name: 'any', read: () => null, show: () => '' };
}

export function boolean(): Kind<boolean> {
  return {
    name: 'true or false',
    read(found) {
      if (typeof found.value === 'boolean') return found.value;
      if (found.text && found.value === 'true') return true;
      if (found.text && found.value === 'false') return false;
      return expected('true or false', found);
    },
    show: String,
  };
}

/** Several texts: an array in a file, separated by ";" where only text can be written. */
export function list(member: Shape = anyText): Kind<readonly string[]> {
  const members = member === anyText ? 'strings' : `${member.name ?? 'string'}s`;
  return {
    name: `list of ${members}`,
    read(found) {
      const { value } = found;
      const texts =
        typeof value === 'string'
          ? value
              .split(';')
              .map((each) => each.trim())
              .filter((each) => each !== '')
          : value;
      if (!Array.isArray(texts) || !texts.every((each) => typeof each === 'string')) {
        return expected(`a list of ${members}`, found);
      }
      const refused = texts.find((each) => !member.accepts(each));
      return refused === undefined ? texts : expected(member.expected, { ...found, value: refused });
    },
    show: (members) => `[${members.map((each) => JSON.stringify(each)).join(', ')}]`,
  };
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit?: string;
}

/** Integers, also as text: the original took both. */
export function integer({ min, max, unit }: Range): Kind<number> {
  const suffix = unit === undefined ? '' : ` (${unit})`;
  return {
    // A bound that nobody can meet by accident is no news to a reader.
    name: `integer${max < 2 ** 31 - 1 ? ` from ${min} to ${max}` : ''}${suffix}`,
    read(found) {
      const value = readInteger(found.value);
      return value === null || value < min || value > max
        ? expected(`an integer from ${min} to ${max}${suffix}`, found)
        : value;
    },
    show: String,
  };
}

/** The original's message limits: a bare number counts MiB. */
export function mebibytes({ min, max }: Range): Kind<number> {
  return {
    name: `integer from ${min} to ${max} (MiB)`,
    read(found) {
      const count = readInteger(found.value);
      const bytes = count === null ? readSize(found.value) : count * MiB;
      return bytes === null || bytes < min * MiB || bytes > max * MiB
        ? expected(`an integer from ${min} to ${max} (MiB)`, found)
        : bytes;
    },
    show: (bytes) => String(bytes / MiB),
  };
}

export function size({ min, max }: Range): Kind<number> {
  return {
    name: 'size',
    read(found) {
      const bytes = readInteger(found.value) ?? readSize(found.value);
      return bytes === null || bytes < min || bytes > max
        ? expected(
            `a size from ${formatSize(min)} to ${formatSize(max)} such as "64MiB", "512KiB" or 4096 (bytes)`,
            found,
          )
        : bytes;
    },
    show: (bytes) => `"${formatSize(bytes)}"`,
  };
}

export function duration({ min, max }: Range): Kind<number> {
  return {
    name: 'duration',
    read(found) {
      const milliseconds = typeof found.value === 'string' ? parseDuration(found.value) : null;
      return milliseconds === null || milliseconds < min || milliseconds > max
        ? expected(
            `a duration from ${formatDuration(min)} to ${formatDuration(max)} such as "60s", "500ms" or "2m"`,
            found,
          )
        : milliseconds;
    },
    show: (milliseconds) => `"${formatDuration(milliseconds)}"`,
  };
}

interface Shape {
  readonly name?: string;
  /** What the text is, for the message that refuses another. */
  readonly expected: string;
  accepts(text: string): boolean;
}

const anyText: Shape = { expected: 'text', accepts: () => true };

/** Text; numbers count as text, as they did in the original. */
export function text(shape: Shape = anyText): Kind<string> {
  return {
    name: shape.name ?? 'string',
    read(found) {
      const value = readText(found.value);
      return value === null || value.includes('\0') || !shape.accepts(value) ? expected(shape.expected, found) : value;
    },
    show: (value) => JSON.stringify(value),
  };
}

/** Text that no message repeats. */
export function secret(): Kind<string> {
  return {
    name: 'string',
    read(found) {
      const value = readText(found.value);
      if (value !== null && !value.includes('\0')) return value;
      return new Refusal(`expected text but found ${value === null ? describeType(found.value) : 'a NUL in it'}`);
    },
    show: () => '"…"',
  };
}

/** An address with one of these schemes and a host, and without user and password: those have keys of their own, or none. */
export function url(schemes: readonly string[], sample: string): Kind<string | null> {
  return {
    name: 'URL',
    read(found) {
      const value = readText(found.value)?.trim() ?? null;
      // Files of the original say "" for "none".
      if (value === '') return null;
      // What comes before an @ may be a password.
      if (value?.includes('@') === true)
        return new Refusal(`expected a URL without user and password such as "${sample}"`);
      if (value !== null && URL.canParse(value)) {
        const { protocol, hostname, hash } = new URL(value);
        if (schemes.includes(protocol.slice(0, -1)) && hostname !== '' && hash === '') return value;
      }
      return expected(
        `a URL such as "${sample}" that begins with ${schemes.map((each) => `${each}://`).join(' or ')}`,
        found,
      );
    },
    show: (value) => JSON.stringify(value ?? ''),
  };
}

interface ChoiceOptions<T> {
  /** Other spellings. */
  readonly aliases?: Readonly<Record<string, T>>;
  /** Values that make sense but are not to be had, and what to do instead. */
  readonly refused?: Readonly<Record<string, string>>;
}

export function choice<const T extends string>(values: readonly T[], options: ChoiceOptions<T> = {}): Kind<T> {
  const aliases = new Map(Object.entries<T>(options.aliases ?? {}));
  const refused = new Map(Object.entries(options.refused ?? {}));
  return {
    name: listAlternatives(values),
    read(found) {
      const value = readText(found.value)?.toLowerCase() ?? '';
      const refusal = refused.get(value);
      if (refusal !== undefined) return new Refusal(`${describe(found.value)} is not available: ${refusal}`);
      return (
        values.find((candidate) => candidate.toLowerCase() === value) ??
        aliases.get(value) ??
        expected(listAlternatives(values), found)
      );
    },
    show: (value) => JSON.stringify(value),
  };
}

/** Where to listen; `null` for nowhere. */
export function listener(): Kind<Address | null> {
  return {
    name: 'host:port',
    read(found) {
      const value = readText(found.value)?.trim() ?? null;
      if (value === '' || value?.toLowerCase() === 'off') return null;
      return (
        (value === null ? null : parseAddress(value)) ??
        expected('"host:port" such as "127.0.0.1:1888", ":port" for all interfaces, or "off"', found)
      );
    },
    show: (address) => (address === null ? '"off"' : JSON.stringify(formatAddress(address))),
  };
}

export function host(): Kind<string | null> {
  return {
    name: 'IP address or host name',
    read(found) {
      const value = readText(found.value)?.trim() ?? null;
      // The original's sample files say host = "" for "choose one".
      if (value === '') return null;
      return value !== null && isHost(value)
        ? value
        : expected('an IP address or host name without port or brackets such as "0.0.0.0"', found);
    },
    show: (value) => JSON.stringify(value ?? ''),
  };
}

export function dialable(): Kind<string> {
  return text({
    name: 'ipv4:port',
    expected: 'an IPv4 address and port that clients can dial such as "10.0.0.5:5090"',
    accepts: isDialable,
  });
}

/** What was found, for a message. Never more than a line of it. */
export function describe(value: TomlValue): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === 'number') return formatDecimal(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return describeType(value);
}

export function describeType(value: TomlValue): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'number') return 'a float';
  if (typeof value === 'bigint') return 'an integer';
  return typeof value === 'boolean' ? 'a boolean' : 'a table';
}

function expected(what: string, found: Found): Refusal {
  return new Refusal(`expected ${what} but found ${describe(found.value)}`);
}

function listAlternatives(values: readonly string[]): string {
  const quoted = values.map((value) => JSON.stringify(value));
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

function readInteger(value: TomlValue): number | null {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string' && /^[+-]?\d{1,15}$/.test(value.trim())) return Number(value);
  return null;
}

function readSize(value: TomlValue): number | null {
  return typeof value === 'string' ? parseSize(value) : null;
}

function readText(value: TomlValue): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return formatDecimal(value);
  return null;
}
