import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { formatDecimal } from '../../../../src/core/decimal.js';
import { DataType } from '../../../../src/core/frame.js';
import {
  type JsonObject,
  decodeDocument,
  encodeError,
  encodeOnce,
  parseDocument,
  takeData,
} from '../../../../src/transports/json/codec.js';
import { decodeOnce } from '../../../fixtures/json-document.js';
import { textFrame } from '../../../fixtures/fake-runtime.js';

const decode = (body: unknown): ReturnType<typeof decodeOnce> => decodeOnce(Buffer.from(JSON.stringify(body)));
const failure = (run: () => unknown): { code: number; detail: string | null } => {
  try {
    run();
  } catch (error) {
    return error as AigesError;
  }
  throw new Error('it did not fail');
};

describe('decodeOnce', () => {
  it.each([
    ['nothing', '', 10000, /JSON/],
    ['half a JSON text', '{', 10000, /JSON/],
    ['broken UTF-8', Buffer.from([0x22, 0xff, 0x22]), 10000, /UTF-8/],
    ['no object', '[1]', 10000, /the body must be an object, but is an array/],
    ['a payload that is no object', '{"payload":5}', 10000, /payload must be an object, but is 5/],
    ['a payload member that is no object', '{"payload":{"a":"x"}}', 10000, /payload\.a must be an object, but is "x"/],
    ['a parameter member that is no object', '{"parameter":{"svc":1}}', 10000, /parameter\.svc must be an object/],
    ['text that is not base64', '{"payload":{"a":{"text":"###"}}}', 10001, /payload\.a\.text is not base64/],
    ['base64 without padding', '{"payload":{"a":{"text":"YQ"}}}', 10001, /not base64/],
    ['base64 of the URL alphabet', '{"payload":{"a":{"image":"_-_-"}}}', 10001, /not base64/],
    ['a number as data', '{"payload":{"a":{"text":5}}}', 10001, /payload\.a\.text must be a base64 string/],
    ['two kinds of data', '{"payload":{"a":{"text":"","image":""}}}', 10001, /one kind of data/],
    ...['"last"', '7', '-1', '1e99', '1.5', '"4"', '""', 'true', '[3]'].map(
      (status): [string, string, number, RegExp] => [
        `the status ${status}`,
        `{"payload":{"a":{"status":${status}}}}`,
        10001,
        /payload\.a\.status must be 0, 1, 2 or 3, but is/,
      ],
    ),
    [
      'an unknown data type',
      '{"parameter":{"s":{"r":{"data_type":"film"}}}}',
      10001,
      /one of text, audio, image, video, other/,
    ],
    [
      'an output attribute that is no string',
      '{"parameter":{"s":{"r":{"encoding":1}}}}',
      10001,
      /encoding must be a string/,
    ],
  ])('refuses %s', (_name, body, code, detail) => {
    const error = failure(() => decodeOnce(Buffer.from(body as string)));
    expect(error.code).toBe(code);
    expect(error.detail).toMatch(detail);
  });

  it('says first what the original said about data of the wrong kind', () => {
    expect(failure(() => decode({ payload: { a: { text: 5 } } }))).toMatchObject({
      message: 'not support type of payload',
    });
  });

  it('takes missing and null sections as empty', () => {
    expect(decode({ header: null })).toEqual({ headers: new Map(), params: new Map(), expect: null, frames: [] });
  });

  it('merges the scalars of all parameter objects and drops arrays and null', () => {
    const { params } = decode({ parameter: { a: { x: 1, y: true, z: 'q' }, b: { w: 0.5, no: null, list: [1] } } });
    expect([...params]).toEqual([
      ['x', '1'],
      ['y', 'true'],
      ['z', 'q'],
      ['w', '0.5'],
    ]);
  });

  it('takes every object among the parameters as an expected output', () => {
    const result = { encoding: 'utf8', compress: 'raw', format: 'plain', data_type: 'text', other: 1 };
    expect(decode({ parameter: { svc: { result, more: {} } } }).expect).toEqual([
      {
        name: 'result',
        type: 0,
        attributes: new Map([
          ['encoding', 'utf8'],
          ['format', 'plain'],
          ['compress', 'raw'],
        ]),
      },
      { name: 'more', type: null, attributes: new Map() },
    ]);
  });

  it('decodes base64 of every kind of data, with line breaks', () => {
    const { frames } = decode({ payload: { img: { image: 'aGVs\r\nbG8=', encoding: 'png', width: 28, status: 3 } } });
    expect(frames[0]).toMatchObject({ key: 'img', type: DataType.image, status: 3 });
    expect(Buffer.from(frames[0]?.data ?? []).toString()).toBe('hello');
    expect(Object.fromEntries(frames[0]?.desc ?? [])).toEqual({ encoding: 'png', width: '28', status: '3' });
  });

  it('hands structured data on as JSON', () => {
    const { frames } = decode({ payload: { q: { text: { a: '<b>' } } } });
    expect(Buffer.from(frames[0]?.data ?? []).toString()).toBe('{"a":"<b>"}');
  });

  it('takes a payload without data as empty text', () => {
    const { frames } = decode({ payload: { q: { format: 'plain' } } });
    expect(frames[0]).toMatchObject({ type: DataType.text, data: Buffer.alloc(0) });
  });

  it('keeps names such as __proto__ as plain names', () => {
    const { params } = decodeOnce(Buffer.from('{"parameter":{"s":{"__proto__":"x","constructor":"y"}}}'));
    expect(Object.fromEntries(params)).toHaveProperty('constructor', 'y');
    expect(params.get('__proto__')).toBe('x');
  });

  it('fails with our error, and no other, on any body', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (body) => {
        try {
          decodeOnce(Buffer.from(body));
        } catch (error) {
          expect(error).toBeInstanceOf(AigesError);
        }
      }),
    );
  });
});

