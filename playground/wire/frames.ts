import { parseJson, type Json, type JsonObject } from '../json.js';

/** The subprotocol in which data travels as bytes behind its document. */
export const binaryProtocol = 'aiges.binary';

const lengthBytes = 4;

/** A binary frame: length of the document (32 bits, big-endian), the document, and the bytes that it names in order. */
export function packFrame(document: JsonObject, data: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(document));
  const size = data.reduce((sum, bytes) => sum + bytes.length, lengthBytes + text.length);
  const frame = new Uint8Array(size);
  new DataView(frame.buffer).setUint32(0, text.length);
  frame.set(text, lengthBytes);
  let at = lengthBytes + text.length;
  for (const bytes of data) {
    frame.set(bytes, at);
    at += bytes.length;
  }
  return frame;
}

/** @throws Error saying what is wrong with the frame */
export function unpackFrame(frame: ArrayBuffer): { document: Json; bytes: Uint8Array<ArrayBuffer> } {
  const length = frame.byteLength < lengthBytes ? Infinity : new DataView(frame).getUint32(0);
  if (length > frame.byteLength - lengthBytes) throw new Error('a binary frame is shorter than it says');
  const document = parseJson(new TextDecoder().decode(new Uint8Array(frame, lengthBytes, length)));
  if (document === undefined) throw new Error('a binary frame does not begin with a JSON document');
  return { document, bytes: new Uint8Array(frame, lengthBytes + length) };
}
