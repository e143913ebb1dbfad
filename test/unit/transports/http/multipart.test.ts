import { describe, expect, it } from 'vitest';
import { parseMultipart } from '../../../../src/transports/http/multipart.js';
import { form } from '../../../fixtures/forms.js';

const type = 'multipart/form-data; boundary=x';

const begin = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n';

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
    [
      'a part without Content-Disposition behind others',
      type,
      Buffer.from(`${begin}--x\r\nContent-Type: image/png\r\n\r\nabc\r\n--x--\r\n`),
      /a part has no header Content-Disposition/,
    ],
    [
      'a part that is an attachment, before others',
      type,
      Buffer.from(`--x\r\nContent-Disposition: attachment; name="b"\r\n\r\nabc\r\n${begin}--x--\r\n`),
      /no header Content-Disposition: form-data/,
    ],
    [
      'a part whose name comes after thousands of headers',
      type,
      Buffer.from(
        `${begin}--x\r\n${'a: b\r\n'.repeat(3000)}Content-Disposition: form-data; name="b"\r\n\r\nabc\r\n--x--\r\n`,
      ),
      /no header Content-Disposition/,
    ],
    [
      'a part without an end to its headers',
      type,
      Buffer.from(`${begin}--x\r\nA: b\r\n--x--\r\n`),
      /no header Content-Disposition/,
    ],
    ['a boundary of other letters', 'multipart/form-data; boundary="\u00e9"', form([]), /boundary/i],
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

  it('takes a form with text around it', async () => {
    const body = Buffer.from(`before\r\n${begin}${begin}--x--\r\nafter\r\n--x\r\n`);
    await expect(parseMultipart(body, type)).resolves.toMatchObject([{ name: 'a' }, { name: 'a' }]);
  });

  it('takes a boundary of any letters that there may be, in quotes', async () => {
    const boundary = "A0'()+_,-./:=? x";
    const body = form([{ name: 'a', data: 'b' }], boundary);
    const header = `multipart/form-data; charset=utf-8; Boundary="${boundary}"`;
    await expect(parseMultipart(body, header)).resolves.toMatchObject([{ name: 'a' }]);
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