describe('a body that is nested too deeply', () => {
  it.each([
    ['as data', (deep: string) => `{"payload":{"a":{"text":${deep}}}}`],
    ['as a header', (deep: string) => `{"header":{"a":${deep}}}`],
    ['as an attribute', (deep: string) => `{"payload":{"a":{"rate":${deep}}}}`],
  ])('is refused %s', (_where, body) => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect(() => decodeOnce(Buffer.from(body(deep)))).toThrow(
      expect.objectContaining({ code: 10001, detail: 'a value is nested too deeply' }),
    );
  });
});

describe('decodeDocument', () => {
  const document = (text: string): JsonObject => parseDocument(Buffer.from(text));

  it.each(['2', '"2"', '2.0', '" 2"'])('takes the status %s', (status) => {
    const { frames } = decodeOnce(Buffer.from(`{"payload":{"a":{"status":${status}}}}`));
    expect(frames).toMatchObject([{ status: 2 }]);
    expect(frames[0]?.desc.get('status')).toBe('2');
  });

  it('asks for the status of an input that says none, and takes data that is not in the document', () => {
    const asked: unknown[] = [];
    const { frames } = decodeDocument(document('{"payload":{"a":{"audio":""},"b":{"text":"eA==","status":"2"}}}'), {
      statusOf: (input) => {
        asked.push(input);
        return 1;
      },
      apart: new Map([['a', Buffer.from('abc')]]),
    });
    expect(frames.map(({ key, data, type, status }) => [key, Buffer.from(data).toString(), type, status])).toEqual([
      ['a', 'abc', 1, 1],
      ['b', 'x', 0, 2],
    ]);
    expect(asked).toEqual(['a']);
  });

  it('takes no number for data', () => {
    const options = { statusOf: () => 1, apart: new Map<string, Uint8Array>() };
    expect(() => decodeDocument(document('{"payload":{"a":{"audio":3}}}'), options)).toThrow(
      expect.objectContaining({ code: 10001 }),
    );
  });
});

describe('takeData', () => {
  const take = (length: number, path: string): Uint8Array => Buffer.from(`${path}=${length}`);

  it.each(['{}', '{"payload":null}', '{"payload":3}', '{"payload":{"a":3,"b":[1]}}'])('finds nothing in %s', (text) => {
    expect(takeData(parseDocument(Buffer.from(text)), take).size).toBe(0);
  });

  it('takes so many bytes as the numbers say, in their order, and leaves empty texts', () => {
    const document = parseDocument(
      Buffer.from('{"payload":{"b":{"audio":3,"rate":8},"c":{"text":"eA=="},"a":{"image":0}}}'),
    );
    const apart = takeData(document, take);
    expect([...apart].map(([name, data]) => [name, String(data)])).toEqual([
      ['b', 'payload.b.audio=3'],
      ['a', 'payload.a.image=0'],
    ]);
    expect(document).toEqual({ payload: { b: { audio: '', rate: 8 }, c: { text: 'eA==' }, a: { image: '' } } });
  });
});

describe('formatDecimal', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [16000, '16000'],
    [0.5, '0.5'],
    [1e21, '1000000000000000000000'],
    [-1.5e-7, '-0.00000015'],
    [1.7976931348623157e308, `17976931348623157${'0'.repeat(292)}`],
  ])('writes %d as %s', (value, text) => {
    expect(formatDecimal(value)).toBe(text);
  });

  it('reads back as the same number and has no exponent', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = formatDecimal(value);
        expect(text).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Number(text)).toBe(value === 0 ? 0 : value);
      }),
    );
  });
});

describe('encodeOnce', () => {
  it('sends text as it is and everything else as base64', () => {
    const payloads = [
      { frame: textFrame('result', '7 <ok>'), attributes: new Map([['seq', '0']]) },
      { frame: textFrame('cover', 'abc', { type: DataType.image }), attributes: new Map<string, string>() },
      { frame: textFrame('odd', 'abc', { type: 77 }), attributes: new Map<string, string>() },
    ];
    expect(encodeOnce({ sid: 's', status: 3, payloads })).toBe(
      '{"header":{"code":0,"sid":"s","status":3},"payload":{' +
        '"result":{"seq":"0","text":"7 <ok>"},"cover":{"image":"YWJj"},"odd":{"other":"YWJj"}}}\n',
    );
  });

  it('reads only its own part of a shared buffer', () => {
    const data = Buffer.from('--text--').subarray(2, 6);
    const text = encodeOnce({
      sid: '',
      status: 3,
      payloads: [{ frame: textFrame('r', '', { data }), attributes: new Map() }],
    });
    expect(JSON.parse(text)).toMatchObject({ payload: { r: { text: 'text' } } });
  });
});

describe('encodeError', () => {
  it('adds what a person needs to the text that is fixed', () => {
    const error = new AigesError('outputNotExpected', { detail: 'the plugin gave output "a"' });
    expect(JSON.parse(encodeError(error, 'id'))).toEqual({
      header: { code: 10106, message: 'wrapper output data is nil: the plugin gave output "a"', sid: 'id' },
      payload: null,
    });
  });
});
