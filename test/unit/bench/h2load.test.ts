import { describe, expect, it } from 'vitest';
import { h2loadArguments, readLog, readSummary } from '../../../bench/h2load.js';

/** What h2load 1.52 prints, with these lines instead of its own. */
function printed(changes: { requests?: string; codes?: string; data?: string; finished?: string } = {}): string {
  return `starting benchmark...
spawning thread #0: 2 total client(s). 20 total requests
Application protocol: h2c
progress: 10% done

${changes.finished ?? 'finished in 4.11ms, 4863.81 req/s, 1.68MB/s'}
${changes.requests ?? 'requests: 20 total, 20 started, 20 done, 20 succeeded, 0 failed, 0 errored, 0 timeout'}
${changes.codes ?? 'status codes: 20 2xx, 0 3xx, 0 4xx, 0 5xx'}
traffic: 7.07KB (7242) total, 314B (314) headers (space savings 85.46%), ${changes.data ?? '6.37KB (6520) data'}
                     min         max         mean         sd        +/- sd
time for request:      137us      1.57ms       334us       385us    90.00%
req/s           :    2555.49     2823.36     2689.42      189.42   100.00%
`;
}

const expected = { requests: 20, bytes: 326 };

describe('readSummary', () => {
  it.each([
    ['no summary', 'h2load: could not resolve host', /did not print its summary: h2load: could not resolve/],
    ['nothing', '', /did not print its summary: nothing at all/],
    [
      'requests that failed',
      printed({
        requests: 'requests: 20 total, 20 started, 20 done, 19 succeeded, 1 failed, 1 errored, 0 timeout',
      }),
      /of 20 requests not all succeeded: requests: 20 total/,
    ],
    [
      'requests that were answered and failed all the same',
      printed({
        requests: 'requests: 20 total, 20 started, 20 done, 20 succeeded, 0 failed, 1 errored, 0 timeout',
      }),
      /not all succeeded/,
    ],
    [
      'a refused connection, for which h2load prints zeros',
      printed({
        finished: 'finished in 2.15ms, 0.00 req/s, 0B/s',
        requests: 'requests: 20 total, 0 started, 0 done, 0 succeeded, 20 failed, 20 errored, 0 timeout',
        codes: 'status codes: 0 2xx, 0 3xx, 0 4xx, 0 5xx',
        data: '0B (0) data',
      }),
      /not all succeeded/,
    ],
    ['another status', printed({ codes: 'status codes: 19 2xx, 0 3xx, 0 4xx, 1 5xx' }), /not every answer was a 200/],
    [
      'answers of another length',
      printed({ data: '6.37KB (6500) data' }),
      /expected 20 answers of 326 bytes but received 6500 bytes, 325\.00 each/,
    ],
  ])('does not believe %s', (_name, text, fault) => {
    expect(() => readSummary(text, expected)).toThrow(fault);
  });

  it('gives what was measured', () => {
    const summary = readSummary(printed(), expected);
    expect(summary).toMatchObject({ requests: 20, bytes: 6520 });
    expect(summary.seconds).toBeCloseTo(0.00411, 5);
  });
});

describe('readLog', () => {
  it.each([
    ['1\t200\t5\n', 2, /logged 1 of 2 requests/],
    ['1\t200\n', 1, /logged "1\t200"/],
    ['1\t200\tsoon\n', 1, /logged "1\t200\tsoon"/],
  ])('refuses %j', (text, requests, fault) => {
    expect(() => readLog(text, requests)).toThrow(fault);
  });

  it('gives the latencies in order', () => {
    expect([...readLog('1\t200\t308\n2\t200\t1574\n3\t200\t12\n', 3)]).toEqual([12, 308, 1574]);
  });
});

describe('h2loadArguments', () => {
  const load = {
    url: 'http://127.0.0.1:1/x',
    protocol: 'h2',
    connections: 8,
    streams: 4,
    requests: 320,
    headers: { te: 'trailers' },
    body: '/tmp/body',
    log: null,
  } as const;

  it('asks for so many requests, with their body and headers', () => {
    expect(h2loadArguments(load).join(' ')).toBe(
      '-m 4 -t 1 -c 8 -n 320 -H te: trailers -d /tmp/body http://127.0.0.1:1/x',
    );
  });

  it('opens a connection for each of them where HTTP/1.1 has no streams', () => {
    expect(h2loadArguments({ ...load, protocol: 'h1', log: '/tmp/log' }).join(' ')).toBe(
      '--h1 -t 1 -c 32 -n 320 -H te: trailers -d /tmp/body --log-file=/tmp/log http://127.0.0.1:1/x',
    );
  });
});
