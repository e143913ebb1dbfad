import { AigesError } from '../core/errors.js';

/*
 * The texts that clients of the original know. A detail may reach a client as well, so neither holds a query string, a
 * credential or an address that a name was resolved to; such an address goes to the log as the cause.
 */

/** The place is not one that data may come from. */
export function refused(detail: string, cause?: Error): AigesError {
  return new AigesError('invalidInput', { message: 'input invalid data source', detail, cause });
}

export function invalidUrl(detail: string): AigesError {
  return new AigesError('invalidInput', { message: 'input invalid http url', detail });
}

export function invalidS3(detail: string): AigesError {
  return new AigesError('invalidInput', { message: 'input invalid s3 tags', detail });
}

/** @param from the host and port that failed */
export function failed(reason: string, from: string, cause?: Error): AigesError {
  return new AigesError('invalidInput', {
    message: `http download fail with ${reason}`,
    detail: `download from ${from}`,
    cause,
  });
}

/** Carries a failure that another attempt may mend to whoever counts the attempts. */
export class Transient extends Error {
  readonly failure: AigesError;

  constructor(failure: AigesError) {
    super(failure.message);
    this.failure = failure;
  }
}

const transientCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
]);

export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return 'unknown error';
  return error.code;
}

/** Turns what node:dns, node:http or node:zlib failed with into our own. */
export function connectionFailure(error: unknown, from: string): AigesError | Transient {
  if (error instanceof AigesError || error instanceof Transient) return error;
  const code = codeOf(error);
  // Only the text: the originals hold received bytes, certificates or whole addresses in their properties.
  const failure = failed(code, from, new Error(error instanceof Error ? error.message : code));
  return transientCodes.has(code) ? new Transient(failure) : failure;
}
