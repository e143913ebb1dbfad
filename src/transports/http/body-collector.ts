import type { BodyHold } from './body-memory.js';

/** Chunks from here on are kept as they came: what Node.js needs for each of them is little beside it. */
const largeChunk = 4096;

/** Memory that smaller ones are copied to: as much as has come so far, within these bounds. */
const smallestSlab = 1024;
const largestSlab = 256 * 1024;

/**
 * Puts a body together from the chunks that it comes in. Holds no more than twice what has arrived, however small the
 * chunks are, and copies large ones once.
 */
export class BodyCollector {
  readonly #announced: number | null;
  readonly #hold: Pick<BodyHold, 'take' | 'drop'>;
  #length = 0;
  /** What has arrived, as long as there is no `#whole`. */
  #pieces: Buffer[] = [];
  /** Room behind the last piece, for small chunks. */
  #slab = Buffer.alloc(0);
  /** How much of it is in use since the last piece. */
  #used = 0;
  /** The body itself. */
  #whole: Buffer | null = null;

  /**
   * @param announced its length, where the client has said it; it has that length at most
   * @param hold takes as many bytes as the body has
   */
  constructor(announced: number | null, hold: Pick<BodyHold, 'take' | 'drop'>) {
    this.#announced = announced;
    this.#hold = hold;
  }

  /** Bytes that have arrived. */
  get length(): number {
    return this.#length;
  }

  /** @throws AigesError `noMemory` */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#whole === null && this.#announced !== null && isWorthItsRoom(this.#announced, length)) {
      this.#hold.take(this.#announced - this.#length);
      this.#whole = this.#open(this.#announced);
    }
    if (this.#whole === null) {
      this.#hold.take(chunk.length);
      this.#keep(chunk);
    } else chunk.copy(this.#whole, this.#length);
    this.#length = length;
  }

  /** The body, in one buffer of its own. Call it once. */
  finish(): Buffer {
    return this.#whole ?? this.#open(this.#length);
  }

  /** There will be no body: lets go of what has come. */
  drop(): void {
    this.#pieces = [];
    this.#slab = Buffer.alloc(0);
    this.#used = 0;
    this.#whole = null;
    this.#hold.drop();
  }

  #open(length: number): Buffer {
    this.#closePiece();
    const whole = Buffer.allocUnsafe(length);
    let at = 0;
    for (const piece of this.#pieces) at += piece.copy(whole, at);
    this.#pieces = [];
    this.#slab = Buffer.alloc(0);
    return whole;
  }

  #keep(chunk: Buffer): void {
    if (chunk.length >= largeChunk) {
      this.#closePiece();
      this.#pieces.push(chunk);
      return;
    }
    for (let at = 0; at < chunk.length;) {
      if (this.#used === this.#slab.length) {
        this.#closePiece();
        const arrived = this.#length + at;
        this.#slab = Buffer.allocUnsafeSlow(Math.min(Math.max(arrived, smallestSlab), largestSlab));
      }
      const copied = chunk.copy(this.#slab, this.#used, at);
      this.#used += copied;
      at += copied;
    }
  }

  /** What comes next does not continue it. */
  #closePiece(): void {
    if (this.#used === 0) return;
    this.#pieces.push(this.#slab.subarray(0, this.#used));
    this.#slab = this.#slab.subarray(this.#used);
    this.#used = 0;
  }
}

/** Anybody can announce a large body: there is room for all of it when half of it has come. */
function isWorthItsRoom(announced: number, arrived: number): boolean {
  return announced <= Math.max(2 * arrived, smallestSlab);
}
