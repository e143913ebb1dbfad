import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import { ProtobufWriter } from '../../../../src/transports/xsf/protobuf-writer.js';

const stringTag = (1 << 3) | 2;
const numberTag = 2 << 3;
const bytesTag = (3 << 3) | 2;

/** Strings on both sides of the length up to which they are written here, with characters of one to four bytes. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: fc.constantFrom('a', '~', '\u007f', '\u0080', '\u07ff', '\u0800', '\u{1f600}'), maxLength: 60 }),
);
const number = fc.oneof(fc.integer(), fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 31 - 1, -1, -(2 ** 31)));
const fields = fc.array(fc.record({ text, number, bytes: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 5 });

describe('ProtobufWriter', () => {
  it('writes byte by byte what the reference writes', () => {
    fc.assert(
      fc.property(fields, (messages) => {
        const ours = new ProtobufWriter();
        for (const message of messages.toReversed()) {
          ours.bytesField(bytesTag, message.bytes);
          ours.int32Field(numberTag, message.number);
          ours.stringField(stringTag, message.text);
        }
        const reference = protobuf.Writer.create();
        for (const message of messages) {
          reference.uint32(stringTag).string(message.text);
          reference.uint32(numberTag).int32(message.number);
          reference.uint32(bytesTag).bytes(message.bytes);
        }
        const { length } = ours;
        const written = Buffer.concat(ours.finish());
        expect(written.equals(reference.finish())).toBe(true);
        expect(length).toBe(written.length);
      }),
    );
  });

  it('begins anew after a message that was never finished', () => {
    new ProtobufWriter().stringField(stringTag, 'abandoned');
    const writer = new ProtobufWriter();
    writer.stringField(stringTag, 'a');
    expect(Buffer.concat(writer.finish())).toEqual(Buffer.from([stringTag, 1, 0x61]));
  });

  it('gives memory that later messages leave alone, however long those are', () => {
    const first = new ProtobufWriter();
    first.stringField(stringTag, 'first');
    const [chunk] = first.finish();
    const before = Buffer.from(chunk ?? []);
    for (const length of [10, 100_000, 3_000_000, 10]) {
      const writer = new ProtobufWriter();
      writer.stringField(stringTag, 'x'.repeat(length));
      const message = Buffer.concat(writer.finish());
      expect(protobuf.Reader.create(message.subarray(1)).string()).toHaveLength(length);
    }
    expect(Buffer.from(chunk ?? [])).toEqual(before);
  });

  it('writes nothing for nothing', () => {
    expect(new ProtobufWriter().finish()).toEqual([]);
  });
});
