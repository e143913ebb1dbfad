import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { Descriptor } from '../../../src/core/descriptor.js';
import { DataStatus, DataType, emptyMap } from '../../../src/core/frame.js';
import {
  answerSchema,
  errorSchema,
  type JsonSchema,
  paramSchema,
  requestSchema,
} from '../../../src/schema/json-schema.js';
import { encodeError, encodeOnce } from '../../../src/transports/json/codec.js';
import { decodeOnce } from '../../fixtures/json-document.js';
import { AigesError } from '../../../src/core/errors.js';
import { body, descriptor, param } from '../../fixtures/descriptors.js';

const service: Descriptor = descriptor({
  params: [
    param('mode', { enums: ['music', 'humming'], fallback: 'humming', maxLength: 1024 }),
    param('lang', { required: true, minLength: 2, maxLength: 5 }),
    param('score', { type: 'number', minimum: 0, maximum: 1 }),
    param('top', { type: 'integer' }),
    param('verbose', { type: 'boolean', fallback: false }),
  ],
  inputs: [
    body('image', { type: DataType.image, content: 'bytes', attributes: { encoding: 'png' } }),
    body('document', { content: 'json', required: false }),
  ],
  outputs: [
    body('result', { content: 'json', attributes: { encoding: 'utf8' } }),
    body('sound', { type: DataType.audio, content: 'bytes', required: false }),
  ],
});

/** What a validator says of a value; empty when it agrees. */
function faults(schema: JsonSchema, value: unknown): string[] {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: true, allErrors: true });
  const validate = ajv.compile(schema);
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
}

const base64 = Buffer.from('abc').toString('base64');
const request = {
  header: { appid: 'demo' },
  parameter: { music: { lang: 'en', result: { data_type: 'text' } } },
  payload: { image: { image: base64, encoding: 'png', status: 3 } },
};

describe('paramSchema', () => {
  it.each([
    [param('a', { maxLength: 9, minLength: 1 }), { type: 'string', minLength: 1, maxLength: 9 }],
    [
      param('a', { enums: ['x', 'y'], maxLength: 1024, fallback: 'x' }),
      { type: 'string', default: 'x', enum: ['x', 'y'] },
    ],
    [param('a', { type: 'integer', minimum: -1, maximum: 7 }), { type: 'integer', minimum: -1, maximum: 7 }],
    [param('a', { type: 'boolean', fallback: false }), { type: 'boolean', default: false }],
    [param('a', { title: 'A', description: 'an a' }), { type: 'string', title: 'A', description: 'an a' }],
  ])('describes %o', (described, schema) => {
    expect(paramSchema(described)).toEqual(schema);
  });
});

describe('requestSchema', () => {
  const schema = requestSchema(service, 'music');

  it.each<[string, object, string]>([
    ['a missing input', { ...request, payload: {} }, "/payload must have required property 'image'"],
    ['no payload', { parameter: request.parameter }, " must have required property 'payload'"],
    [
      'a missing parameter',
      { ...request, parameter: { music: {} } },
      "/parameter/music must have required property 'lang'",
    ],
    ['no parameters', { payload: request.payload }, " must have required property 'parameter'"],
    [
      'a parameter out of range',
      { ...request, parameter: { music: { lang: 'en', score: 2 } } },
      '/parameter/music/score must be <= 1',
    ],
    [
      'an unknown value',
      { ...request, parameter: { music: { lang: 'en', mode: 'noise' } } },
      '/parameter/music/mode must be equal to one of the allowed values',
    ],
    [
      'an unknown data type',
      { ...request, parameter: { music: { lang: 'en', result: { data_type: 'smell' } } } },
      '/parameter/music/result/data_type must be equal to one of the allowed values',
    ],
    [
      'data of another type',
      { ...request, payload: { image: { text: base64 } } },
      "/payload/image must have required property 'image'",
    ],
  ])('refuses %s', (_name, value, fault) => {
    expect(faults(schema, value)).toEqual([fault]);
  });

  it('takes what the codec takes', () => {
    const structured = { ...request, payload: { ...request.payload, document: { text: { any: ['thing'] } } } };
    for (const value of [request, structured]) {
      expect(faults(schema, value)).toEqual([]);
      expect(() => decodeOnce(Buffer.from(JSON.stringify(value)))).not.toThrow();
    }
  });

  it('lets everything be left out where nothing is required', () => {
    const schema = requestSchema(descriptor({ params: [param('a')], inputs: [body('b', { required: false })] }), 's');
    expect(faults(schema, {})).toEqual([]);
  });

  it('takes a parameter that is called like an output', () => {
    const schema = requestSchema(descriptor({ params: [param('result')], outputs: [body('result')] }), 's');
    expect(faults(schema, { parameter: { s: { result: 'x' } } })).toEqual([]);
    expect(faults(schema, { parameter: { s: { result: { data_type: 'text' } } } })).toEqual([]);
    expect(faults(schema, { parameter: { s: { result: 5 } } })).not.toEqual([]);
  });

  it('takes names that mean something to JavaScript for names', () => {
    const { properties } = requestSchema(descriptor({ inputs: [body('constructor'), body('__proto__')] }), 's');
    expect(JSON.stringify(properties)).toContain('"required":["constructor","__proto__"]');
    expect(JSON.stringify(properties)).toContain('"__proto__":{');
  });
});

describe('answerSchema', () => {
  it('agrees with what the codec encodes', () => {
    const frame = (key: string, type: number): Parameters<typeof encodeOnce>[0]['payloads'][number] => ({
      frame: { key, type, data: Buffer.from('{}'), status: DataStatus.once, desc: emptyMap },
      attributes: new Map([
        ['encoding', 'utf8'],
        ['seq', '0'],
        ['status', '3'],
      ]),
    });
    const payloads = [frame('result', DataType.text), frame('sound', DataType.audio)];
    const answer: unknown = JSON.parse(encodeOnce({ sid: 's', status: 3, payloads }));
    expect(faults(answerSchema(service), answer)).toEqual([]);
    const without: unknown = JSON.parse(encodeOnce({ sid: 's', status: 3, payloads: payloads.slice(1) }));
    expect(faults(answerSchema(service), without)).toEqual(["/payload must have required property 'result'"]);
  });
});

describe('errorSchema', () => {
  it('agrees with what the codec encodes', () => {
    expect(faults(errorSchema, JSON.parse(encodeError(new AigesError('timeout'), 's')))).toEqual([]);
  });
});
