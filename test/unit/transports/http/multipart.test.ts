import { describe, expect, it } from 'vitest';
import { parseMultipart } from '../../../../src/transports/http/multipart.js';
import { form } from '../../../fixtures/forms.js';

const type = 'multipart/form-data; boundary=x';

describe('parseMultipart', () => {
  it.each([
    ['no boundary', 'multipart/form-data', form([]), /Boundary not found/],
    [
      'no end',
      type,
      Buffer.from('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nabc'),
      /nexpected end|terminated early/,
    ],
    ['nothing', type, Buffer.alloc(0), /nexpected end/],
    ['another boundary', type, form([{ name: 'a', data: 'b' }], 'y'), /nexpected end/],
    [
      'a part without a name',
      type,
      Buffer.from('--x\r\nContent-Disposition: form-data\r\n\r\nabc\r\n--x--\r\n'),
      /no name/,
    ],
    [
      'a part in base64',
      type,
      Buffer.from(
        '--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--x--\r\n',
      ),
      /part "a" has Content-Transfer-Encoding base64/,
    ],
  ])('refuses %s', async (_name, contentType, body, detail) => {
    await expect(parseMultipart(body, contentType)).rejects.toMatchObject({
      kind: 'undecodableBody',
      detail: expect.stringMatching(detail) as unknown,
    });
  });

  it('refuses more parts than any request needs', async () => {
    const parts = Array.from({ length: 1001 }, (_, index) => ({ name: `p${index}`, data: 'x' }));
    await expect(parseMultipart(form(parts), type)).rejects.toMatchObject({ status: 413 });
    await expect(parseMultipart(form(parts.slice(1)), type)).resolves.toHaveLength(1000);
  });

  it('gives every part as the bytes that it is, without a copy', async () => {
    const data = Buffer.from([0, 1, 0x0d, 0x0a, 0x2d, 0x2d, 0xff]);
    const body = form([
      { name: 'lang', data: 'en' },
      { name: 'img', data, filename: 'a.png', type: 'image/png' },
      { name: 'empty', data: '', filename: 'empty' },
    ]);
    const parts = await parseMultipart(body, type);
    expect(parts).toEqual([
      { name: 'lang', file: false, contentType: 'text/plain', data: Buffer.from('en') },
      { name: 'img', file: true, contentType: 'image/png', data },
      { name: 'empty', file: true, contentType: 'text/plain', data: Buffer.alloc(0) },
    ]);
    expect(parts[1]?.data.buffer).toBe(body.buffer);
  });

  it('does not copy a large part either', async () => {
    const body = form([{ name: 'img', data: Buffer.alloc(3 << 20, 7), filename: 'a' }]);
    const [part] = await parseMultipart(body, type);
    expect(part?.data).toHaveLength(3 << 20);
    expect(part?.data.buffer).toBe(body.buffer);
  });
});
