import type { Json, JsonObject } from '../json.js';
import type { DraftInput } from './request.js';

/** How the inputs of a stream are cut. */
export interface Cutting {
  /** Most bytes of a file in one packet. */
  readonly packetBytes: number;
}

/** One frame of a stream: payloads that stand in its document as numbers of bytes, and these bytes. */
export interface Packet {
  readonly payload: JsonObject;
  readonly data: readonly Uint8Array<ArrayBuffer>[];
  /** Bytes of all payloads. */
  readonly size: number;
}

interface Track {
  readonly input: DraftInput;
  readonly count: number;
  /** Bytes of all packets. */
  readonly size: number;
  /** Bytes of the n-th packet. */
  read(n: number): Promise<Uint8Array<ArrayBuffer>>;
}

const begin = 0;
const middle = 1;
const end = 2;

/** Number of frames, and the bytes of them all. */
export function measure(inputs: readonly DraftInput[], cutting: Cutting): { frames: number; bytes: number } {
  const tracks = inputs.map((input) => trackOf(input, cutting));
  return {
    frames: Math.max(0, ...tracks.map(({ count }) => count)),
    bytes: tracks.reduce((sum, { size }) => sum + size, 0),
  };
}

/**
 * The frames of a stream. Files are read as they are sent, text goes line by line; images and JSON stay whole.
 * Each input tells with its own packets where it begins and ends.
 */
export async function* packets(inputs: readonly DraftInput[], cutting: Cutting): AsyncGenerator<Packet> {
  const tracks = inputs.map((input) => trackOf(input, cutting));
  const frames = Math.max(0, ...tracks.map(({ count }) => count));
  for (let n = 0; n < frames; n++) {
    const members: [string, Json][] = [];
    const bytesOf = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const track of tracks) {
      const { input, count } = track;
      if (n >= count) continue;
      const bytes = await track.read(n);
      const status = n === count - 1 ? end : n === 0 ? begin : middle;
      const attributes = n === 0 ? [...input.attributes] : [];
      members.push([
        input.name,
        Object.fromEntries<Json>([...attributes, [input.type, bytes.length], ['status', status]]),
      ]);
      bytesOf.set(input.name, bytes);
    }
    const payload = Object.fromEntries(members);
    // In the order of the document, which puts names that are numbers first.
    const data = Object.keys(payload).flatMap((name) => bytesOf.get(name) ?? []);
    yield { payload, data, size: data.reduce((sum, { length }) => sum + length, 0) };
  }
}

function trackOf(input: DraftInput, { packetBytes }: Cutting): Track {
  const { data, type, content } = input;
  if (data instanceof File) {
    const step = type === 'image' || content === 'json' ? Math.max(1, data.size) : packetBytes;
    return {
      input,
      // An empty file is a packet as well: it says that the input ends.
      count: Math.max(1, Math.ceil(data.size / step)),
      size: data.size,
      read: async (n) => new Uint8Array(await data.slice(n * step, (n + 1) * step).arrayBuffer()),
    };
  }
  const lines = (content === 'json' ? [data] : linesOf(data)).map((line) => new TextEncoder().encode(line));
  return {
    input,
    count: lines.length,
    size: lines.reduce((sum, { length }) => sum + length, 0),
    read: (n) => Promise.resolve(lines[n] ?? new Uint8Array()),
  };
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  return lines.length === 0 ? [''] : lines;
}
