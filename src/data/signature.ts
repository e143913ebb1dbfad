import { createHash, createHmac } from 'node:crypto';

/** A request without a query, as AWS Signature Version 4 sees it. */
export interface SignedRequest {
  readonly method: string;
  /** Encoded, exactly as it is sent. */
  readonly path: string;
  /** The headers to sign, Host among them. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly payloadHash: string;
}

export interface Signer {
  readonly access: string;
  readonly secret: string;
  readonly region: string;
  readonly service: string;
}

/** The hash of a request without a body. */
export const emptyHash = hash('');

/** The value of the Authorization header. */
export function authorization(request: SignedRequest, signer: Signer, date: Date): string {
  const { text, names } = canonicalRequest(request);
  const scope = `${stamp(date).slice(0, 8)}/${signer.region}/${signer.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', stamp(date), scope, hash(text)].join('\n');
  const signature = createHmac('sha256', signingKey(signer, date)).update(toSign).digest('hex');
  return `AWS4-HMAC-SHA256 Credential=${signer.access}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
}

/** The time as the x-amz-date header has it. */
export function stamp(date: Date): string {
  return date.toISOString().replace(/[-:]|\.\d+/g, '');
}

/** Encodes an object key for a path: every byte but the unreserved ones and the slashes. */
export function encodePath(key: string): string {
  // Through bytes, because a lone surrogate would make encodeURIComponent throw.
  return encodeURIComponent(Buffer.from(key).toString())
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/');
}

export function signingKey(signer: Omit<Signer, 'access'>, date: Date): Buffer {
  return [stamp(date).slice(0, 8), signer.region, signer.service, 'aws4_request'].reduce<Buffer>(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${signer.secret}`),
  );
}

function canonicalRequest(request: SignedRequest): { readonly text: string; readonly names: string } {
  const headers = request.headers
    .map(([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = headers.map(([name]) => name).join(';');
  const lines = headers.map(([name, value]) => `${name}:${value}\n`).join('');
  return { text: [request.method, request.path, '', lines, names, request.payloadHash].join('\n'), names };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
