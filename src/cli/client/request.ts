import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { DataType, dataTypeName, type DataTypeName } from '../../core/frame.js';
import { UsageError } from '../usage-error.js';

/** One input of a request that the command line describes. */
export interface NamedInput {
  readonly name: string;
  readonly type: DataTypeName;
  readonly data: Buffer;
}

export interface NamedOutput {
  readonly name: string;
  /** null takes the plugin's type, where the protocol allows that. */
  readonly type: DataTypeName | null;
}

export interface OnceRequest {
  readonly service: string;
  readonly inputs: readonly NamedInput[];
  readonly outputs: readonly NamedOutput[];
  readonly params: ReadonlyMap<string, string>;
  /** Milliseconds to wait for the answer. */
  readonly timeoutMs: number;
}

export interface Answer {
  readonly payloads: readonly { readonly name: string; readonly type: DataTypeName; readonly data: Buffer }[];
}

const typesByExtension: Readonly<Record<string, DataTypeName>> = {
  '.png': 'image',
  '.jpg': 'image',
  '.jpeg': 'image',
  '.bmp': 'image',
  '.gif': 'image',
  '.webp': 'image',
  '.pgm': 'image',
  '.wav': 'audio',
  '.pcm': 'audio',
  '.mp3': 'audio',
  '.flac': 'audio',
  '.ogg': 'audio',
  '.mp4': 'video',
  '.mkv': 'video',
  '.h264': 'video',
  '.txt': 'text',
  '.json': 'text',
};

/** Reads `name=text`, `name=@file` or `name:type=…`. */
export function parseInput(argument: string): NamedInput {
  const equals = argument.indexOf('=');
  if (equals <= 0) throw new UsageError(`--input ${argument}: expected name=text or name=@file`);
  const { name, type } = parseNameAndType(argument.slice(0, equals), '--input');
  const value = argument.slice(equals + 1);
  if (!value.startsWith('@')) return { name, type: type ?? 'text', data: Buffer.from(value) };
  const file = value.slice(1);
  return { name, type: type ?? typesByExtension[extname(file).toLowerCase()] ?? 'other', data: readInput(file) };
}

/** Reads `name` or `name:type`. */
export function parseOutput(argument: string): NamedOutput {
  return parseNameAndType(argument, '--output');
}

/** Reads `key=value`. */
export function parseParam(argument: string): readonly [string, string] {
  const equals = argument.indexOf('=');
  if (equals <= 0) throw new UsageError(`--param ${argument}: expected key=value`);
  return [argument.slice(0, equals), argument.slice(equals + 1)];
}

export function typeName(value: number): DataTypeName {
  return dataTypeName(value) ?? 'other';
}

function parseNameAndType(text: string, option: string): NamedOutput {
  const [name = '', type, ...rest] = text.split(':');
  if (name === '' || rest.length > 0) throw new UsageError(`${option} ${text}: expected name or name:type`);
  if (type === undefined) return { name, type: null };
  if (!Object.hasOwn(DataType, type)) {
    throw new UsageError(
      `${option} ${text}: "${type}" is no type; expected one of ${Object.keys(DataType).join(', ')}`,
    );
  }
  return { name, type: type as DataTypeName };
}

function readInput(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
