import { describe, expect, it } from 'vitest';
import { readAnswer, readResult } from '../../../../playground/wire/answer.js';

const header = { code: 0, sid: 's', status: 3 };
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

describe('an answer', () => {
  it.each([undefined, null, 7, 'text', [], {}, { header: null }, { header: { code: '0' } }])(
    'is not %j',
    (document) => {
      expect(() => readAnswer(document)).toThrow('no header with a code');
    },
  );

  it('says what went wrong', () => {
    const document = { header: { code: 10110, message: 'no license', sid: 's' }, payload: null };
    expect(readAnswer(document)).toEqual({ code: 10110, message: 'no license', sid: 's', status: null, outputs: [] });
  });

  it('holds text as it is, other data as base64, and JSON as it is', () => {
    const { outputs } = readAnswer({
      header,
      payload: {
        a: { encoding: 'utf8', status: 3, text: 'aGk=' },
        b: { image: 'aGk=' },
        c: { text: { x: 1 } },
        d: {},
      },
    });
    expect(outputs).toEqual([
      {
        name: 'a',
        type: 'text',
        attributes: new Map([
          ['encoding', 'utf8'],
          ['status', '3'],
        ]),
        data: { kind: 'text', text: 'aGk=' },
      },
      { name: 'b', type: 'image', attributes: new Map(), data: { kind: 'bytes', bytes: bytes('hi') } },
      { name: 'c', type: 'text', attributes: new Map(), data: { kind: 'json', value: { x: 1 } } },
      { name: 'd', type: 'text', attributes: new Map(), data: { kind: 'text', text: '' } },
    ]);
  });
});

describe('a result of a stream', () => {
  it.each([4, -1, 0.5])('is refused when it names %d of three bytes', (size) => {
    expect(() => readResult({ header, payload: { a: { audio: size } } }, bytes('abc'))).toThrow('but 3 are there');
  });

  it('holds everything as base64 in a text frame', () => {
    const { outputs } = readResult({ header, payload: { a: { text: 'aGk=' }, b: { text: 7 } } }, null);
    expect(outputs.map(({ data }) => data)).toEqual([
      { kind: 'text', text: 'hi' },
      { kind: 'json', value: 7 },
    ]);
  });

  it('holds the bytes behind the document in a binary frame', () => {
    const { outputs } = readResult(
      { header, payload: { a: { text: 2 }, b: { audio: 1 }, c: { text: 'aGk=' } } },
      bytes('xyz'),
    );
    expect(outputs.map(({ data }) => data)).toEqual([
      { kind: 'text', text: 'xy' },
      { kind: 'bytes', bytes: bytes('z') },
      { kind: 'text', text: 'hi' },
    ]);
  });
});
