import type { ExpectedOutput } from '../../core/call.js';
import { formatDecimal } from '../../core/decimal.js';
import { AigesError } from '../../core/errors.js';
import { DataStatus, DataType, dataTypeName, type DataTypeName, type Frame } from '../../core/frame.js';
import { describeJson } from '../../core/json.js';

type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON text that has been read and not been looked at yet. */
export interface JsonObject {
  [key: string]: Json;
}

/** A one-shot request, or a packet of a stream, as it came in JSON. */
export interface OnceRequest {
  readonly headers: ReadonlyMap<string, string>;
  readonly params: ReadonlyMap<string, string>;
  /** null when the request names no outputs: it takes all of them. */
  readonly expect: readonly ExpectedOutput[] | null;
  readonly frames: readonly Frame[];
}

export interface OnceResponse {
  readonly sid: string;
  readonly status: number;
  readonly payloads: readonly { readonly frame: Frame; readonly attributes: ReadonlyMap<string, string> }[];
}

/** Takes data out of a document whose data members are numbers: so many bytes, in the order of the payloads. */
export function takeData(
  document: JsonObject,
  take: (length: number, path: string) => Uint8Array,
): ReadonlyMap<string, Uint8Array> {
  const apart = new Map<string, Uint8Array>();
  const { payload } = document;
  for (const [name, input] of isObject(payload ?? null) ? entries(payload as JsonObject) : []) {
    for (const kind of typeNames) {
      const length = isObject(input) && Object.hasOwn(input, kind) ? input[kind] : null;
      if (typeof length !== 'number' || !isObject(input)) continue;
      apart.set(name, take(length, `payload.${name}.${kind}`));
      input[kind] = '';
    }
  }
  return apart;
}

/** The attributes of an expected output that travel on to the answer. */
const outputAttributes = ['encoding', 'format', 'compress'] as const;

const typeNames = Object.keys(DataType) as DataTypeName[];

export interface DecodeOptions {
  /** The status of an input that does not say. */
  readonly statusOf: (input: string) => number;
  /** Data that is not in the document, by input; the document has an empty text in its place. */
  readonly apart: ReadonlyMap<string, Uint8Array>;
}

/** @throws AigesError `undecodableBody` for what is no JSON object in UTF-8 */
export function parseDocument(body: Buffer): JsonObject {
  return asObject(parse(body), 'the body', 'undecodableBody');
}

/**
 * Decodes `{"header":{…}, "parameter":{<service>:{…}}, "payload":{<name>:{…}}}`.
 * @throws AigesError `undecodableBody` or `inconvertibleBody`, naming the path of the value at fault
 */
export function decodeDocument(root: JsonObject, options: DecodeOptions): OnceRequest {
  const headers = new Map<string, string>();
  for (const [key, value] of entries(section(root, 'header'))) headers.set(key, scalar(value));
  const { params, expect } = decodeParameter(section(root, 'parameter'));
  const frames = entries(section(root, 'payload')).map(([name, value]) =>
    decodePayload(name, asObject(value, `payload.${name}`, 'undecodableBody'), options),
  );
  return { headers, params, expect, frames };
}

/** Encodes `{"header":{"code":0,…}, "payload":{…}}` with a newline at its end. */
export function encodeOnce(response: OnceResponse): string {
  // fromEntries, because a name such as "__proto__" is only a name here.
  const payload = Object.fromEntries(
    response.payloads.map(({ frame, attributes }) => {
      const data = bytesOf(frame).toString(frame.type === DataType.text ? 'utf8' : 'base64');
      return [frame.key, { ...Object.fromEntries(attributes), [dataTypeName(frame.type) ?? 'other']: data }];
    }),
  );
  return `${JSON.stringify({ header: { code: 0, sid: response.sid, status: response.status }, payload })}\n`;
}

/** Encodes `{"header":{"code":…,"message":…,"sid":…}, "payload":null}` with a newline at its end. */
export function encodeError(error: AigesError, sid: string): string {
  return `${JSON.stringify({ header: { code: error.code, message: errorText(error), sid }, payload: null })}\n`;
}

/** What a client is told about a failure. */
export function errorText(error: AigesError): string {
  return error.detail === null ? error.message : `${error.message.trimEnd()}: ${error.detail}`;
}

/** The bytes of a frame, where they lie. */
export function bytesOf({ data }: Pick<Frame, 'data'>): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function parse(body: Buffer): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Json;
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'not UTF-8';
    throw new AigesError('undecodableBody', { detail: reason, cause: error });
  }
}

