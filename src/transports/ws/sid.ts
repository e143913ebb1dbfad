import { isIPv4 } from 'node:net';
import type { Address } from '../../core/address.js';

const prefix = 'ase';

/**
 * Makes the names of sessions, in the form that the platform's tools take apart. No two of a process are the same, and
 * none is one of another process unless that has the same address and a like pid.
 */
export class SessionIds {
  readonly #now: () => number;
  #counter = 0;
  #lastMs = 0;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /**
   * @param local our end of the connection
   * @returns prefix, pid and counter as 4 hex digits each, `@local`, the time as 11 hex digits, the last two bytes of
   *   the IPv4 address as hex, the first two digits of the port, and a 2
   */
  next({ host, port }: Address): string {
    this.#counter = (this.#counter + 1) & 0xffff;
    // A clock may be set back; a counter that begins again must find another time.
    this.#lastMs = Math.max(this.#now(), this.#lastMs + (this.#counter === 0 ? 1 : 0));
    const ipv4 = host.replace(/^::ffff:/i, '');
    const bytes = isIPv4(ipv4) ? ipv4.split('.').slice(2) : ['0', '0'];
    const node = bytes.map((byte) => hex(Number(byte), 2)).join('');
    const digits = String(port).padStart(2, '0').slice(0, 2);
    return `${prefix}${hex(process.pid & 0xff, 4)}${hex(this.#counter, 4)}@local${hex(this.#lastMs, 11)}${node}${digits}2`;
  }
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}
