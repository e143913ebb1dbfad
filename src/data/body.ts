import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { connectionFailure, failed } from './failure.js';

/** Bytes that all downloads of one request may still take. */
export class Budget {
  readonly total: number;
  #left: number;

  constructor(total: number) {
    this.total = total;
    this.#left = total;
  }

  /** @returns whether there were as many left */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

export interface BodyLimits {
  /** Bytes of this body. */
  readonly max: number;
  readonly budget: Budget;
}

/**
 * Reads a whole body into memory of its own size.
 * @param from the host and port, for messages
 * @throws AigesError or Transient; the connection is closed then
 */
export async function readBody(
  response: IncomingMessage,
  from: string,
  limits: BodyLimits,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const claim = new Claim(limits, from);
  const encoding = response.headers['content-encoding'] ?? 'identity';
  const length = response.headers['content-length'];
  try {
    if (encoding === 'gzip') {
      const collect = (source: AsyncIterable<Buffer>): Promise<Uint8Array> => gather(source, claim);
      return await pipeline(response, createGunzip(), collect, { signal });
    }
    if (encoding !== 'identity') throw failed('unknown content encoding', from);
    if (length !== undefined) claim.take(Number(length));
    const collect = (source: AsyncIterable<Buffer>): Promise<Uint8Array> =>
      length === undefined ? gather(source, claim) : fill(source, Number(length));
    return await pipeline(response, collect, { signal });
  } catch (error) {
    response.destroy();
    claim.giveBack();
    signal.throwIfAborted();
    throw connectionFailure(error, from);
  }
}

/** What one body has taken from its limits. */
class Claim {
  readonly #limits: BodyLimits;
  readonly #from: string;
  #taken = 0;

  constructor(limits: BodyLimits, from: string) {
    this.#limits = limits;
    this.#from = from;
  }

  take(bytes: number): void {
    const { max, budget } = this.#limits;
    if (this.#taken + bytes > max) throw failed(`more than ${max} bytes`, this.#from);
    if (!budget.take(bytes)) throw failed(`more than ${budget.total} bytes in one request`, this.#from);
    this.#taken += bytes;
  }

  giveBack(): void {
    this.#limits.budget.giveBack(this.#taken);
    this.#taken = 0;
  }
}

async function gather(source: AsyncIterable<Buffer>, claim: Claim): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) {
    claim.take(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The parser ends a body at its announced length and fails one that is shorter. */
async function fill(source: AsyncIterable<Buffer>, length: number): Promise<Uint8Array> {
  const whole = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for await (const chunk of source) filled += chunk.copy(whole, filled);
  return whole;
}
