/** Payload sizes in bytes, by the names that rows have. */
export const sizes = { '32B': 32, '1KiB': 1024, '100KiB': 100 << 10, '1MiB': 1 << 20, '10MiB': 10 << 20 } as const;

export type SizeName = keyof typeof sizes;

/** One case: what is sent, and by how many at once. */
export interface Row {
  /** `32B-8`, `32B-8x8`, `32B-8-stream` */
  readonly id: string;
  readonly size: SizeName;
  readonly connections: number;
  /** Requests at a time on each connection. */
  readonly streams: number;
  /** One-shot requests, or sessions of {@link packets} packets each. */
  readonly mode: 'once' | 'stream';
}

/** Packets of input in each session of a stream row. */
export const packets = 8;

/** The rows of the targets, the one of their latency and the one of their memory, and one of streams. */
export const usualRows = [
  '32B-1',
  '32B-8',
  '32B-8x8',
  '100KiB-8',
  '1MiB-8',
  '10MiB-4',
  '10MiB-64',
  '32B-8-stream',
] as const;

/** Every size at every concurrency, once and as streams. */
export function allRows(): string[] {
  const ids = new Set<string>(usualRows);
  for (const suffix of ['', '-stream']) {
    for (const size of Object.keys(sizes)) {
      for (const connections of [1, 8, 64]) ids.add(`${size}-${connections}${suffix}`);
    }
  }
  return [...ids];
}

/** @throws Error that says what a row looks like */
export function parseRow(id: string): Row {
  const [, size = '', connections, streams = '1', mode] = /^(\w+)-(\d+)(?:x(\d+))?(-stream)?$/.exec(id) ?? [];
  const row = { connections: Number(connections), streams: Number(streams) };
  const count = row.connections * row.streams;
  if (!isSize(size) || !(count >= 1 && count <= 100)) {
    const names = Object.keys(sizes).join(', ');
    throw new Error(
      `--rows ${id}: expected size-connections, size-connectionsxstreams, either with -stream, such as 32B-8x8; ` +
        `sizes are ${names}, at most 100 at once`,
    );
  }
  return { id, size, ...row, mode: mode === undefined ? 'once' : 'stream' };
}

/** How many requests, or sessions, are under way at any time. */
export function inFlight(row: Row): number {
  return row.connections * row.streams;
}

export function describeRow(row: Row): string {
  const size = row.size.replace(/^(\d+)/, '$1 ');
  const connections = `${row.connections} connection${row.connections === 1 ? '' : 's'}`;
  const streams = row.streams === 1 ? '' : ` × ${row.streams} streams`;
  const what = row.mode === 'once' ? '' : `, sessions of ${packets} packets`;
  return `${size}, ${connections}${streams}${what}`;
}

function isSize(name: string): name is SizeName {
  return Object.hasOwn(sizes, name);
}
