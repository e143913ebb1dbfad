import { dataTypes, type DataTypeName } from '../catalogue.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import { decodeBase64 } from './base64.js';

/** What an output holds: text as text, JSON as its value, everything else as bytes. */
export type OutputData =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly value: Json }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> };

export interface Output {
  readonly name: string;
  readonly type: DataTypeName;
  readonly attributes: ReadonlyMap<string, string>;
  readonly data: OutputData;
}

/** An answer, or one result of a stream. */
export interface Answer {
  /** 0 for success. */
  readonly code: number;
  readonly message: string;
  readonly sid: string;
  /** 0, 1 and 2 for the first, a middle and the last result of a stream, 3 for a whole one; null when not given. */
  readonly status: number | null;
  readonly outputs: readonly Output[];
}

/** Reads the data of an output where it is not the bytes behind the document. */
type ReadText = (type: DataTypeName, text: string) => OutputData;

/**
 * The answer of one request: text as it is, everything else as base64.
 * @throws Error saying what is wrong with it
 */
export function readAnswer(document: unknown): Answer {
  return read(document, null, (type, text) =>
    type === 'text' ? { kind: 'text', text } : { kind: 'bytes', bytes: decodeBase64(text) },
  );
}

/**
 * A result of a stream: base64, text too, or the bytes behind the document.
 * @param bytes what follows the document of a binary frame; null for a text frame
 * @throws Error saying what is wrong with it
 */
export function readResult(document: unknown, bytes: Uint8Array<ArrayBuffer> | null): Answer {
  return read(document, bytes, (type, text) => ofBytes(type, decodeBase64(text)));
}

function read(document: unknown, bytes: Uint8Array<ArrayBuffer> | null, readText: ReadText): Answer {
  const header = isObject(document) ? document['header'] : null;
  if (!isObject(document) || !isObject(header) || typeof header['code'] !== 'number') {
    throw new Error('the answer has no header with a code');
  }
  let rest = bytes;
  const take = (length: number): Uint8Array<ArrayBuffer> => {
    if (rest === null || !Number.isInteger(length) || length < 0 || length > rest.length) {
      throw new Error(`the answer names ${String(length)} bytes, but ${String(rest?.length ?? 0)} are there`);
    }
    const taken = rest.subarray(0, length);
    rest = rest.subarray(length);
    return taken;
  };
  const payload = isObject(document['payload']) ? document['payload'] : {};
  return {
    code: header['code'],
    message: scalar(header['message'] ?? null),
    sid: scalar(header['sid'] ?? null),
    status: typeof header['status'] === 'number' ? header['status'] : null,
    outputs: Object.entries(payload).map(([name, value]) =>
      readOutput(name, isObject(value) ? value : {}, rest === null ? null : take, readText),
    ),
  };
}

function readOutput(
  name: string,
  members: JsonObject,
  take: ((length: number) => Uint8Array<ArrayBuffer>) | null,
  readText: ReadText,
): Output {
  const type = dataTypes.find((candidate) => Object.hasOwn(members, candidate)) ?? 'text';
  const value = members[type] ?? '';
  const attributes = Object.entries(members).filter(([key]) => key !== type);
  let data: OutputData;
  if (take !== null && typeof value === 'number') data = ofBytes(type, take(value));
  else if (typeof value === 'string') data = readText(type, value);
  else data = { kind: 'json', value };
  return { name, type, attributes: new Map(attributes.map(([key, attribute]) => [key, scalar(attribute)])), data };
}

function ofBytes(type: DataTypeName, bytes: Uint8Array<ArrayBuffer>): OutputData {
  return type === 'text' ? { kind: 'text', text: new TextDecoder().decode(bytes) } : { kind: 'bytes', bytes };
}

function scalar(value: Json): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
