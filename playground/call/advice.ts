/** What went wrong, as far as the page knows. */
export interface Failure {
  /** Of the HTTP answer; null on a WebSocket, and where nobody has answered. */
  readonly httpStatus: number | null;
  /** Code of the loader; null when it gave none. */
  readonly code: number | null;
  readonly retryAfter: string | null;
}

/** Nobody has answered. */
export const unreachable: Failure = { httpStatus: null, code: null, retryAfter: null };

const busy = 10110;
const timeout = 10102;
const invalid: readonly number[] = [10000, 10001, 10009, 10106, 10163];

/** What somebody can do about a failure. */
export function adviceFor({ httpStatus, code, retryAfter }: Failure): string {
  const when =
    retryAfter === null ? 'in a moment' : /^\d+$/.test(retryAfter) ? `in ${retryAfter} s` : `at ${retryAfter}`;
  if (httpStatus === 503) return `The loader takes no calls now: it is starting or shutting down. Try again ${when}.`;
  if (httpStatus === 429 || code === busy) {
    return `Every licence is taken. Try again ${when} (Retry-After), or raise [fc].max in aiges.toml.`;
  }
  if (httpStatus === 413)
    return 'The request is too large. Send less, stream it, or raise [http].maxBody in aiges.toml.';
  if (httpStatus === 404 || httpStatus === 405) return 'Reload the page: the loader may serve something else by now.';
  if (httpStatus === 504 || code === timeout) {
    return 'It took too long. Send less, or raise [limits].onceTimeout in aiges.toml.';
  }
  if (httpStatus === 501) return 'The service has no such call. Choose the other mode.';
  if (httpStatus === 400 || (code !== null && invalid.includes(code))) {
    return 'Correct the request: the message names the value at fault.';
  }
  if (httpStatus === null && code === null) return 'Check that the loader is running, then try again.';
  return 'The plugin or the loader failed. Where the message does not help, look for the session in the log of the loader.';
}
