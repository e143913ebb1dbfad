import { AigesError } from '../../core/errors.js';
import { bytesOf } from '../json/codec.js';
import { type AttributeTypes, encodeResult, type Result } from '../json/result.js';

/**
 * The subprotocol of clients that want no base64: a frame is the length of a JSON document (4 bytes, big-endian), the
 * document, and the bytes of the payloads whose data is a number, in their order.
 */
export const binaryProtocol = 'aiges.binary';

const lengthBytes = 4;

/** Takes a binary frame apart. Everything is a view on it. */
export class BinaryFrame {
  readonly document: Buffer;
  #rest: Buffer;

  /** @throws AigesError `undecodableFrame` when it is shorter than it says */
  constructor(message: Buffer) {
    const length = message.length < lengthBytes ? null : message.readUInt32BE(0);
    if (length === null || length > message.length - lengthBytes) {
      const found = length === null ? 'no length' : `a document of ${length} bytes`;
      throw new AigesError('undecodableFrame', { detail: `a frame of ${message.length} bytes has ${found}` });
    }
    this.document = message.subarray(lengthBytes, lengthBytes + length);
    this.#rest = message.subarray(lengthBytes + length);
  }

  /**
   * Takes the next bytes behind the document.
   * @param path of the number that asks for them
   * @throws AigesError `inconvertibleBody`
   */
  take(length: number, path: string): Buffer {
    if (!Number.isInteger(length) || length < 0 || length > this.#rest.length) {
      const detail = `${path} must be the number of bytes behind the document, of which ${this.#rest.length} are left, but is ${length}`;
      throw new AigesError('inconvertibleBody', { detail });
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  /** @throws AigesError `inconvertibleBody` when bytes are left that no payload has asked for */
  end(): void {
    if (this.#rest.length === 0) return;
    throw new AigesError('inconvertibleBody', { detail: `no payload takes the last ${this.#rest.length} bytes` });
  }
}

/** Encodes a result for such a client: pieces of one binary frame. Payloads are lent, not copied. */
export function encodeBinary(result: Result, types: AttributeTypes): readonly Buffer[] {
  const document = Buffer.from(encodeResult(result, types, ({ data }) => String(data.byteLength)));
  const head = Buffer.allocUnsafe(lengthBytes + document.length);
  head.writeUInt32BE(document.length, 0);
  document.copy(head, lengthBytes);
  return [head, ...result.payloads.map(({ frame }) => bytesOf(frame)).filter(({ length }) => length > 0)];
}
