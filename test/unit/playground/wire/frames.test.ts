import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packFrame, unpackFrame } from '../../../../playground/wire/frames.js';

describe('a binary frame', () => {
  it.each([
    ['shorter than its length', new Uint8Array([0, 0, 1])],
    ['shorter than its document', new Uint8Array([0, 0, 0, 9, 0x7b, 0x7d])],
  ])('is refused when it is %s', (_what, frame) => {
    expect(() => unpackFrame(frame.buffer)).toThrow('shorter than it says');
  });

  it('is refused when its document is none', () => {
    expect(() => unpackFrame(new Uint8Array([0, 0, 0, 1, 0x7b]).buffer)).toThrow('does not begin with a JSON document');
  });

  it('is the length of the document in four bytes, the document, and the data', () => {
    const frame = packFrame({ é: 1 }, [new Uint8Array([1, 2]), new Uint8Array([3])]);
    expect(Buffer.from(frame).toString('latin1')).toBe(
      `\0\0\0\x08${Buffer.from('{"é":1}').toString('latin1')}\x01\x02\x03`,
    );
  });

  it('is unpacked to what was packed', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.array(fc.uint8Array()), (document, data) => {
        const frame = unpackFrame(packFrame(document, data).buffer);
        expect(JSON.stringify(frame.document)).toBe(JSON.stringify(document));
        expect([...frame.bytes]).toEqual(data.flatMap((bytes) => [...bytes]));
      }),
    );
  });
});
