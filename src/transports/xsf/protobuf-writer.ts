/** From this size on bytes are sent from where they lie; below it a copy is cheaper than a chunk of its own. */
const ownChunk = 16 * 1024;

/** Longer strings are written by the runtime: calling it costs as much as so many characters. */
const shortString = 48;

const scratchBytes = 4 * ownChunk;
/** A message that needed more than this does not keep it. */
const keptBytes = 16 * scratchBytes;

/** Where messages are written before they are copied to memory of their own; it grows with the longest. */
let scratch = Buffer.allocUnsafeSlow(scratchBytes);

/**
 * Writes one protobuf message from its end to its beginning: a length stands before what it counts, and is known by then.
 * Fields are written last to first, and of each field its content before its tag. One message at a time: no other writer
 * may begin before `finish`.
 */
export class ProtobufWriter {
  /** Bytes of the scratch memory from here on are written. */
  #at = scratch.length;
  /** The last first, and the bytes in them. */
  readonly #chunks: Uint8Array[] = [];
  #chunkBytes = 0;

  /** Bytes written so far: the difference between two of these is the length of what was written between them. */
  get length(): number {
    return this.#chunkBytes + scratch.length - this.#at;
  }

  /** A field with a number as protobuf's `int32` has it. */
  int32Field(tag: number, value: number): void {
    this.#reserve(15);
    if (value < 0) {
      // Ten bytes, the upper ones of which repeat the sign.
      this.#at -= 10;
      for (let i = 0; i < 5; i++) scratch[this.#at + i] = ((value >> (7 * i)) & 0x7f) | 0x80;
      scratch.fill(0xff, this.#at + 5, this.#at + 9);
      scratch[this.#at + 9] = 1;
    } else this.#varint(value);
    this.#varint(tag);
  }

  stringField(tag: number, text: string): void {
    const bytes = this.#string(text);
    this.header(tag, bytes);
  }

  /** Large ones become a chunk of their own, in their own memory. */
  bytesField(tag: number, bytes: Uint8Array): void {
    if (bytes.length < ownChunk) {
      this.#reserve(bytes.length);
      this.#at -= bytes.length;
      scratch.set(bytes, this.#at);
    } else {
      this.#cut();
      this.#chunks.push(bytes);
      this.#chunkBytes += bytes.length;
    }
    this.header(tag, bytes.length);
  }

  /** What stands before a message, or anything else with a length, that has been written. */
  header(tag: number, length: number): void {
    this.#reserve(10);
    this.#varint(length);
    this.#varint(tag);
  }

  /** An entry of a `map<string, string>`. */
  entry(tag: number, key: string, value: string): void {
    const end = this.length;
    this.stringField(valueTag, value);
    this.stringField(keyTag, key);
    this.header(tag, this.length - end);
  }

  entries(tag: number, map: ReadonlyMap<string, string>): void {
    if (map.size === 0) return;
    for (const [key, value] of [...map].reverse()) this.entry(tag, key, value);
  }

  /** @returns the message in pieces, to be sent in order; all but large bytes in memory of their own */
  finish(): Uint8Array[] {
    this.#cut();
    if (scratch.length > keptBytes) scratch = Buffer.allocUnsafeSlow(scratchBytes);
    return this.#chunks.reverse();
  }

  /** Copies what is in the scratch memory. */
  #cut(): void {
    if (this.#at === scratch.length) return;
    const chunk = Buffer.from(scratch.subarray(this.#at));
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    this.#at = scratch.length;
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const written = scratch.length - this.#at;
    const larger = Buffer.allocUnsafeSlow(2 * (written + bytes));
    scratch.copy(larger, larger.length - written, this.#at);
    scratch = larger;
    this.#at = larger.length - written;
  }

  #varint(value: number): void {
    let rest = value >>> 0;
    if (rest < 0x80) {
      scratch[--this.#at] = rest;
      return;
    }
    const length = Math.ceil((32 - Math.clz32(rest)) / 7);
    this.#at -= length;
    for (let i = 0; i < length - 1; i++, rest >>>= 7) scratch[this.#at + i] = (rest & 0x7f) | 0x80;
    scratch[this.#at + length - 1] = rest;
  }

  /** @returns how many bytes it has */
  #string(text: string): number {
    const { length } = text;
    this.#reserve(3 * length);
    if (length <= shortString) {
      let i = 0;
      for (const start = this.#at - length; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code >= 0x80) break;
        scratch[start + i] = code;
      }
      if (i === length) {
        this.#at -= length;
        return length;
      }
    }
    const bytes = Buffer.byteLength(text);
    this.#at -= bytes;
    scratch.write(text, this.#at);
    return bytes;
  }
}

const keyTag = (1 << 3) | 2;
const valueTag = (2 << 3) | 2;
