import { type Json, parseJson } from '../json.js';
import { type Answer, readAnswer } from '../wire/answer.js';
import { encodeBase64 } from '../wire/base64.js';
import { asJson, asUpload, type Draft, requestField } from '../wire/request.js';

export interface OnceCall {
  readonly http: { readonly status: number; readonly text: string };
  /** Seconds after which to try again, or a date; null when the answer does not say. */
  readonly retryAfter: string | null;
  /** null when what came is not an answer of a loader; `body` is what came. */
  readonly answer: Answer | null;
  /** The whole document; undefined when it was no JSON. */
  readonly document: Json | undefined;
  readonly body: string;
  readonly bytes: number;
  /** Milliseconds until the answer began. */
  readonly firstMs: number;
  readonly totalMs: number;
}

/**
 * Sends a request and reads the whole answer.
 * @throws DOMException `AbortError` when the signal says so, TypeError when nobody answers
 */
export async function callOnce(draft: Draft, upload: boolean, signal: AbortSignal): Promise<OnceCall> {
  const init = upload
    ? { body: formOf(draft) }
    : { body: await jsonOf(draft), headers: { 'content-type': 'application/json' } };
  const start = performance.now();
  const response = await fetch(draft.url, { method: 'POST', signal, ...init });
  const firstMs = performance.now() - start;
  const bytes = await response.arrayBuffer();
  const totalMs = performance.now() - start;
  const body = new TextDecoder().decode(bytes);
  const document = parseJson(body);
  return {
    http: { status: response.status, text: response.statusText },
    retryAfter: response.headers.get('retry-after'),
    answer: answerOf(document),
    document,
    body,
    bytes: bytes.byteLength,
    firstMs,
    totalMs,
  };
}

function answerOf(document: Json | undefined): Answer | null {
  try {
    return readAnswer(document);
  } catch {
    return null;
  }
}

function formOf(draft: Draft): FormData {
  const { request, files } = asUpload(draft);
  const form = new FormData();
  if (request !== null) form.set(requestField, request);
  for (const { name, file } of files) form.set(name, file, file.name);
  return form;
}

async function jsonOf(draft: Draft): Promise<Blob> {
  const pieces = asJson(draft).map(async (piece) =>
    typeof piece === 'string' ? piece : encodeBase64(new Uint8Array(await piece.arrayBuffer())),
  );
  return new Blob(await Promise.all(pieces));
}
