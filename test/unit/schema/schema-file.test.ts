import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import { DataType } from '../../../src/core/frame.js';
import { legacySchema } from '../../../src/schema/legacy.js';
import { RequestCheck } from '../../../src/schema/request-check.js';
import { readSchemaFile, SchemaFileError } from '../../../src/schema/schema-file.js';
import { body, descriptor, param } from '../../fixtures/descriptors.js';

function faultsOf(document: unknown): readonly string[] {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  try {
    readSchemaFile(text, 'svc');
  } catch (error) {
    if (error instanceof SchemaFileError) return error.faults;
    throw error;
  }
  throw new Error('expected a SchemaFileError but the file was accepted');
}

const read = (document: unknown): ReturnType<typeof readSchemaFile> => readSchemaFile(JSON.stringify(document), 'svc');

/** What a request is told; null when it is taken. */
function answerTo(document: unknown, request: unknown): string | null {
  const { schema } = read(document);
  const requests = new RequestCheck({ schema: () => schema, unknownFields: 'refuse', onUnknown: () => undefined });
  try {
    requests.check(request);
    return null;
  } catch (error) {
    return AigesError.from(error).detail;
  }
}

describe('a file that is no schema', () => {
  it.each<[unknown, string | RegExp]>([
    ['{', /^no JSON: /],
    [[], 'the document: expected an object but found an array'],
    [{}, 'the document: expected params, inputs, outputs, or meta, schemainput, schemaoutput, but found none of them'],
    [{ type: 'object' }, /found none of them$/],
    [{ meta: {} }, 'schemainput: is missing; a document of the original has meta, schemainput, schemaoutput'],
  ])('%j is refused', (document, fault) => {
    expect(faultsOf(document)[0]).toEqual(typeof fault === 'string' ? fault : expect.stringMatching(fault));
  });
});

