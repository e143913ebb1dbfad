import { Buffer } from 'node:buffer';
import { DataType, type DataTypeName } from '../../core/frame.js';
import type { Answer, OnceRequest } from './request.js';

interface Body {
  readonly header?: { readonly code?: number; readonly message?: string; readonly sid?: string };
  readonly payload?: Readonly<Record<string, Readonly<Record<string, string>>>> | null;
}

/** Sends a one-shot request as JSON. A URL without a path gets the default route of the service. */
export async function callHttp(url: URL, request: OnceRequest): Promise<Answer> {
  const target = url.pathname === '/' ? new URL(`/v1/private/${request.service}`, url) : url;
  const response = await fetch(target, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      header: {},
      parameter: {
        [request.service]: {
          ...Object.fromEntries(request.params),
          ...Object.fromEntries(
            request.outputs.map(({ name, type }) => [name, type === null ? {} : { data_type: type }]),
          ),
        },
      },
      payload: Object.fromEntries(
        request.inputs.map(({ name, type, data }) => [name, { [type]: data.toString('base64'), status: 3 }]),
      ),
    }),
    signal: AbortSignal.timeout(request.timeoutMs),
  }).catch((error: unknown) => {
    throw new Error(`cannot reach ${target.href}: ${reason(error)}`, { cause: error });
  });
  const text = await response.text();
  const body = parseBody(text, target);
  if (!response.ok || body.header?.code !== 0) {
    const code = body.header?.code ?? 'none';
    throw new Error(`HTTP ${response.status}, code ${code}: ${body.header?.message ?? text.slice(0, 200)}`);
  }
  return { payloads: Object.entries(body.payload ?? {}).map(([name, payload]) => ({ name, ...dataOf(payload) })) };
}

function dataOf(payload: Readonly<Record<string, string>>): { type: DataTypeName; data: Buffer } {
  const type = (Object.keys(DataType) as DataTypeName[]).find((name) => Object.hasOwn(payload, name)) ?? 'other';
  return { type, data: Buffer.from(payload[type] ?? '', type === 'text' ? 'utf8' : 'base64') };
}

function parseBody(text: string, target: URL): Body {
  try {
    return JSON.parse(text) as Body;
  } catch (error) {
    throw new Error(`${target.href} did not answer with JSON: ${text.slice(0, 200)}`, { cause: error });
  }
}

/** fetch says only "fetch failed"; what went wrong is in the cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.cause.name : error.message;
}
