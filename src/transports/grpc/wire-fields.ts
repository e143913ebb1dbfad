import type { Address } from '../../core/address.js';
import type { Metadata } from './server.js';

/** Length of the name and length of the value, 32 bits each. */
const headerBytes = 8;

export const noFields: Buffer = Buffer.alloc(0);

/** @throws TypeError for what HTTP/2 or gRPC does not allow */
export function encodeFields(metadata: Metadata): Buffer {
  const parts: Buffer[] = [];
  for (const [key, values] of metadata) {
    const name = key.toLowerCase();
    if (!/^[0-9a-z_.-]+$/.test(name)) throw new TypeError(`metadata key ${JSON.stringify(key)} is not allowed`);
    for (const value of values) parts.push(encodeField(name, value));
  }
  return Buffer.concat(parts);
}

/** Values of `-bin` keys are bytes, all others printable ASCII. */
export function decodeFields(bytes: Buffer): Metadata {
  const metadata = new Map<string, (string | Uint8Array)[]>();
  for (let at = 0; at < bytes.length;) {
    const { name, value, end } = decodeField(bytes, at);
    const known = metadata.get(name);
    // A copy of its own: the bytes are those of a whole batch.
    const decoded = name.endsWith('-bin') ? Buffer.from(value) : value.toString('latin1');
    if (known === undefined) metadata.set(name, [decoded]);
    else known.push(decoded);
    at = end;
  }
  return metadata;
}

/** Reads one end of a connection from the field at an offset: its host and, as the value, its port. */
export function decodeEnd(bytes: Buffer, at: number): { readonly address: Address | null; readonly end: number } {
  const { name, value, end } = decodeField(bytes, at);
  return { address: name === '' ? null : { host: name, port: Number(value.toString('latin1')) }, end };
}

function encodeField(name: string, value: string | Uint8Array): Buffer {
  const binary = name.endsWith('-bin');
  if (typeof value === 'string' ? binary || !/^[ -~]*$/.test(value) : !binary) {
    const expected = binary ? 'bytes' : 'printable ASCII';
    throw new TypeError(`expected ${expected} for metadata ${name}`);
  }
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(name.length, 0);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, Buffer.from(name, 'latin1'), Buffer.from(value as string, 'latin1')]);
}

function decodeField(
  bytes: Buffer,
  at: number,
): { readonly name: string; readonly value: Buffer; readonly end: number } {
  const nameEnd = at + headerBytes + bytes.readUInt32LE(at);
  const end = nameEnd + bytes.readUInt32LE(at + 4);
  return { name: bytes.toString('latin1', at + headerBytes, nameEnd), value: bytes.subarray(nameEnd, end), end };
}
