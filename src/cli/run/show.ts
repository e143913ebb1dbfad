import type { Descriptor } from '../../core/descriptor.js';
import { DataType, type Frame } from '../../core/frame.js';
import { isJson } from '../../core/json.js';
import { nameOf } from './check.js';

const longestText = 2000;

/** One buffer in a line: documents and texts as they are, other bytes in a few words. */
export function showFrame({ key, data, type }: Pick<Frame, 'key' | 'data' | 'type'>): string {
  const head = `${key} (${nameOf(type)}, ${showBytes(data.byteLength)})`;
  if (data.byteLength === 0) return head;
  const text = type === DataType.text ? readText(data) : null;
  if (text === null) return `${head}: ${showHead(data)}`;
  return `${head}: ${shorten(isJson(text) ? text : JSON.stringify(text))}`;
}

/** The same as part of a document. */
export function describeFrame({ key, data, type, status }: Frame): object {
  const text = type === DataType.text ? readText(data) : null;
  const content =
    text === null ? { head: showHead(data) } : isJson(text) ? { json: JSON.parse(text) as unknown } : { text };
  return { name: key, type: nameOf(type), status, bytes: data.byteLength, ...content };
}

export function showBytes(bytes: number): string {
  if (bytes < 10_000) return `${bytes} byte${bytes === 1 ? '' : 's'}`;
  return bytes < 10_000_000 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}

/** What a wrapper is, in a few words. */
export function showDescriptor({ params, inputs, outputs }: Descriptor): string {
  const list = (what: string, declared: readonly { readonly name: string }[]): string =>
    `${what}: ${declared.map(({ name }) => name).join(', ') || 'none'}`;
  return [list('params', params), list('inputs', inputs), list('outputs', outputs)].join('; ');
}

function readText(data: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    return null;
  }
}

function shorten(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText)}… (${text.length} characters)` : text;
}

/** The first bytes in hexadecimal. */
function showHead(data: Uint8Array): string {
  const head = Buffer.from(data.subarray(0, 16))
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');
  return data.byteLength > 16 ? `${head} …` : head;
}
