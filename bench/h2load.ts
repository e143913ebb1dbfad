/** What h2load was told to do. */
export interface Load {
  readonly url: string;
  readonly protocol: 'h2' | 'h1';
  readonly connections: number;
  readonly streams: number;
  readonly requests: number;
  readonly headers: Readonly<Record<string, string>>;
  /** File that holds the body of every request. */
  readonly body: string;
  /** File to get a line for each request; null for none. */
  readonly log: string | null;
}

/** What h2load says about a run that went well. */
export interface Summary {
  readonly requests: number;
  readonly seconds: number;
  /** Bytes of all bodies. */
  readonly bytes: number;
}

export function h2loadArguments(load: Load): string[] {
  // HTTP/1.1 has one request at a time on a connection.
  const h1 = load.protocol === 'h1';
  const connections = h1 ? load.connections * load.streams : load.connections;
  return [
    ...(h1 ? ['--h1'] : ['-m', String(load.streams)]),
    ...['-t', '1', '-c', String(connections), '-n', String(load.requests)],
    ...Object.entries(load.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...['-d', load.body],
    ...(load.log === null ? [] : [`--log-file=${load.log}`]),
    load.url,
  ];
}

/**
 * Reads what h2load prints, and believes it only if every single request was answered, with 200, and with as many
 * bytes as one checked answer had. h2load itself exits with 0 whatever happens.
 * @throws Error that says what went wrong
 */
export function readSummary(text: string, expected: { readonly requests: number; readonly bytes: number }): Summary {
  const requests =
    /^requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(
      text,
    );
  const codes = /^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx$/m.exec(text);
  const data = /^traffic: .*, \S+ \((\d+)\) data$/m.exec(text);
  const rate = /^finished in [\d.]+(?:us|ms|s|m|h).*, ([\d.]+) req\/s, /m.exec(text);
  if (requests === null || codes === null || data === null || rate === null) {
    throw new Error(`h2load did not print its summary: ${text.trim().slice(-300) || 'nothing at all'}`);
  }
  const succeeded = Number(requests[3]);
  if (succeeded !== expected.requests || requests.slice(4).some((count) => Number(count) !== 0)) {
    throw new Error(`of ${expected.requests} requests not all succeeded: ${requests[0]}`);
  }
  if (Number(codes[1]) !== expected.requests) throw new Error(`not every answer was a 200: ${codes[0]}`);
  const bytes = Number(data[1]);
  if (bytes !== expected.requests * expected.bytes) {
    throw new Error(
      `expected ${expected.requests} answers of ${expected.bytes} bytes but received ${bytes} bytes, ` +
        `${(bytes / expected.requests).toFixed(2)} each`,
    );
  }
  return { requests: succeeded, seconds: succeeded / Number(rate[1]), bytes };
}

/**
 * Latencies in microseconds, ascending, from a log with a line "start, status, microseconds" for each request.
 * @throws Error when a line is something else, or not every request has one
 */
export function readLog(text: string, requests: number): Float64Array {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length !== requests) throw new Error(`h2load logged ${lines.length} of ${requests} requests`);
  return Float64Array.from(lines, (line) => {
    const [, , latency] = line.split('\t').map(Number);
    if (latency === undefined || !(latency >= 0)) throw new Error(`h2load logged "${line}"`);
    return latency;
  }).sort();
}
