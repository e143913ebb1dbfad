import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEnd, decodeFields, encodeFields, noFields } from '../../../../src/transports/grpc/wire-fields.js';

describe('fields', () => {
  it.each<[string, [string, (string | Uint8Array)[]], string]>([
    ['an empty key', ['', ['x']], 'metadata key "" is not allowed'],
    ['a pseudo header', [':path', ['x']], 'metadata key ":path" is not allowed'],
    ['a key with a line break', ['a\r\nb', ['x']], 'metadata key "a\\r\\nb" is not allowed'],
    ['a value that is not ASCII', ['a', ['ö']], 'expected printable ASCII for metadata a'],
    ['text for bytes', ['a-bin', ['x']], 'expected bytes for metadata a-bin'],
    ['bytes for text', ['a', [new Uint8Array(1)]], 'expected printable ASCII for metadata a'],
  ])('refuse %s', (_, entry, message) => {
    expect(() => encodeFields(new Map([entry]))).toThrow(new TypeError(message));
  });

  it('are nothing for no metadata', () => {
    expect(encodeFields(new Map())).toEqual(noFields);
    expect(decodeFields(noFields)).toEqual(new Map());
  });

  it('turn keys into lower case', () => {
    expect(decodeFields(encodeFields(new Map([['Abc', ['x']]])))).toEqual(new Map([['abc', ['x']]]));
  });

  it('come back as they went', () => {
    const name = fc.stringMatching(/^[0-9a-z_.-]{1,20}$/);
    const text = name.filter((key) => !key.endsWith('-bin'));
    const bytes = fc.uint8Array({ maxLength: 100 }).map((value) => Buffer.from(value));
    const field = fc.oneof(
      fc.tuple(text, fc.array(fc.stringMatching(/^[ -~]{0,50}$/), { minLength: 1, maxLength: 5 })),
      fc.tuple(
        name.map((key) => `${key}-bin`),
        fc.array(bytes, { minLength: 1, maxLength: 5 }),
      ),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), (entries) => {
        const metadata = new Map<string, (string | Uint8Array)[]>(entries);
        expect(decodeFields(encodeFields(metadata))).toEqual(metadata);
      }),
    );
  });

  it('carry the ends of a connection, of which one without a host is no TCP one', () => {
    const bytes = Buffer.concat([field('::1', '5090'), field('', '0'), Buffer.from('rest')]);
    const peer = decodeEnd(bytes, 0);
    expect(peer.address).toEqual({ host: '::1', port: 5090 });
    const local = decodeEnd(bytes, peer.end);
    expect(local).toEqual({ address: null, end: bytes.length - 4 });
  });
});

function field(name: string, value: string): Buffer {
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(name.length, 0);
  lengths.writeUInt32LE(value.length, 4);
  return Buffer.concat([lengths, Buffer.from(name + value)]);
}
