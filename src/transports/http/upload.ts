import { AigesError } from '../../core/errors.js';
import { dataTypeName } from '../../core/frame.js';
import { formatPath } from '../../core/json.js';
import { decodeDocument, type JsonObject, type OnceRequest, parseDocument } from '../json/codec.js';
import type { Endpoint } from '../json/endpoint.js';
import { dataTypeOf, encodingOf, isEncoding, mediaTypeName } from './media-types.js';
import { type Part, parseMultipart } from './multipart.js';
import { HttpRefusal } from './refusal.js';

type Json = JsonObject[string];

/** The body of a request, and what HTTP says about it. */
export interface Body {
  readonly bytes: Buffer;
  /** As the client sent it; empty for none. */
  readonly contentType: string;
  /** Several values where a name comes several times. */
  readonly query: Readonly<Record<string, string | readonly string[]>>;
}

/** A request, whatever form it came in: a document as in a JSON request, and data that came as it is, not in base64. */
interface Upload {
  readonly document: JsonObject;
  /** By input; its place in the document is empty. */
  readonly data: ReadonlyMap<string, Buffer>;
  /** Names in the query string that mean nothing. */
  readonly unread: readonly string[];
}

/** Types under which clients of the original send JSON; one of those who do not say what they send is among them. */
const unspecific = new Set(['', 'application/octet-stream', 'application/x-www-form-urlencoded', 'text/plain']);

/** The field of a form that holds a JSON document. */
const documentField = 'request';

/**
 * Reads a request.
 * @param status of an input that does not say
 * @throws AigesError saying what is wrong with it, and where
 */
export async function readRequest(body: Body, endpoint: Endpoint, status: number): Promise<OnceRequest> {
  const { document, data, unread } = await readUpload(body, endpoint);
  endpoint.check(document, { apart: data, unread: unread.map((name) => formatPath(['query', name])) });
  return decodeDocument(document, { statusOf: () => status, apart: data });
}

async function readUpload(body: Body, endpoint: Endpoint): Promise<Upload> {
  const type = mediaTypeName(body.contentType);
  if (type === 'multipart/form-data') {
    return readForm(body, await parseMultipart(body.bytes, body.contentType), endpoint);
  }
  const isJson = type === 'application/json' || type.endsWith('+json');
  if (isJson || (unspecific.has(type) && looksLikeJson(body.bytes))) {
    // Not parameters: clients of the original add what they like to a URL.
    return { document: parseDocument(body.bytes), data: new Map(), unread: Object.keys(body.query) };
  }
  return readRaw(body, type, endpoint);
}

/** A body of no particular type that is empty is JSON that somebody has forgotten. */
function looksLikeJson(bytes: Buffer): boolean {
  const first = bytes.find((byte) => !blanks.includes(byte));
  return first === undefined || first === openingBrace;
}

const blanks: readonly number[] = [...Buffer.from(' \t\r\n')];
const openingBrace = 0x7b;

/** The body is the one input; parameters are in the query string. */
function readRaw({ bytes, contentType, query }: Body, type: string, endpoint: Endpoint): Upload {
  const [input, ...more] = inputNames(endpoint) ?? [];
  if (input === undefined || more.length > 0) {
    const why =
      input === undefined
        ? 'nobody has said what the input of this service is called ([plugin].inputs does)'
        : `this service has the inputs ${quoted([input, ...more])}`;
    if (unspecific.has(type)) {
      throw new AigesError('undecodableBody', { detail: `it is no JSON object, and cannot be an input: ${why}` });
    }
    throw new HttpRefusal(415, `a body of type ${type} cannot be an input: ${why}; send JSON or a form`);
  }
  if (bytes.length === 0) throw new AigesError('undecodableBody', { detail: 'the body is empty' });
  const draft = new Draft(endpoint, {});
  draft.setQuery(query);
  draft.setInput(input, bytes, contentType);
  return draft.upload;
}

/**
 * Files are inputs, fields are parameters, and one field may hold a document that the rest is added to. Parameters may
 * be in the query string as well.
 */
function readForm({ query }: Body, parts: readonly Part[], endpoint: Endpoint): Upload {
  const given = parts.find(({ name }) => name === documentField);
  const draft = new Draft(endpoint, given === undefined ? {} : parseDocument(given.data));
  draft.setQuery(query);
  for (const part of parts) {
    if (part === given) continue;
    if (isInput(part, endpoint)) draft.setInput(part.name, part.data, part.contentType);
    else draft.setParam(part.name, textOf(part));
  }
  return draft.upload;
}

