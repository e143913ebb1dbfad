import { describe, expect, it } from 'vitest';
import { adviceFor, type Failure, unreachable } from '../../../../playground/call/advice.js';

const failure = (httpStatus: number | null, code: number | null, retryAfter: string | null = null): Failure => ({
  httpStatus,
  code,
  retryAfter,
});

describe('what to do about a failure', () => {
  it.each([
    [unreachable, 'Check that the loader is running'],
    [failure(429, 10110, '7'), 'Try again in 7 s (Retry-After), or raise [fc].max'],
    [failure(null, 10110), 'Try again in a moment'],
    [failure(503, 10110, 'Fri, 31 Dec 1999 23:59:59 GMT'), 'Try again at Fri, 31 Dec 1999 23:59:59 GMT.'],
    [failure(413, 10000), 'raise [http].maxBody'],
    [failure(404, 10003), 'Reload the page'],
    [failure(504, 10102), '[limits].onceTimeout'],
    [failure(null, 10102), '[limits].onceTimeout'],
    [failure(501, 10002), 'Choose the other mode'],
    [failure(400, 10106), 'the message names the value at fault'],
    [failure(null, 10163), 'the message names the value at fault'],
    [failure(500, 10909), 'look for the session in the log of the loader'],
    [failure(502, null), 'look for the session in the log of the loader'],
  ])('%j', (given, advice) => {
    expect(adviceFor(given)).toContain(advice);
  });
});
