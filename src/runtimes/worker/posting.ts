import { AigesError } from '../../core/errors.js';
import type { Frame } from '../../core/frame.js';
import type { PostedError, PostedFrame } from './protocol.js';

/** From here up bytes are handed over without copying, if at all possible. */
export const handoverBytes = 64 * 1024;

export interface Posting {
  readonly frames: readonly PostedFrame[];
  readonly transfer: readonly ArrayBuffer[];
  /** Bytes of buffers of `handoverBytes` and more that were copied. */
  readonly copied: number;
  /** Loans in the frames. */
  readonly loans: readonly number[];
}

/** Lends large buffers to a thread; small ones travel along. */
export function postLent(frames: readonly Frame[], lend: (data: Uint8Array) => number): Posting {
  const loans: number[] = [];
  const posted = frames.map((frame) => {
    if (frame.data.byteLength < handoverBytes) return { ...frame, data: copyOf(frame.data, []) };
    const loan = lend(frame.data);
    loans.push(loan);
    return { ...frame, data: { loan } };
  });
  return { frames: posted, transfer: [], copied: 0, loans };
}

/**
 * Hands over the buffers that belong to these frames alone; what is a part of something larger is copied, and so is
 * everything with `all`.
 */
export function postTransferred(
  frames: readonly Frame[],
  isBorrowed: (buffer: ArrayBufferLike) => boolean,
  all = false,
): Posting {
  const transfer = new Set<ArrayBuffer>();
  const copies: ArrayBuffer[] = [];
  let copied = 0;
  const posted = frames.map((frame) => {
    const { data } = frame;
    const { buffer } = data;
    const whole = data.byteLength === buffer.byteLength && data.byteLength >= handoverBytes;
    if (!all && whole && buffer instanceof ArrayBuffer && !isBorrowed(buffer)) {
      transfer.add(buffer);
      return { ...frame, data: new Uint8Array(buffer) };
    }
    if (data.byteLength >= handoverBytes) copied += data.byteLength;
    return { ...frame, data: copyOf(data, copies) };
  });
  return { frames: posted, transfer: [...transfer, ...copies], copied, loans: [] };
}

/** Posting a view would clone everything around it. */
function copyOf(data: Uint8Array, transfer: ArrayBuffer[]): Uint8Array {
  const copy = new Uint8Array(data);
  // Moving a buffer costs more than cloning a small one.
  if (copy.byteLength >= handoverBytes) transfer.push(copy.buffer);
  return copy;
}

export function postError(error: AigesError): PostedError {
  return { kind: error.kind, message: error.message, detail: error.detail, pluginCode: error.pluginCode };
}

export function readError({ kind, message, detail, pluginCode }: PostedError): AigesError {
  return new AigesError(kind, {
    message,
    ...(detail === null ? {} : { detail }),
    ...(pluginCode === null ? {} : { pluginCode }),
  });
}
