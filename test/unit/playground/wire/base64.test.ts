import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64, encodeText } from '../../../../playground/wire/base64.js';

describe('base64', () => {
  it('refuses what is none', () => {
    expect(() => decodeBase64('?')).toThrow();
  });

  it('is what Node.js makes of the same bytes, and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect([...decodeBase64(encodeBase64(bytes))]).toEqual([...bytes]);
      }),
    );
  });

  it('takes more bytes than a call has arguments', () => {
    const bytes = new Uint8Array(200_001).fill(0xfe);
    expect(Buffer.from(encodeBase64(bytes), 'base64').equals(bytes)).toBe(true);
  });

  it('takes text as UTF-8', () => {
    expect(Buffer.from(encodeText('naïve 😀'), 'base64').toString()).toBe('naïve 😀');
  });
});
