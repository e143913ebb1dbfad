import { EventField, EventFlag, eventStride } from './wire-addon.js';
import { decodeEnd, noFields } from './wire-fields.js';
import type { Connection } from './wire-call.js';
import { WireMessage } from './wire-message.js';

/** Events as they come from the wire, to be read while they are delivered. */
export class Batch {
  readonly end: number;
  readonly #events: Float64Array;
  readonly #bytes: Buffer;
  readonly #large: readonly ArrayBuffer[];

  constructor(events: Float64Array, count: number, bytes: ArrayBuffer | null, large: readonly ArrayBuffer[] | null) {
    this.end = count * eventStride;
    this.#events = events;
    this.#bytes = bytes === null ? noFields : Buffer.from(bytes);
    this.#large = large ?? [];
  }

  /** @param at where the event begins: from 0 up to `end`, in steps of `eventStride` */
  number(at: number, field: number): number {
    return this.#events[at + field] ?? 0;
  }

  has(at: number, flag: number): boolean {
    return (this.number(at, EventField.flags) & flag) !== 0;
  }

  /** @param free gives the memory of a large message back */
  message(at: number, free: (buffer: ArrayBuffer) => void): WireMessage {
    const place = this.number(at, EventField.place);
    const own = this.has(at, EventFlag.large) ? this.#large[place] : undefined;
    if (own !== undefined) return new WireMessage(new Uint8Array(own), free);
    return new WireMessage(this.#bytes.subarray(place, place + this.number(at, EventField.size)), null);
  }

  /** @returns the ends of a new connection and what comes with every call */
  fields(at: number): { readonly connection: Connection | null; readonly metadata: Buffer } {
    const begin = this.number(at, EventField.fields);
    const end = begin + this.number(at, EventField.fieldsSize);
    if (!this.has(at, EventFlag.newConnection)) {
      return { connection: null, metadata: begin === end ? noFields : this.#bytes.subarray(begin, end) };
    }
    const peer = decodeEnd(this.#bytes, begin);
    const local = decodeEnd(this.#bytes, peer.end);
    const connection = { peer: peer.address, local: local.address };
    return { connection, metadata: this.#bytes.subarray(local.end, end) };
  }
}
