import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { BodyDescriptor, Descriptor, ParamDescriptor } from '../../core/descriptor.js';
import { DataStatus, DataType, type Frame, type StringMap } from '../../core/frame.js';
import { UsageError } from '../usage-error.js';

/** What is sent to a wrapper that is run without a client. */
export interface Samples {
  readonly params: StringMap;
  readonly inputs: readonly SampleInput[];
}

export interface SampleInput {
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
  /** Attributes as the wrapper declares them. */
  readonly desc: StringMap;
}

export interface SampleSources {
  /** The module of the wrapper; declared paths start at its folder. */
  readonly wrapper: string;
  /** A folder with a file per input, which wins over what is declared; null for none. */
  readonly folder: string | null;
  readonly params: StringMap;
}

/**
 * Gathers sample data for everything that the wrapper declares.
 * @throws UsageError naming what is missing and how to give it
 */
export function readSamples(descriptor: Descriptor, { wrapper, folder, params }: SampleSources): Samples {
  const known = descriptor.params.map(({ name }) => name);
  const unknown = [...params.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const there = known.length === 0 ? 'it declares none' : `it declares ${known.join(', ')}`;
    throw new UsageError(`--param ${unknown}: the wrapper declares no such parameter; ${there}`);
  }
  const files = folder === null ? [] : listFolder(folder);
  return {
    params: new Map(
      descriptor.params.flatMap((each) => {
        const value = params.get(each.name) ?? sampleParam(each);
        return value === null ? [] : [[each.name, value]];
      }),
    ),
    inputs: descriptor.inputs.flatMap((input) => {
      const data = sampleInput(input, dirname(resolve(wrapper)), fileFor(input.name, files));
      if (data === null) return [];
      return [{ name: input.name, type: input.type, data, desc: new Map(Object.entries(input.attributes)) }];
    }),
  };
}

/** What a client would have to send; null where the wrapper does without. */
function sampleParam({ name, type, required, fallback, enums, minimum, maximum }: ParamDescriptor): string | null {
  if (fallback !== null || !required) return null;
  const [first] = enums;
  if (first !== undefined) return String(first);
  if (type === 'boolean') return 'false';
  if (type !== 'string') return String(minimum ?? Math.min(0, maximum ?? 0));
  throw new UsageError(`parameter ${JSON.stringify(name)} is required and has no default; give it with -p ${name}=…`);
}

function sampleInput(input: BodyDescriptor, base: string, file: string | null): Uint8Array | null {
  const { name, sample, required } = input;
  if (file !== null) return readSample(name, file);
  if (sample.bytes !== null) return sample.bytes;
  if (sample.path !== null) return readSample(name, resolve(base, sample.path));
  if (!required) return null;
  const field = fieldNames.get(input.content === 'json' ? 'json' : input.type) ?? 'BodyField';
  throw new UsageError(
    `input ${JSON.stringify(name)} has no sample; declare one (new ${field}({ path: './data/${name}.…' })), ` +
      `or put a file of that name into a folder and name it with --sample`,
  );
}

const fieldNames = new Map<unknown, string>([
  ['json', 'JsonBodyField'],
  [DataType.text, 'StringBodyField'],
  [DataType.image, 'ImageBodyField'],
  [DataType.audio, 'AudioBodyField'],
  [DataType.video, 'VideoBodyField'],
]);

function readSample(name: string, file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`the sample of input ${JSON.stringify(name)} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function listFolder(folder: string): readonly string[] {
  try {
    return readdirSync(folder).map((entry) => join(folder, entry));
  } catch (error) {
    throw new UsageError(`--sample ${folder}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The file that is called like the input, with any extension or none. */
function fileFor(name: string, files: readonly string[]): string | null {
  const found = files.filter((file) => basename(file) === name || basename(file, extname(file)) === name);
  if (found.length > 1) {
    throw new UsageError(`--sample: more than one file for the input ${JSON.stringify(name)}: ${found.join(', ')}`);
  }
  return found[0] ?? null;
}

/** The inputs of a one-shot call. */
export function onceFrames({ inputs }: Samples): Frame[] {
  return inputs.map(({ name, ...rest }) => ({ key: name, status: DataStatus.once, ...rest }));
}

/**
 * The inputs of a stream, packet by packet: sound and moving pictures come in pieces, everything else comes whole
 * with the first one.
 * @param pieceBytes length of the pieces
 * @returns at least one packet
 */
export function streamPackets({ inputs }: Samples, pieceBytes: number): Frame[][] {
  const cut = inputs.map(({ name, data, ...rest }) => {
    const pieces = rest.type === DataType.audio || rest.type === DataType.video ? cutUp(data, pieceBytes) : [data];
    return pieces.map((piece, n) => {
      const status = n === pieces.length - 1 ? DataStatus.end : n === 0 ? DataStatus.begin : DataStatus.continue;
      return { key: name, data: piece, status, ...rest };
    });
  });
  const count = Math.max(1, ...cut.map((pieces) => pieces.length));
  return Array.from({ length: count }, (_, n) => cut.flatMap((pieces) => pieces[n] ?? []));
}

function cutUp(data: Uint8Array, bytes: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(data.byteLength / bytes));
  return Array.from({ length: count }, (_, n) => data.subarray(n * bytes, (n + 1) * bytes));
}