describe('a plain document', () => {
  it.each<[string, object, string]>([
    [
      'an unknown member',
      { inputs: [], sizes: 1 },
      'sizes: is not known here; there are service, version, params, inputs, outputs, $schema',
    ],
    ['a list that is none', { inputs: {} }, 'inputs: expected a list of objects but found an object'],
    ['a member that is no object', { inputs: [1] }, 'inputs[0]: expected an object but found 1'],
    ['an input without a name', { inputs: [{ type: 'text' }] }, 'inputs[0].name: is missing; expected a name'],
    ['an empty name', { outputs: [{ name: '', type: 'text' }] }, 'outputs[0].name: expected a name but found ""'],
    [
      'an input without a type',
      { inputs: [{ name: 'a' }] },
      'inputs[0].type: is missing; expected one of text, audio, image, video, other',
    ],
    [
      'an unknown type',
      { inputs: [{ name: 'a', type: 'smell' }] },
      'inputs[0].type: expected one of "text", "audio", "image", "video", "other" but found "smell"',
    ],
    [
      'JSON in an image',
      { inputs: [{ name: 'a', type: 'image', content: 'json' }] },
      'inputs[0].content: image data is "bytes"',
    ],
    [
      'an attribute that is data',
      { inputs: [{ name: 'a', type: 'text', attributes: { text: 'x' } }] },
      'inputs[0].attributes.text: cannot be an attribute: the data itself goes by that name',
    ],
    [
      'an attribute that is no text',
      { inputs: [{ name: 'a', type: 'text', attributes: { rate: 5 } }] },
      'inputs[0].attributes.rate: expected text but found 5',
    ],
    ['a name that is there twice', { params: [{ name: 'a' }, { name: 'a' }] }, 'params[1].name: "a" stands here twice'],
    [
      'a default by its name in JSON Schema',
      { params: [{ name: 'a', default: 'x' }] },
      'params[0].default: is not known here; write "fallback"',
    ],
    [
      'a default that does not fit',
      { params: [{ name: 'a', type: 'integer', maximum: 5, fallback: 6 }] },
      'params[0].fallback: fallback must be 5 or less, but is 6',
    ],
    [
      'a default of another type',
      { params: [{ name: 'a', fallback: 6 }] },
      'params[0].fallback: fallback must be a string, but is 6',
    ],
    [
      'a default that is never needed',
      { params: [{ name: 'a', required: true, fallback: 'x' }] },
      'params[0].fallback: has no effect on a required parameter; leave out one of the two',
    ],
    [
      'choices of another type',
      { params: [{ name: 'a', type: 'number', enums: ['x'] }] },
      'params[0].enums: expected values of type number but found "x"',
    ],
    [
      'limits that nothing meets',
      { params: [{ name: 'a', type: 'number', minimum: 2, maximum: 1 }] },
      'params[0].minimum: 2 is more than maximum, 1',
    ],
    [
      'a limit that never bites',
      { params: [{ name: 'a', type: 'number', maxLength: 1 }] },
      'params[0].maxLength: is not for a parameter of type "number"',
    ],
    [
      'a length that is none',
      { params: [{ name: 'a', maxLength: -1 }] },
      'params[0].maxLength: expected an integer from 0 up but found -1',
    ],
    [
      'a flag that is none',
      { params: [{ name: 'a', required: 'yes' }] },
      'params[0].required: expected true or false but found "yes"',
    ],
  ])('is refused: %s', (_name, document, fault) => {
    expect(faultsOf(document)).toEqual([fault]);
  });

  it('is told all its faults', () => {
    expect(faultsOf({ version: 1, params: [{}], inputs: [{}] })).toHaveLength(4);
  });

  it('needs no more than names and types', () => {
    const { schema, routes, warnings } = read({
      params: [{ name: 'mode' }],
      inputs: [{ name: 'img', type: 'image' }],
      outputs: [{ name: 'result', type: 'text' }],
    });
    expect(schema.descriptor).toEqual(
      descriptor({
        version: '',
        params: [param('mode')],
        inputs: [body('img', { type: DataType.image, content: 'bytes' })],
        outputs: [body('result')],
      }),
    );
    expect(schema.parameterKey).toBe('svc');
    expect({ routes, warnings }).toEqual({ routes: [], warnings: [] });
  });

  it.each(['docs/schema.md', 'demo/digits/schema.json'])('is what %s shows', (path) => {
    const file = readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
    const text = /```json\n(.*?)```/s.exec(file)?.[1] ?? file;
    expect(readSchemaFile(text, 'svc').schema.descriptor?.outputs).toMatchObject([{ name: 'result', content: 'json' }]);
  });

  it('may say all that a wrapper can declare', () => {
    const number = param('score', {
      type: 'number',
      title: 'S',
      description: 's',
      fallback: 0.5,
      minimum: 0,
      maximum: 1,
    });
    const text = param('lang', { required: true, enums: ['en', 'de'], minLength: 1, maxLength: 5 });
    const input = body('doc', {
      content: 'json',
      required: false,
      title: 'D',
      description: 'd',
      attributes: { encoding: 'utf8' },
    });
    const { schema } = read({
      $schema: 'x',
      service: 's',
      version: 'v2',
      params: [number, text],
      inputs: [{ ...input, sample: undefined, type: 'text' }],
    });
    expect(schema.descriptor).toEqual(
      descriptor({ service: 's', version: 'v2', params: [number, text], inputs: [input] }),
    );
  });
});

/** A legacy document with these rules for parameters and payload. */
function legacy(parameter: object, payload: object = {}, meta: object = {}): object {
  return {
    meta: { serviceId: 'music', version: 'v3', service: ['music'], ...meta },
    schemainput: {
      type: 'object',
      properties: {
        parameter: { type: 'object', properties: { music: { type: 'object', properties: parameter } } },
        payload: { type: 'object', properties: payload },
      },
    },
    schemaoutput: {},
  };
}

