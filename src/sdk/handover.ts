import { markAsUntransferable } from 'node:worker_threads';
import type { Frame } from '../core/frame.js';

// How large outputs leave a wrapper's thread.

/** From here up bytes are handed over without copying, if at all possible. */
export const handoverBytes = 64 * 1024;

/** Whether a buffer can be taken away from the wrapper without taking anything else. */
export function isWhole(data: Uint8Array): boolean {
  return data.byteLength === data.buffer.byteLength;
}

/**
 * Checks an output that a wrapper gives.
 * @throws TypeError for bytes that it has given before, which are not there any more
 */
export function checkThere(output: string, data: Uint8Array): void {
  if (data.byteLength > 0 || !isDetached(data.buffer)) return;
  throw new TypeError(
    `output ${output}: its buffer was handed over with an earlier answer; give a copy of what is kept: data.slice()`,
  );
}

/** `ArrayBuffer.detached` is not there in every Node.js that is supported. */
function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Takes from a wrapper what its thread would take, for tests that run it without one. @returns the frames with their bytes */
export function takeOver(frames: readonly Frame[]): Frame[] {
  // First: a buffer that has been taken tells nothing any more, and two frames may be the same one.
  const buffers = frames.map(({ data }) =>
    data.byteLength >= handoverBytes && isWhole(data) && data.buffer instanceof ArrayBuffer ? data.buffer : null,
  );
  const taken = new Map<ArrayBuffer, Uint8Array | null>();
  return frames.map((frame, n) => {
    const buffer = buffers[n] ?? null;
    if (buffer === null) return frame;
    const data = taken.get(buffer) ?? take(buffer);
    taken.set(buffer, data);
    return data === null ? frame : { ...frame, data };
  });
}

/** Null when it cannot change hands: what a request brought, or what belongs to a WebAssembly memory or an engine. */
function take(buffer: ArrayBuffer): Uint8Array | null {
  try {
    return new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
  } catch {
    return null;
  }
}

/** Marks what a request brings: a wrapper may give it back and still have it. */
export function lend(data: Uint8Array): Uint8Array {
  if (data.byteLength >= handoverBytes && data.buffer instanceof ArrayBuffer) markAsUntransferable(data.buffer);
  return data;
}
