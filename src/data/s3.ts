import type { StringMap } from '../core/frame.js';
import type { Source } from './download.js';
import { invalidS3 } from './failure.js';
import { authorization, emptyHash, encodePath, type Signer, stamp } from './signature.js';
import { parseTarget } from './target.js';

const defaultRegion = 'us-east-1';

/** Reads the attributes of a payload that lies in an S3 bucket. */
export function s3Source(desc: StringMap): Source {
  const region = optional(desc, 'region') ?? defaultRegion;
  const signer = { access: required(desc, 'access'), secret: required(desc, 'secret'), region, service: 's3' };
  const endpoint = required(desc, 'endpoint');
  const bucket = required(desc, 'bucket');
  const key = required(desc, 'key');
  // Both become part of a header, where a comma or a slash would end them.
  for (const name of ['access', 'region'] as const) {
    if (!/^[\w.+=@-]+$/.test(signer[name])) throw invalidS3(`the attribute ${name} has characters that none can have`);
  }
  const base = parseTarget(/^[a-z][a-z\d+.-]*:\/\//i.test(endpoint) ? endpoint : `https://${endpoint}`);
  if ('reason' in base) throw invalidS3(`the attribute endpoint cannot be used: ${base.reason}`);
  if (base.path.includes('?')) throw invalidS3('the attribute endpoint cannot be used: it has a query');
  // Joined by hand: a URL would resolve `..` in the key, and the signature would be that of another path.
  const path = `${base.path.replace(/\/+$/, '')}/${encodePath(bucket)}/${encodePath(key)}`;
  const target = { ...base, path };
  return { target, headers: () => signedHeaders(target.authority, path, signer, new Date()) };
}

function signedHeaders(host: string, path: string, signer: Signer, date: Date): Record<string, string> {
  const own = { 'x-amz-content-sha256': emptyHash, 'x-amz-date': stamp(date) };
  const headers = Object.entries({ ...own, host });
  const request = { method: 'GET', path, headers, payloadHash: emptyHash };
  return { ...own, authorization: authorization(request, signer, date) };
}

function optional(desc: StringMap, name: string): string | undefined {
  const value = desc.get(name);
  return value === '' ? undefined : value;
}

function required(desc: StringMap, name: string): string {
  const value = optional(desc, name);
  if (value === undefined) throw invalidS3(`the attribute ${name} is missing`);
  return value;
}