/** @throws AigesError `invalidInput` for bytes that are no text: nobody would see what became of them */
function textOf({ name, data }: Part): string {
  try {
    return utf8.decode(data);
  } catch {
    throw invalid(`part "${name}" is a parameter, but not in UTF-8`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws AigesError `invalidInput` for a part that is neither an input nor a parameter */
function isInput({ name, file }: Part, endpoint: Endpoint): boolean {
  const inputs = inputNames(endpoint);
  const params = endpoint.descriptor?.params.map((param) => param.name) ?? null;
  if (file) {
    if (inputs === null || inputs.includes(name)) return true;
    throw invalid(`part "${name}" is no input of this service; there is ${quoted(inputs)}`);
  }
  if (params?.includes(name) === true) return false;
  if (inputs?.includes(name) === true) return true;
  if (params === null) return false;
  throw invalid(
    `part "${name}" is neither an input (${quoted(inputs ?? [])}) nor a parameter (${quoted(params)}) of this service`,
  );
}

/** A document in the making. */
class Draft {
  readonly upload: Upload;
  readonly #endpoint: Endpoint;
  readonly #payload: JsonObject;
  /** Opened for the first parameter: a document that says nothing of any gets no empty object besides its own. */
  #params: JsonObject | null = null;
  readonly #data = new Map<string, Buffer>();
  /** Parameters that did not come in the document. */
  readonly #given = new Set<string>();

  constructor(endpoint: Endpoint, document: JsonObject) {
    this.#endpoint = endpoint;
    this.#payload = openObject(document, 'payload', 'payload');
    this.upload = { document, data: this.#data, unread: [] };
  }

  setQuery(query: Body['query']): void {
    for (const [name, value] of Object.entries(query)) {
      for (const each of [value].flat()) this.setParam(name, each);
    }
  }

  setParam(name: string, value: string): void {
    if (this.#given.has(name)) throw invalid(`parameter "${name}" comes more than once`);
    this.#given.add(name);
    this.#params ??= this.#openParams();
    define(this.#params, name, value);
  }

  /** The only object, whatever its name: clients name services in ways of their own. */
  #openParams(): JsonObject {
    const parameter = openObject(this.upload.document, 'parameter', 'parameter');
    const [only, ...more] = Object.keys(parameter);
    const name = only === undefined || more.length > 0 ? this.#endpoint.service.name : only;
    return openObject(parameter, name, `parameter.${name}`);
  }

  setInput(name: string, data: Buffer, contentType: string): void {
    if (this.#data.has(name)) throw invalid(`input "${name}" comes more than once`);
    const attributes = openObject(this.#payload, name, `payload.${name}`);
    const described = this.#endpoint.descriptor?.inputs.find((input) => input.name === name);
    const type = (described === undefined ? undefined : dataTypeName(described.type)) ?? dataTypeOf(contentType);
    if (Object.hasOwn(attributes, type)) throw invalid(`payload.${name}.${type} is in the document and in a part`);
    attributes[type] = '';
    const encoding = encodingOf(contentType);
    const assumed = described?.attributes['encoding'];
    if (encoding !== null && (assumed === undefined || !isEncoding(assumed, contentType))) {
      attributes['encoding'] ??= encoding;
    }
    this.#data.set(name, data);
  }
}

/** The object under a name, made where there is none. */
function openObject(parent: JsonObject, name: string, path: string): JsonObject {
  const value = Object.hasOwn(parent, name) ? (parent[name] ?? null) : null;
  if (value === null) {
    const made: JsonObject = {};
    define(parent, name, made);
    return made;
  }
  if (typeof value === 'object' && !Array.isArray(value)) return value;
  throw new AigesError('undecodableBody', { detail: `${path} must be an object` });
}

/** Assigns, also to a name such as "__proto__". */
function define(object: JsonObject, name: string, value: Json): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

function inputNames({ service, descriptor }: Endpoint): readonly string[] | null {
  return service.inputs ?? descriptor?.inputs.map(({ name }) => name) ?? null;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(', ') || 'none';
}

function invalid(detail: string): AigesError {
  return new AigesError('invalidInput', { detail });
}
