import type { AigesError, ErrorName } from '../../core/errors.js';
import { HttpRefusal } from './refusal.js';

/** What is not listed failed on our side: 500. */
const statuses: Partial<Record<ErrorName, number>> = {
  undecodableBody: 400,
  inconvertibleBody: 400,
  invalidInput: 400,
  malformedInput: 400,
  invalidDownMethod: 400,
  outputNotExpected: 400,
  outputTypeMismatch: 400,
  timeout: 504,
  // Nobody is there to read it; the number is what proxies log.
  cancelled: 499,
  noLicense: 429,
  shuttingDown: 503,
  noMemory: 503,
  unsupported: 501,
};

export function httpStatus(error: AigesError): number {
  return error instanceof HttpRefusal ? error.status : (statuses[error.kind] ?? 500);
}

const passing: readonly ErrorName[] = ['noLicense', 'shuttingDown', 'noMemory'];

/** Seconds after which a refused client may try again; null when trying again does not help. */
export function retryAfter(error: AigesError): number | null {
  return passing.includes(error.kind) ? 1 : null;
}
