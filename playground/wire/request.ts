import type { Body, DataTypeName, ParamValue } from '../catalogue.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import { encodeText } from './base64.js';

/** One input as a form holds it. */
export interface DraftInput extends Pick<Body, 'name' | 'content'> {
  readonly type: DataTypeName;
  /** Those that are to be sent: the service knows the others. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly data: string | File;
}

/** A request as a form holds it. */
export interface Draft {
  readonly service: string;
  /** Where it goes, without a query. */
  readonly url: string;
  /** What the request begins with; parameters and inputs are put into it. */
  readonly base: JsonObject;
  readonly params: ReadonlyMap<string, ParamValue>;
  readonly inputs: readonly DraftInput[];
}

/** A request as a form upload: the files, and everything else as a JSON document; null when there is nothing else. */
export interface Upload {
  readonly request: string | null;
  readonly files: readonly { readonly name: string; readonly file: File }[];
}

/** Name of the field of an upload that is a JSON document. */
export const requestField = 'request';

/** Whether a request can be sent as a form upload: there is a file, and no input is named like the JSON document. */
export function canUpload({ inputs }: Draft): boolean {
  return inputs.some(({ data }) => data instanceof File) && inputs.every(({ name }) => name !== requestField);
}

export function asUpload(draft: Draft): Upload {
  const { inputs } = draft;
  const document = asDocument(draft, (input) => (input.data instanceof File ? undefined : encodeText(input.data)));
  return {
    request: Object.keys(document).length === 0 ? null : JSON.stringify(document),
    files: inputs.flatMap(({ name, data }) => (data instanceof File ? [{ name, file: data }] : [])),
  };
}

/** A request as JSON text with a hole for the base64 of each file. */
export function asJson(draft: Draft): (string | File)[] {
  const files: File[] = [];
  const build = (mark: string): string =>
    JSON.stringify(
      asDocument(draft, ({ data }) => {
        if (typeof data === 'string') return encodeText(data);
        files.push(data);
        return mark;
      }),
    );
  const withoutFiles = build('');
  const count = files.length;
  let mark = 'file';
  while (withoutFiles.includes(mark)) mark += '-';
  const texts = build(mark).split(mark);
  return texts.flatMap((text, index) => {
    const file = index < count ? files[index] : undefined;
    return file === undefined ? [text] : [text, file];
  });
}

/** The document that a stream begins with: everything but the inputs. */
export function streamHead(draft: Draft): JsonObject {
  return asDocument({ ...draft, inputs: [] }, () => undefined);
}

function asDocument(
  { base, service, params, inputs }: Draft,
  dataOf: (input: DraftInput) => string | undefined,
): JsonObject {
  const payload = inputs.flatMap((input): [string, Json][] => {
    const data = dataOf(input);
    const members: [string, Json][] = [...input.attributes];
    if (data !== undefined) members.push([input.type, data]);
    return members.length === 0 ? [] : [[input.name, Object.fromEntries(members)]];
  });
  // fromEntries, because a name such as "__proto__" is only a name here.
  const given = { ...base };
  if (params.size > 0)
    put(given, 'parameter', put({ ...section(base, 'parameter') }, service, Object.fromEntries(params)));
  if (payload.length > 0) put(given, 'payload', { ...section(base, 'payload'), ...Object.fromEntries(payload) });
  return given;
}

function section(document: JsonObject, name: string): JsonObject {
  const value = document[name];
  return isObject(value) ? value : {};
}

function put(object: Record<string, Json>, name: string, value: Json): JsonObject {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  return object;
}
