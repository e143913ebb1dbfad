import { isIP, isIPv4 } from 'node:net';
import type { Address } from '../core/address.js';

/** Splits `host:port`, `[ipv6]:port`, `:port` and `:`; `null` when the text is none of them. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{0,5})$/.exec(text.trim());
  if (match === null) return null;
  const [, bracketed, bare = '', digits = ''] = match;
  // Without a host the original listened on every interface, without a port on a free one.
  const host = bracketed ?? (bare === '' ? '0.0.0.0' : bare);
  const port = digits === '' ? 0 : Number(digits);
  if (port > 65535 || !isHost(host) || (bracketed !== undefined && isIP(host) !== 6)) return null;
  return { host, port };
}

/** Whether the text is an IP address or a host name, and nothing more. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  // Digits and dots that are no address are one with a typo.
  return text.length <= 253 && /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(text) && !/^[\d.]+$/.test(text);
}

/** Whether clients can dial the text: handles hold four bytes of address and two of port. */
export function isDialable(text: string): boolean {
  const address = parseAddress(text);
  return address !== null && isIPv4(address.host) && address.host !== '0.0.0.0' && address.port > 0;
}

/** Whether two listeners cannot both have what they ask for. */
export function collide(a: Address, b: Address): boolean {
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
