import { domainToASCII } from 'node:url';
import { type Address, classify, contains, parseAddress, parseRange, type Range, type Special } from './address.js';

/** `null` when the address may be connected to, else why not. */
export type Refusal = Special['kind'] | 'unlisted' | null;

interface Pattern {
  /** null stands for every port. */
  readonly port: number | null;
}

interface NamePattern extends Pattern {
  /** `example.com`, `.example.com` for the names below it, or the empty string for every name. */
  readonly name: string;
}

interface RangePattern extends Pattern {
  readonly range: Range;
}

/**
 * The places that data may be fetched from: names (`example.com`, `*.example.com`, `*`), addresses and ranges
 * (`192.0.2.7`, `10.0.0.0/8`), each with an optional port (`example.com:8443`, `[fd00::/8]:9000`).
 * A name allows public addresses only; an address or range allows what it covers, whatever name led there.
 */
export class AllowList {
  readonly #names: NamePattern[] = [];
  readonly #ranges: RangePattern[] = [];

  /** @throws RangeError that names the pattern that makes no sense */
  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) this.#add(pattern);
  }

  get empty(): boolean {
    return this.#names.length === 0 && this.#ranges.length === 0;
  }

  /** Whether any address of this host could be allowed; if not, it need not be resolved. */
  mayAllow(host: string, port: number): boolean {
    return this.#ranges.length > 0 || this.#allowsName(host, port);
  }

  /**
   * @param host as it stands in a parsed URL: lower case, or an address
   * @param address where the host turned out to be
   */
  refusal(host: string, port: number, address: Address): Refusal {
    const special = classify(address);
    // A range that is wider than the special one around the address does not mean it: 0.0.0.0/0 opens no intranet.
    const least = special?.prefix ?? 0;
    const covered = this.#ranges.some(
      (entry) => fits(entry, port) && entry.range.prefix >= least && contains(entry.range, address),
    );
    if (covered) return null;
    if (special !== null) return special.kind;
    return this.#allowsName(host, port) ? null : 'unlisted';
  }

  #allowsName(host: string, port: number): boolean {
    const name = host.replace(/\.$/, '');
    return this.#names.some(
      (entry) => fits(entry, port) && (entry.name.startsWith('.') ? name.endsWith(entry.name) : matches(entry, name)),
    );
  }

  #add(text: string): void {
    const { host, port } = splitPort(text.trim());
    const range = parseRange(host);
    if (range !== null) this.#ranges.push({ range, port });
    else this.#names.push({ name: nameOf(host, text), port });
  }
}

function fits(entry: Pattern, port: number): boolean {
  return entry.port === null || entry.port === port;
}

function matches(entry: NamePattern, name: string): boolean {
  return entry.name === '' || entry.name === name;
}

function splitPort(text: string): { readonly host: string; readonly port: number | null } {
  const parts = /^(?:\[(?<inner>[^\]]*)\]|(?<outer>[^:]*))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups;
  // An IPv6 address or range without brackets is all host.
  if (parts === undefined) return { host: text, port: null };
  const host = parts['inner'] ?? parts['outer'] ?? '';
  if (parts['port'] === undefined) return { host, port: null };
  const port = Number(parts['port']);
  if (port < 1 || port > 65535) throw invalid(text);
  return { host, port };
}

function nameOf(host: string, pattern: string): string {
  if (host === '*') return '';
  // Conversion to ASCII reads the text as part of a URL and drops what follows these.
  if (/[\s/?#@\\:%]/.test(host)) throw invalid(pattern);
  const below = host.startsWith('*.');
  const name = domainToASCII(below ? host.slice(2) : host).replace(/\.$/, '');
  const labels = name.split('.');
  // Domains do not end in a number; 127.1 or 0x7f.1 would be addresses by another spelling.
  const numeric = /^(?:\d+|0x[\da-f]*)$/.test(labels.at(-1) ?? '') || parseAddress(name) !== null;
  if (numeric || !labels.every((label) => /^[a-z\d_-]+$/.test(label))) throw invalid(pattern);
  return below ? `.${name}` : name;
}

function invalid(pattern: string): RangeError {
  return new RangeError(
    `${JSON.stringify(pattern)} is not a place to allow: ` +
      'expected a host (example.com, *.example.com), an address or a range (10.0.0.0/8), each with an optional :port',
  );
}
