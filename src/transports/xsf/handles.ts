import type { Address } from '../../core/address.js';
import { AigesError } from '../../core/errors.js';

/** How many ended handles are still told apart from ones that never were. */
const remembered = 1000;

/** The service handles of this process: what is behind those in use, and which were used lately. */
export class Handles<T> {
  #counter = 0;
  readonly #startedAt: number;
  readonly #now: () => number;
  readonly #live = new Map<string, T>();
  /** Which release it was, counted from 1. A Map keeps insertion order: the first one is the oldest. */
  readonly #released = new Map<string, number>();
  #releases = 0;
  readonly #inside = new Set<string>();

  /** @param now milliseconds, monotonic */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** Handles in use and what is behind them. */
  get live(): ReadonlyMap<string, T> {
    return this.#live;
  }

  /**
   * Makes a handle that no other call of this process has or had. Clients take it apart: they dial the address
   * in it for the calls that follow.
   * @param address IPv4 and port under which clients reach this process
   * @returns 26 characters: version 0, IPv4 as 8 hex digits, port as 4, a counter as 6, seconds since start as 7
   */
  create(address: Address): string {
    this.#counter++;
    const seconds = Math.floor((this.#now() - this.#startedAt) / 1000);
    const ip = address.host.split('.').map((byte) => hex(Number(byte), 2));
    return `0${ip.join('')}${hex(address.port, 4)}${hex(this.#counter, 6)}${hex(seconds, 7)}`;
  }

  /** @throws AigesError `handleInUse`, or `duplicateTag` while plugin code still knows an earlier call by it */
  checkFree(handle: string): void {
    if (this.#live.has(handle)) throw new AigesError('handleInUse', { message: `handle:${handle} is already stored` });
    if (this.#inside.has(handle)) throw new AigesError('duplicateTag');
  }

  /** @throws AigesError as `checkFree` */
  open(handle: string, value: T): void {
    this.checkFree(handle);
    this.#live.set(handle, value);
    this.#released.delete(handle);
  }

  /** @throws AigesError `releasedHandle` or `unknownHandle` */
  find(handle: string): T {
    const value = this.#live.get(handle);
    if (value !== undefined) return value;
    throw new AigesError(this.#remembers(handle) ? 'releasedHandle' : 'unknownHandle');
  }

  /** Ends the use of a handle and remembers it for a while. */
  release(handle: string): void {
    if (!this.#live.delete(handle)) return;
    this.#released.set(handle, ++this.#releases);
    // Many at a time: a Map looks for its first entry behind the places of all that were deleted lately.
    if (this.#released.size >= 2 * remembered) {
      for (const old of this.#released.keys()) {
        if (this.#remembers(old)) break;
        this.#released.delete(old);
      }
    }
  }

  /** Says that plugin code knows the handle as the tag of a call from now on. That may outlast the handle's use. */
  enter(handle: string): void {
    this.#inside.add(handle);
  }

  /** Says that plugin code has let go of it. */
  leave(handle: string): void {
    this.#inside.delete(handle);
  }

  /** Ends the use of a handle as if it had never been. */
  forget(handle: string): void {
    this.#live.delete(handle);
  }

  #remembers(handle: string): boolean {
    return (this.#released.get(handle) ?? -Infinity) > this.#releases - remembered;
  }
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}
