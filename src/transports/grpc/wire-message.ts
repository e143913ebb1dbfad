import type { Message } from './server.js';

/** A received message. One with memory of its own gives it back with its last reference, and is empty from then on. */
export class WireMessage implements Message {
  readonly bytes: Uint8Array;
  #references = 1;
  readonly #free: ((buffer: ArrayBuffer) => void) | null;

  /** @param free gives the memory back; null when it is the garbage collector's business */
  constructor(bytes: Uint8Array, free: ((buffer: ArrayBuffer) => void) | null) {
    this.bytes = bytes;
    this.#free = free;
  }

  retain(): void {
    this.#references++;
  }

  release(): void {
    if (--this.#references === 0) this.#free?.(this.bytes.buffer as ArrayBuffer);
  }
}
