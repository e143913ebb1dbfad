import type { AigesError, ErrorName } from '../../core/errors.js';

/** What the end of a connection means, by the number of its close frame. */
export const closing = {
  /** The stream is over, or the request or the plugin was at fault: the error frame says which. */
  normal: 1000,
  goingAway: 1001,
  policy: 1008,
  internal: 1011,
  tryAgainLater: 1013,
} as const;

/** What is not listed is the business of the client and the plugin. */
const codes: Partial<Record<ErrorName, number>> = {
  internal: closing.internal,
  encodeFailed: closing.internal,
  pluginCrashed: closing.internal,
  sessionTimeout: closing.policy,
  idleTimeout: closing.policy,
  shuttingDown: closing.goingAway,
  noLicense: closing.tryAgainLater,
};

export function closeCode(error: AigesError): number {
  return codes[error.kind] ?? closing.normal;
}

/** A close frame has room for 125 bytes, two of which are the code. */
const longestReason = 123;

/** As much of a text as a close frame takes; no character is cut in two. */
export function closeReason(text: string): Buffer {
  const bytes = Buffer.from(text);
  let end = Math.min(bytes.length, longestReason);
  // Bytes that continue a character begin with the bits 10.
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
