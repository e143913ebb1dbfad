import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { GrpcError, GrpcStatus, type Message } from './server.js';

const inflate = promisify(gunzip);

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

/** @throws GrpcError when the message is not gzip, or longer than `maxBytes` */
export async function decompress({ bytes }: WireMessage, maxBytes: number): Promise<WireMessage> {
  try {
    return new WireMessage(await inflate(bytes, { maxOutputLength: maxBytes }), null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      const text = `Received message that decompresses to a size larger than ${maxBytes}`;
      throw new GrpcError(GrpcStatus.resourceExhausted, text);
    }
    throw new GrpcError(GrpcStatus.internal, 'Failed to decompress message');
  }
}
