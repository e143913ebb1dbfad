import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { GrpcError, GrpcStatus } from './server.js';
import { WireMessage } from './wire-message.js';

const inflate = promisify(gunzip);

/** How many bytes one compressed byte can become: the format allows no more. */
const mostPerByte = 1032;

export interface InflationOptions {
  /** Of one message. */
  readonly maxBytes: number;
  /** Of all messages together, those that are being inflated at their largest. One that is larger has it to itself. */
  readonly memory: number;
}

interface Turn {
  readonly bytes: number;
  begin(): void;
}

/**
 * Inflates the messages of one server. A small message can become a large one, so they wait until there is memory for
 * what they may become, in the order in which they came. What they have become counts until it is released.
 */
export class Inflation {
  readonly #maxBytes: number;
  readonly #memory: number;
  readonly #waiting = new Set<Turn>();
  #held = 0;

  constructor({ maxBytes, memory }: InflationOptions) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
  }

  /** Bytes that inflated messages have, and that those being inflated may need. */
  get held(): number {
    return this.#held;
  }

  /**
   * The result has memory of its own; the message stays the caller's.
   * @param call whose `signal` ends the wait; looked at only when there is one
   * @throws GrpcError when the message is not gzip, or longer than `maxBytes`; the reason of `signal`
   */
  async inflate({ bytes }: WireMessage, call: { readonly signal: AbortSignal }): Promise<WireMessage> {
    const most = Math.min(this.#maxBytes, bytes.length * mostPerByte);
    await this.#take(most, call);
    let inflated: Uint8Array;
    try {
      inflated = await inflate(bytes, { maxOutputLength: this.#maxBytes, chunkSize: chunkSize(bytes, most) });
    } catch (error) {
      this.#give(most);
      throw failure(error, this.#maxBytes);
    }
    // All of the memory that it keeps, which for a small one is more than its length.
    const kept = inflated.buffer.byteLength;
    this.#give(most - kept);
    return new WireMessage(inflated, () => {
      this.#give(kept);
    });
  }

  async #take(bytes: number, call: { readonly signal: AbortSignal }): Promise<void> {
    if (this.#waiting.size === 0 && this.#fits(bytes)) {
      this.#held += bytes;
      return;
    }
    const { signal } = call;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const turn: Turn = {
        bytes,
        begin: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        this.#waiting.delete(turn);
        reject(signal.reason as Error);
        // It may have been the one for which there was no room.
        this.#admit();
      };
      this.#waiting.add(turn);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #give(bytes: number): void {
    this.#held -= bytes;
    this.#admit();
  }

  #admit(): void {
    for (const turn of this.#waiting) {
      if (!this.#fits(turn.bytes)) return;
      this.#held += turn.bytes;
      this.#waiting.delete(turn);
      turn.begin();
    }
  }

  #fits(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#memory;
  }
}

/** The last four bytes of gzip say how long the text is: when they are right, it is written into one piece. */
function chunkSize(bytes: Uint8Array, most: number): number {
  const smallest = 16 * 1024;
  if (bytes.length < 4) return smallest;
  const said = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0, true);
  // One more: a full piece makes zlib allocate the next.
  return Math.max(smallest, Math.min(said, most) + 1);
}

function failure(error: unknown, maxBytes: number): GrpcError {
  if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
    const text = `Received message that decompresses to a size larger than ${maxBytes}`;
    return new GrpcError(GrpcStatus.resourceExhausted, text);
  }
  return new GrpcError(GrpcStatus.internal, 'Failed to decompress message');
}
