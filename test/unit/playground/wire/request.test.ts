import { describe, expect, it } from 'vitest';
import { asJson, asUpload, canUpload, streamHead } from '../../../../playground/wire/request.js';
import { draft, fileInput, textInput } from '../files.js';

const bytes = new Uint8Array([0x89, 0x50, 0xff]);

/** The document with the base64 of each file in place. */
async function whole(pieces: readonly (string | File)[]): Promise<unknown> {
  const texts = pieces.map(async (piece) =>
    typeof piece === 'string' ? piece : Buffer.from(await piece.arrayBuffer()).toString('base64'),
  );
  return JSON.parse((await Promise.all(texts)).join('')) as unknown;
}

describe('a request as JSON', () => {
  it('is an empty document for an empty form', () => {
    expect(asJson(draft())).toEqual(['{}']);
  });

  it('has parameters under the service, text as base64, and files where their base64 goes', async () => {
    const given = draft({
      params: new Map<string, string | number | boolean>([
        ['lang', "it's"],
        ['count', 3],
        ['loud', false],
      ]),
      inputs: [textInput('hello'), fileInput(bytes, { attributes: new Map([['encoding', 'jpg']]) })],
    });
    expect(await whole(asJson(given))).toEqual({
      parameter: { svc: { lang: "it's", count: 3, loud: false } },
      payload: { text: { text: 'aGVsbG8=' }, img: { encoding: 'jpg', image: 'iVD/' } },
    });
  });

  it('finds the places of files whatever else is in it', async () => {
    const given = draft({
      params: new Map([
        ['file', 'file-'],
        ['file-', 'file--'],
      ]),
      inputs: [fileInput(bytes, { name: 'a' }), fileInput(bytes, { name: 'file' })],
    });
    expect(await whole(asJson(given))).toEqual({
      parameter: { svc: { file: 'file-', 'file-': 'file--' } },
      payload: { a: { image: 'iVD/' }, file: { image: 'iVD/' } },
    });
  });

  it('keeps what it begins with', async () => {
    const base = { header: { appid: 'x' }, parameter: { other: { a: 1 } }, payload: { other: { text: '' } } };
    const given = draft({ base, params: new Map([['b', 3]]), inputs: [textInput('')] });
    expect(await whole(asJson(given))).toEqual({
      header: { appid: 'x' },
      parameter: { other: { a: 1 }, svc: { b: 3 } },
      payload: { other: { text: '' }, text: { text: '' } },
    });
  });

  it('takes "__proto__" for a name', async () => {
    const given = draft({
      service: '__proto__',
      params: new Map([['__proto__', 'x']]),
      inputs: [textInput('', { name: '__proto__' })],
    });
    const text = JSON.stringify(await whole(asJson(given)));
    expect(text).toBe('{"parameter":{"__proto__":{"__proto__":"x"}},"payload":{"__proto__":{"text":""}}}');
  });
});

describe('a request as a form upload', () => {
  it('is not for requests without files, or with an input that is named like its document', () => {
    expect(canUpload(draft({ inputs: [textInput('')] }))).toBe(false);
    expect(canUpload(draft({ inputs: [fileInput(bytes, { name: 'request' })] }))).toBe(false);
    expect(canUpload(draft({ inputs: [fileInput(bytes)] }))).toBe(true);
  });

  it('has files alone where there is nothing else', () => {
    const { request, files } = asUpload(draft({ inputs: [fileInput(bytes)] }));
    expect(request).toBeNull();
    expect(files.map(({ name, file }) => [name, file.name, file.size])).toEqual([['img', 'img.png', 3]]);
  });

  it('has everything but the bytes of files in its document', () => {
    const attributes = new Map([['encoding', 'jpg']]);
    const { request } = asUpload(
      draft({ params: new Map([['n', 1]]), inputs: [fileInput(bytes, { attributes }), textInput('hello')] }),
    );
    expect(JSON.parse(request ?? '')).toEqual({
      parameter: { svc: { n: 1 } },
      payload: { img: { encoding: 'jpg' }, text: { text: 'aGVsbG8=' } },
    });
  });
});

describe('the head of a stream', () => {
  it('is everything but the inputs', () => {
    const given = draft({
      base: { header: { appid: 'x' } },
      params: new Map([['n', 1]]),
      inputs: [textInput('hello')],
    });
    expect(streamHead(given)).toEqual({ header: { appid: 'x' }, parameter: { svc: { n: 1 } } });
  });
});
