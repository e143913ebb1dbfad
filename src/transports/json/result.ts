import type { AigesError } from '../../core/errors.js';
import { dataTypeName, type Frame, type StringMap } from '../../core/frame.js';
import { isJson } from '../../core/json.js';
import { bytesOf, errorText } from './codec.js';

/** One result of a stream, on its way to a client that speaks JSON. */
export interface Result {
  readonly sid: string;
  readonly status: number;
  readonly payloads: readonly { readonly frame: Frame; readonly attributes: StringMap }[];
}

/** What an attribute of an answer is in JSON. */
export type AttributeType = 'string' | 'number' | 'integer' | 'boolean';

/** Says of an attribute of an output what it is; null where nobody has said. */
export type AttributeTypes = (output: string, attribute: string) => AttributeType | null;

/**
 * Encodes `{"header":{"code":0,"message":"success",…},"payload":{…}}`. Without payloads there is no `payload`.
 * @param data writes the data of a payload as JSON
 */
export function encodeResult(
  { sid, status, payloads }: Result,
  types: AttributeTypes,
  data: (frame: Frame, attributes: StringMap) => string = inDocument,
): string {
  const header = `"header":${JSON.stringify({ code: 0, message: 'success', sid, status })}`;
  if (payloads.length === 0) return `{${header}}`;
  const members = payloads.map(({ frame, attributes }) => {
    const kind = dataTypeName(frame.type) ?? 'other';
    const named = [...attributes].filter(([name]) => name !== kind);
    const texts = named.map(([name, value]) => member(name, typed(value, types(frame.key, name))));
    return member(frame.key, `{${[...texts, member(kind, data(frame, attributes))].join()}}`);
  });
  return `{${header},"payload":{${members.join()}}}`;
}

/** Encodes `{"header":{"code":…,"message":…,"sid":…,"status":0}}`. */
export function encodeFailure(error: AigesError, sid: string): string {
  return JSON.stringify({ header: { code: error.code, message: errorText(error), sid, status: 0 } });
}

/** Base64, text included; an output whose format is json stands there as the JSON that it is. */
function inDocument(frame: Frame, attributes: StringMap): string {
  const bytes = bytesOf(frame);
  if (attributes.get('format') === 'json') {
    const text = bytes.toString();
    // As it was written: numbers may have more digits than ours.
    if (isJson(text)) return text;
  }
  return `"${bytes.toString('base64')}"`;
}

/** Text that does not look like what it should be stays text. */
function typed(value: string, type: AttributeType | null): string {
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value;
  if ((type === 'number' || type === 'integer') && value.trim() !== '' && Number.isFinite(Number(value))) {
    return JSON.stringify(Number(value));
  }
  return JSON.stringify(value);
}

function member(name: string, json: string): string {
  return `${JSON.stringify(name)}:${json}`;
}