describe('a legacy document', () => {
  it.each<[string, object, string]>([
    [
      'a rule that is none',
      legacy({ mode: 'text' }),
      'schemainput.properties.parameter.properties.music.properties.mode: expected an object but found "text"',
    ],
    [
      'an unknown type',
      legacy({ mode: { type: 'text' } }),
      'schemainput.properties.parameter.properties.music.properties.mode.type: expected one of object, array, string, number, integer, boolean, null, bool but found "text"',
    ],
    [
      'no list of choices',
      legacy({ mode: { enums: 'a' } }),
      'schemainput.properties.parameter.properties.music.properties.mode.enums: expected a list of values but found "a"',
    ],
    [
      'a default that breaks its own rule',
      legacy({ mode: { type: 'integer', defaultVal: 'x' } }),
      'schemainput.properties.parameter.properties.music.properties.mode.defaultVal: defaultVal must be an integer, but is "x"',
    ],
    [
      'an expression that is none',
      legacy({ mode: { pattern: '(' } }),
      'schemainput.properties.parameter.properties.music.properties.mode.pattern: Invalid regular expression: /(/u: Unterminated group',
    ],
    [
      'a length that is none',
      legacy({ mode: { maxLength: 'x' } }),
      'schemainput.properties.parameter.properties.music.properties.mode.maxLength: expected an integer from 0 up but found "x"',
    ],
    [
      'a limit that is none',
      legacy({ mode: { minimum: 'x' } }),
      'schemainput.properties.parameter.properties.music.properties.mode.minimum: must be number',
    ],
    [
      'properties that are none',
      { ...legacy({}), schemainput: { properties: [] } },
      'schemainput.properties: expected an object but found an array',
    ],
    [
      'data of two types',
      legacy({}, { x: { properties: { audio: {} } } }, { music: { input: { x: { dataType: 'image' } } } }),
      'meta.music: says that x is image, but its rules are about audio',
    ],
    [
      'an unknown type of data',
      legacy({}, {}, { music: { accept: { x: { dataType: 'smell' } } } }),
      'meta.music.accept.x.dataType: expected one of "text", "audio", "image", "video", "other" but found "smell"',
    ],
    ['a route that is none', legacy({}, {}, { route: [5] }), 'meta.route: expected text or a list of texts'],
  ])('is refused: %s', (_name, document, fault) => {
    expect(faultsOf(document)).toEqual([fault]);
  });

  it('describes what the Python SDK would have described', () => {
    const service = descriptor({
      service: 'music',
      params: [
        param('mode', { enums: ['music', 'humming'] }),
        param('lang', { required: true, maxLength: 44 }),
        param('score', { type: 'number', maximum: 10 }),
        param('verbose', { type: 'boolean', fallback: false }),
      ],
      inputs: [
        body('data', { type: DataType.audio, content: 'bytes' }),
        body('note'),
        body('film', { type: DataType.video, content: 'bytes' }),
      ],
      outputs: [body('output_text')],
    });
    const { schema, routes, warnings } = read(legacySchema(service, 'svc'));
    expect(routes).toEqual(['/v1/private/music']);
    expect(warnings).toEqual([]);
    expect(schema.parameterKey).toBe('music');
    const required = false;
    expect(schema.descriptor).toEqual({
      ...service,
      inputs: [
        // Its fixed fragments.
        { ...service.inputs[0], required },
        { ...service.inputs[1], required, attributes: { compress: 'gzip' } },
        { ...service.inputs[2], required },
      ],
      outputs: [body('output_text', { required, attributes: { compress: 'gzip' } })],
    });
  });

  it('takes routes in both forms, and the types of data from what the rules are about', () => {
    const { schema, routes } = read(
      legacy({}, { pcm: { properties: { audio: {} } }, note: {} }, { route: ['/a', '/b'] }),
    );
    expect(routes).toEqual(['/a', '/b']);
    expect(schema.descriptor?.inputs.map(({ name, type }) => [name, type])).toEqual([
      ['pcm', DataType.audio],
      ['note', DataType.text],
    ]);
    expect(read(legacy({}, {}, { route: '' })).routes).toEqual([]);
  });

  it('does without the name of a service', () => {
    expect(read({ meta: {}, schemainput: {}, schemaoutput: {} }).schema).toMatchObject({
      parameterKey: 'svc',
      descriptor: { service: 'svc', params: [], inputs: [], outputs: [] },
    });
  });

  it.each<[string, object, unknown, string | null]>([
    [
      'enums',
      { mode: { type: 'string', enums: ['a', 'b'] } },
      { mode: 'c' },
      'parameter.music.mode must be "a" or "b", but is "c"',
    ],
    [
      'two types',
      { mode: { type: 'string|number' } },
      { mode: true },
      'parameter.music.mode must be a string or a number, but is true',
    ],
    ['the other of two types', { mode: { type: 'string|number' } }, { mode: 5 }, null],
    [
      'a number of two types as text',
      { mode: { type: 'string|number', enums: [8000, 16000] } },
      { mode: '8000' },
      null,
    ],
    [
      'a number of two types that is another one',
      { mode: { type: 'string|number', enums: [8000, 16000] } },
      { mode: '8001' },
      'parameter.music.mode must be 8000 or 16000, but is "8001"',
    ],
    [
      'a text that looks like a number',
      { mode: { type: 'string|number', enums: ['8000', 1] } },
      { mode: '8000' },
      null,
    ],
    ['a default of two types as text', { mode: { type: 'string|number', enums: [8000], default: '8000' } }, {}, null],
    [
      'a boolean of two types as text',
      { mode: { type: 'string|bool', enums: ['auto', true] } },
      { mode: 'true' },
      null,
    ],
    ['bool', { mode: { type: 'bool' } }, { mode: 5 }, 'parameter.music.mode must be a boolean, but is 5'],
    [
      'lengths in bytes',
      { mode: { type: 'string', maxLength: 5 } },
      { mode: '你好' },
      'parameter.music.mode must have at most 5 bytes',
    ],
    ['just as many bytes', { mode: { type: 'string', maxLength: 6, minLength: 6 } }, { mode: '你好' }, null],
    [
      'too few bytes',
      { mode: { type: 'string', minLength: 7 } },
      { mode: '你好' },
      'parameter.music.mode must have at least 7 bytes',
    ],
    [
      'constVal',
      { mode: { type: 'string', constVal: 'a' } },
      { mode: 'b' },
      'parameter.music.mode must be "a", but is "b"',
    ],
    [
      'pattern',
      { mode: { type: 'string', pattern: '^a+$' } },
      { mode: 'b' },
      'parameter.music.mode must match ^a+$, but is "b"',
    ],
    [
      'multipleOf',
      { mode: { type: 'number', multipleOf: 5 } },
      { mode: 7 },
      'parameter.music.mode must be a multiple of 5, but is 7',
    ],
    [
      'exclusive limits',
      { mode: { type: 'number', exclusiveMaximum: 5 } },
      { mode: 5 },
      'parameter.music.mode must be less than 5, but is 5',
    ],
    [
      'not',
      { mode: { not: { enum: ['a'] } } },
      { mode: 'a' },
      'parameter.music.mode must not be what the schema excludes, but is "a"',
    ],
    [
      'anyOf',
      {
        mode: {
          anyOf: [
            { type: 'string', maxLength: 1 },
            { type: 'number', maximum: 1 },
          ],
        },
      },
      { mode: 2 },
      'parameter.music.mode must be 1 or less, but is 2',
    ],
    [
      'oneOf',
      { mode: { oneOf: [{ type: 'string' }, { type: 'number' }] } },
      { mode: true },
      'parameter.music.mode must fit one of the alternatives in the schema, but is true',
    ],
    [
      'if and then',
      { mode: { if: { type: 'number' }, then: { maximum: 1 } } },
      { mode: 2 },
      'parameter.music.mode must be 1 or less, but is 2',
    ],
    [
      'a list',
      { mode: { type: 'array', items: [{ type: 'string' }], maxItems: 1 } },
      { mode: [5] },
      'parameter.music.mode[0] must be a string, but is 5',
    ],
    ['what is not listed', {}, { mode: 1 }, 'parameter.music.mode is no field of this service'],
  ])('keeps its rules: %s', (_name, rules, params, answer) => {
    expect(answerTo(legacy(rules), { parameter: { music: params } })).toBe(answer);
  });

  it('keeps rules about an object of parameters: required, dependencies, additionalProperties', () => {
    const document = (rules: object): object => ({
      ...legacy({}),
      schemainput: { properties: { parameter: { properties: { music: { type: 'object', ...rules } } } } },
    });
    const params = { parameter: { music: { a: 1 } } };
    expect(answerTo(document({ properties: { a: {}, b: {} }, required: ['b'] }), structuredClone(params))).toBe(
      'parameter.music.b is missing',
    );
    expect(
      answerTo(document({ properties: { a: {}, b: {} }, dependencies: { a: ['b'] } }), structuredClone(params)),
    ).toBe('parameter.music.b is missing');
    expect(answerTo(document({ additionalProperties: true }), structuredClone(params))).toBeNull();
    expect(
      answerTo(document({ properties: {}, additionalProperties: { type: 'string' } }), structuredClone(params)),
    ).toBe('parameter.music.a must be a string, but is 1');
  });

  it('counts the bytes that base64 stands for', () => {
    const rules = legacy(
      {},
      { img: { type: 'object', properties: { image: { type: 'string', minB64DLen: 2, maxB64DLen: 3 } } } },
    );
    const sized = (bytes: number): string | null =>
      answerTo(rules, { payload: { img: { image: Buffer.alloc(bytes).toString('base64') } } });
    expect([1, 2, 3, 4].map(sized)).toEqual([
      'payload.img.image must stand for at least 2 bytes',
      null,
      null,
      'payload.img.image must stand for at most 3 bytes',
    ]);
  });

  it('fills in what it has defaults for', () => {
    const { schema } = read(
      legacy(
        {
          mode: { type: 'string', defaultVal: 'a' },
          fixed: { constVal: 1 },
          top: { type: 'integer', defaultVal: '5' },
        },
        { img: { properties: { image: { type: 'string' }, encoding: { type: 'string', defaultVal: 'png' } } } },
      ),
    );
    const request = { payload: { img: { image: '' } } };
    new RequestCheck({ schema: () => schema, unknownFields: 'refuse', onUnknown: () => undefined }).check(request);
    expect(request).toEqual({
      header: {},
      parameter: { music: { mode: 'a', fixed: 1, top: 5 } },
      payload: { img: { image: '', encoding: 'png' } },
    });
    expect(schema.descriptor?.inputs[0]?.attributes).toEqual({ encoding: 'png' });
  });

  it('does not ask for headers that the gateway of the platform filled in', () => {
    const document = legacy({});
    const schemainput = {
      properties: { header: { type: 'object', properties: { appid: { type: 'string' } }, required: ['appid'] } },
    };
    expect(answerTo({ ...document, schemainput }, { header: { other: 1 } })).toBeNull();
    expect(answerTo({ ...document, schemainput }, { header: { appid: [] } })).toBe(
      'header.appid must be a string, but is an array',
    );
  });

  it('lets requests ask for outputs, by rules of its own too', () => {
    const meta = { music: { accept: { result: { dataType: 'text' }, other: {} } } };
    const document = legacy({ result: { type: 'object', properties: { encoding: { enums: ['utf8'] } } } }, {}, meta);
    expect(read(document).schema.descriptor).toMatchObject({
      params: [],
      outputs: [{ name: 'result' }, { name: 'other' }],
    });
    expect(
      answerTo(document, { parameter: { music: { result: { data_type: 'text' }, other: { encoding: 'gbk' } } } }),
    ).toBe(null);
    expect(answerTo(document, { parameter: { music: { result: { encoding: 'gbk' } } } })).toBe(
      'parameter.music.result.encoding must be "utf8", but is "gbk"',
    );
  });

  it('names in one line what has no effect here', () => {
    const { warnings } = read(
      legacy(
        { a: { type: 'string', replaceKey: 'b', format: 'ipv4' }, b: { replaceKey: 'c', switch: {}, title: 'B' } },
        { img: { delete: true, properties: { image: { uniqueItems: true, $comment: 'x' } } } },
      ),
    );
    const at = 'schemainput.properties.parameter.properties.music.properties';
    expect(warnings).toEqual([
      `has rules that have no effect here: replaceKey (${at}.a), format (${at}.a), switch (${at}.b), ` +
        'delete (schemainput.properties.payload.properties.img), ' +
        'uniqueItems (schemainput.properties.payload.properties.img.properties.image)',
    ]);
  });
});