/** All scalars become parameters; every object names an expected output. */
function decodeParameter(services: JsonObject): Pick<OnceRequest, 'params' | 'expect'> {
  const params = new Map<string, string>();
  const expect: ExpectedOutput[] = [];
  for (const [service, value] of entries(services)) {
    for (const [key, member] of entries(asObject(value, `parameter.${service}`, 'undecodableBody'))) {
      if (isObject(member)) expect.push(decodeExpected(key, member, `parameter.${service}.${key}`));
      else if (member !== null && !Array.isArray(member)) params.set(key, scalar(member));
    }
  }
  return { params, expect: expect.length === 0 ? null : expect };
}

function decodeExpected(name: string, wanted: JsonObject, path: string): ExpectedOutput {
  const attributes = new Map<string, string>();
  for (const key of outputAttributes) {
    const value = wanted[key];
    if (value === undefined) continue;
    if (typeof value !== 'string') throw inconvertible(`${path}.${key}`, 'a string', value);
    attributes.set(key, value);
  }
  return { name, type: decodeType(wanted['data_type'], `${path}.data_type`), attributes };
}

function decodeType(value: Json | undefined, path: string): number | null {
  if (value === undefined) return null;
  const name = typeNames.find((candidate) => candidate === value);
  if (name === undefined) throw inconvertible(path, `one of ${typeNames.join(', ')}`, value);
  return DataType[name];
}

function decodePayload(name: string, payload: JsonObject, { statusOf, apart }: DecodeOptions): Frame {
  const path = `payload.${name}`;
  let data: Uint8Array = Buffer.alloc(0);
  let type: number | null = null;
  let status: number | null = null;
  const desc = new Map<string, string>();
  for (const [key, value] of entries(payload)) {
    const typeName = typeNames.find((candidate) => candidate === key);
    if (typeName !== undefined) {
      if (type !== null) throw inconvertible(path, 'one kind of data', payload);
      type = DataType[typeName];
      data = apart.get(name) ?? decodeData(value, `${path}.${key}`);
    } else if (key === 'status') {
      status = decodeStatus(value, `${path}.status`);
      desc.set(key, String(status));
    } else desc.set(key, scalar(value));
  }
  return { key: name, data, type: type ?? DataType.text, status: status ?? statusOf(name), desc };
}

const statuses: readonly number[] = Object.values(DataStatus);

function decodeStatus(value: Json, path: string): number {
  const status = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof status === 'number' && statuses.includes(status)) return status;
  throw inconvertible(path, '0, 1, 2 or 3', value);
}

/** Strings are base64, text included; anything structured is handed on as the JSON it is. */
function decodeData(value: Json, path: string): Buffer<ArrayBuffer> {
  if (typeof value === 'string') return decodeBase64(value, path);
  if (isObject(value) || Array.isArray(value)) return Buffer.from(structured(value));
  throw new AigesError('inconvertibleBody', {
    message: 'not support type of payload',
    detail: `${path} must be a base64 string, an object or an array, but is ${describeJson(value)}`,
  });
}

/** Standard alphabet with padding; line breaks are tolerated. Node's decoder is silent about everything else. */
function decodeBase64(text: string, path: string): Buffer<ArrayBuffer> {
  const compact = text.replace(/[\r\n]+/g, '');
  const padding = compact.endsWith('==') ? 2 : compact.endsWith('=') ? 1 : 0;
  const bytes = Buffer.from(compact, 'base64');
  const whole = compact.length % 4 === 0 && bytes.length === (compact.length / 4) * 3 - padding;
  if (!whole || /[-_]/.test(compact)) {
    throw new AigesError('inconvertibleBody', { detail: `${path} is not base64 (standard alphabet, padded)` });
  }
  return bytes;
}

/** What a header, parameter or attribute becomes for the plugin, which knows strings only. */
function scalar(value: Json): string {
  if (value === null) return '';
  if (typeof value === 'number') return formatDecimal(value);
  return typeof value === 'object' ? structured(value) : String(value);
}

/** A text that can be read may still be nested too deeply to be written. */
function structured(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw new AigesError('inconvertibleBody', { detail: 'a value is nested too deeply', cause });
  }
}

function section(root: JsonObject, name: string): JsonObject {
  const value = root[name];
  return value === undefined || value === null ? {} : asObject(value, name, 'undecodableBody');
}

function entries(object: JsonObject): [string, Json][] {
  return Object.entries(object);
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: Json, path: string, kind: 'undecodableBody' | 'inconvertibleBody'): JsonObject {
  if (!isObject(value))
    throw new AigesError(kind, { detail: `${path} must be an object, but is ${describeJson(value)}` });
  return value;
}

function inconvertible(path: string, expected: string, value: Json): AigesError {
  return new AigesError('inconvertibleBody', { detail: `${path} must be ${expected}, but is ${describeJson(value)}` });
}
