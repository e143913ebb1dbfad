import { AigesError } from '../../core/errors.js';
import type { Frame } from '../../core/frame.js';
import { handoverBytes } from '../../sdk/handover.js';
import type { PostedError, PostedFrame } from './protocol.js';

export interface Posting {
  readonly frames: readonly PostedFrame[];
  readonly transfer: readonly ArrayBuffer[];
  /** Bytes of buffers of `handoverBytes` and more that were copied. */
  readonly copied: number;
  /** Loans in the frames. */
  readonly loans: readonly number[];
}

/**
 * Gets frames ready for the other thread. Large buffers are lent; those that cannot be lent are handed over where they
 * belong to these frames alone, or else copied. Small ones travel along.
 * @param lend gives the number of a loan, or null when the buffer cannot be lent
 * @param transferable whether a buffer may be taken away from this thread
 */
export function post(
  frames: readonly Frame[],
  lend: (data: Uint8Array) => number | null,
  transferable: (data: Uint8Array) => boolean,
): Posting {
  const loans: number[] = [];
  const transfer: ArrayBuffer[] = [];
  let copied = 0;
  const posted = frames.map((frame) => {
    const { key, type, status, desc, data } = frame;
    if (data.byteLength < handoverBytes) return { key, type, status, desc, data: new Uint8Array(data) };
    const loan = data.buffer instanceof ArrayBuffer ? lend(data) : null;
    if (loan !== null) {
      loans.push(loan);
      return { key, type, status, desc, data: { loan } };
    }
    if (data.buffer instanceof ArrayBuffer && transferable(data)) {
      // Two frames may be the same buffer.
      if (!transfer.includes(data.buffer)) transfer.push(data.buffer);
      return { key, type, status, desc, data: new Uint8Array(data.buffer) };
    }
    // Posting a view would clone everything around it.
    const copy = new Uint8Array(data);
    copied += copy.byteLength;
    transfer.push(copy.buffer);
    return { key, type, status, desc, data: copy };
  });
  return { frames: posted, transfer, copied, loans };
}

/** The loans in frames that came from the other thread. */
export function loansIn(frames: readonly PostedFrame[]): number[] {
  return frames.flatMap(({ data }) => (data instanceof Uint8Array ? [] : [data.loan]));
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
