import { isIPv4, isIPv6 } from 'node:net';

/** An IP address, 4 or 16 bytes. IPv4-mapped IPv6 addresses are held as the IPv4 address that they reach. */
export type Address = Uint8Array;

/** All addresses whose first `prefix` bits equal those of `base`. */
export interface Range {
  readonly base: Address;
  readonly prefix: number;
}

/** Why an address is not a public one, with the length of the range that says so. */
export interface Special {
  readonly kind: 'unspecified' | 'loopback' | 'link-local' | 'private' | 'multicast' | 'reserved';
  readonly prefix: number;
}

const mappedPrefix = 96;

/** Reads what a resolver or a URL gives; null for everything that is not an address. */
export function parseAddress(text: string): Address | null {
  if (isIPv4(text)) return Uint8Array.from(bytesOf(text));
  if (!isIPv6(text)) return null;
  const wide = wideBytes(text);
  return isMapped(wide) ? wide.slice(12) : wide;
}

/** Reads `10.0.0.0/8` or a single address; null when it is neither. */
export function parseRange(text: string): Range | null {
  const slash = text.indexOf('/');
  const base = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (base === null) return null;
  const longest = base.length * 8;
  if (slash === -1) return { base, prefix: longest };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits)) return null;
  // A mapped base counts its prefix from the start of the IPv6 address.
  const prefix = Number(digits) - (base.length === 4 && text.includes(':') ? mappedPrefix : 0);
  return prefix >= 0 && prefix <= longest ? { base, prefix } : null;
}

export function contains(range: Range, address: Address): boolean {
  if (range.base.length !== address.length) return false;
  const whole = range.prefix >> 3;
  for (let i = 0; i < whole; i++) if (range.base[i] !== address[i]) return false;
  const rest = range.prefix & 7;
  return rest === 0 || ((range.base[whole] ?? 0) ^ (address[whole] ?? 0)) >> (8 - rest) === 0;
}

/** What is special about an address; null for one on the public internet. */
export function classify(address: Address): Special | null {
  // Networks without IPv4 reach every IPv4 host under this prefix: what counts is the host behind it.
  if (contains(nat64, address)) {
    const inner = classify(address.slice(12));
    return inner === null ? null : { kind: inner.kind, prefix: inner.prefix + nat64.prefix };
  }
  for (const { range, kind } of table) if (contains(range, address)) return { kind, prefix: range.prefix };
  return null;
}

function isMapped(wide: Address): boolean {
  return wide.subarray(0, 10).every((byte) => byte === 0) && wide[10] === 0xff && wide[11] === 0xff;
}

function wideBytes(text: string): Address {
  // The zone behind % names a network card, not another address.
  const [plain = ''] = text.split('%');
  const [head = '', tail = ''] = plain.split('::');
  const bytes = new Uint8Array(16);
  bytes.set(head.split(':').flatMap(bytesOf));
  const back = tail.split(':').flatMap(bytesOf);
  bytes.set(back, 16 - back.length);
  return bytes;
}

/** The bytes of one group of an IPv6 address, or of a dotted IPv4 address. */
function bytesOf(group: string): number[] {
  if (group === '') return [];
  if (group.includes('.')) return group.split('.').map(Number);
  const word = Number.parseInt(group, 16);
  return [word >> 8, word & 0xff];
}

function known(text: string): Range {
  const range = parseRange(text);
  if (range === null) throw new TypeError(`${text} is not a range`);
  return range;
}

const nat64 = known('64:ff9b::/96');

/** The registries of special addresses (RFC 6890 and its successors); the first match counts. */
const table = (
  [
    ['0.0.0.0/8', 'unspecified'],
    ['10.0.0.0/8', 'private'],
    ['100.64.0.0/10', 'private'],
    ['127.0.0.0/8', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['172.16.0.0/12', 'private'],
    ['192.0.0.0/24', 'reserved'],
    ['192.0.2.0/24', 'reserved'],
    ['192.88.99.0/24', 'reserved'],
    ['192.168.0.0/16', 'private'],
    ['198.18.0.0/15', 'reserved'],
    ['198.51.100.0/24', 'reserved'],
    ['203.0.113.0/24', 'reserved'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved'],
    ['::/128', 'unspecified'],
    ['::1/128', 'loopback'],
    ['64:ff9b:1::/48', 'private'],
    ['fc00::/7', 'private'],
    ['fe80::/10', 'link-local'],
    ['fec0::/10', 'private'],
    ['ff00::/8', 'multicast'],
    // Teredo and 6to4 lead to an IPv4 address of the sender's choice.
    ['2001::/23', 'reserved'],
    ['2001:db8::/32', 'reserved'],
    ['2002::/16', 'reserved'],
    ['3fff::/20', 'reserved'],
    // Public IPv6 addresses are those in 2000::/3; these three are everything else.
    ['::/3', 'reserved'],
    ['4000::/2', 'reserved'],
    ['8000::/1', 'reserved'],
  ] as const
).map(([text, kind]) => ({ range: known(text), kind }));
