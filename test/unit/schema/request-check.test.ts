import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Descriptor, ParamDescriptor } from '../../../src/core/descriptor.js';
import { AigesError } from '../../../src/core/errors.js';
import { DataType } from '../../../src/core/frame.js';
import { type CheckOptions, RequestCheck, type RequestCheckOptions } from '../../../src/schema/request-check.js';
import { describeService, followDescriptor, type ServiceSchema } from '../../../src/schema/service-schema.js';
import { readSchemaFile } from '../../../src/schema/schema-file.js';
import type { Declaration } from '../../../src/sdk/declaration.js';
import { readParams } from '../../../src/sdk/request.js';
import { decodeOnce } from '../../fixtures/json-document.js';
import { body, descriptor, param } from '../../fixtures/descriptors.js';

const base64 = Buffer.from('abc').toString('base64');

const music: Descriptor = descriptor({
  params: [
    param('mode', { enums: ['music', 'humming'], fallback: 'humming' }),
    param('lang', { required: true, minLength: 2, maxLength: 5 }),
    param('score', { type: 'number', minimum: 0, maximum: 1 }),
    param('top', { type: 'integer', enums: [1, 5] }),
    param('verbose', { type: 'boolean', fallback: false }),
  ],
  inputs: [
    body('image', { type: DataType.image, content: 'bytes', attributes: { encoding: 'png' } }),
    body('note', { content: 'json', required: false }),
  ],
  outputs: [body('result'), body('lang', { required: false })],
});

interface Setup {
  /** What the check says against a document; null for nothing. */
  readonly faultOf: (document: unknown, options?: CheckOptions) => string | null;
  readonly reported: string[];
}

function setup(schema: ServiceSchema | (() => ServiceSchema), changes: Partial<RequestCheckOptions> = {}): Setup {
  const reported: string[] = [];
  const requests = new RequestCheck({
    schema: typeof schema === 'function' ? schema : () => schema,
    unknownFields: 'warn',
    onUnknown: (path) => reported.push(path),
    ...changes,
  });
  const faultOf = (document: unknown, options?: CheckOptions): string | null => {
    try {
      requests.check(document, options);
      return null;
    } catch (error) {
      if (!(error instanceof AigesError)) throw error;
      expect(error.kind).toBe('invalidInput');
      return error.detail;
    }
  };
  return { faultOf, reported };
}

const ofMusic = describeService(music, 'music');

/** A request that is fine, but for some parameters and inputs. */
function request(params: object = {}, payload: object = { image: { image: base64 } }): Record<string, unknown> {
  return { parameter: { music: { lang: 'en', ...params } }, payload };
}

describe('a request that breaks a rule', () => {
  it.each<[string, unknown, string]>([
    ['no parameters', { payload: { image: { image: base64 } } }, 'parameter.music.lang is missing'],
    ['null for them', { parameter: null, payload: { image: { image: base64 } } }, 'parameter.music.lang is missing'],
    ['parameters that are no object', { ...request(), parameter: [1] }, 'parameter must be an object, but is an array'],
    [
      'parameters without a service',
      { ...request(), parameter: { lang: 'en' } },
      'parameter.lang must be an object, but is "en"',
    ],
    ['too long a text', request({ lang: 'english' }), 'parameter.music.lang must have at most 5 characters, but has 7'],
    [
      'too short a text',
      request({ lang: '\u{1f600}' }),
      'parameter.music.lang must have at least 2 characters, but has 1',
    ],
    [
      'an unknown value',
      request({ mode: 'noise' }),
      'parameter.music.mode must be "music" or "humming", but is "noise"',
    ],
    ['a number for text', request({ mode: 5 }), 'parameter.music.mode must be a string, but is 5'],
    ['too large a number', request({ score: 1.5 }), 'parameter.music.score must be 1 or less, but is 1.5'],
    ['too small a number in text', request({ score: '-1' }), 'parameter.music.score must be 0 or more, but is -1'],
    ['text that is no number', request({ score: 'much' }), 'parameter.music.score must be a number, but is "much"'],
    ['a number of another base', request({ score: '0x0' }), 'parameter.music.score must be a number, but is "0x0"'],
    [
      'a number that is too large for one',
      JSON.parse(JSON.stringify(request({ score: 7777 })).replace('7777', '1e999')),
      'parameter.music.score must be a number, but is Infinity',
    ],
    ['no text for a number', request({ score: ' ' }), 'parameter.music.score must be a number, but is " "'],
    ['a fraction for an integer', request({ top: 1.5 }), 'parameter.music.top must be an integer, but is 1.5'],
    ['a number for a boolean', request({ verbose: 1 }), 'parameter.music.verbose must be a boolean, but is 1'],
    ['null for a value', request({ score: null }), 'parameter.music.score must be a number, but is null'],
    [
      'a wish for an unknown type',
      request({ result: { data_type: 'smell' } }),
      'parameter.music.result.data_type must be "text", "audio", "image", "video" or "other", but is "smell"',
    ],
    ['a list for a wish', request({ result: [] }), 'parameter.music.result must be an object, but is an array'],
    ['no payload', { parameter: { music: { lang: 'en' } } }, 'payload.image is missing'],
    ['no data', request({}, { image: {} }), 'payload.image.image is missing'],
    [
      'data of another type',
      request({}, { image: { other: base64 } }),
      'payload.image must hold image data, but holds other',
    ],
    ['data that is no text', request({}, { image: { image: 5 } }), 'payload.image.image must be a string, but is 5'],
    [
      'structured data for bytes',
      request({}, { image: { image: {} } }),
      'payload.image.image must be a string, but is an object',
    ],
    ['an input that is no object', request({}, { image: base64 }), 'payload.image must be an object, but is "YWJj"'],
    [
      'a status that is none',
      request({}, { image: { image: base64, status: {} } }),
      'payload.image.status must be an integer or a string, but is an object',
    ],
  ])('is refused: %s', (_name, document, fault) => {
    const { faultOf, reported } = setup(ofMusic);
    expect(faultOf(document)).toBe(fault);
    expect(reported).toEqual([]);
  });

  it('is told its first faults, and how many there are', () => {
    const { faultOf } = setup(ofMusic);
    expect(faultOf({ parameter: { music: { mode: 'x', score: 2, verbose: 1 } } })).toMatch(
      /^parameter\.music\.lang is missing; .*; .*; and 2 more$/,
    );
  });

  it('shows no more than a piece of a long value', () => {
    const fault = setup(ofMusic).faultOf(request({ mode: 'x'.repeat(100_000) })) ?? '';
    expect(fault.length).toBeLessThan(200);
  });

  it('hears of the name that it has used for the service', () => {
    const { faultOf } = setup(ofMusic);
    expect(faultOf({ parameter: { svc: { score: 2 } }, payload: { image: { image: base64 } } })).toBe(
      'parameter.svc.lang is missing; parameter.svc.score must be 1 or less, but is 2',
    );
  });

  it('says for a parameter and an output of one name what is wrong with the one that was meant', () => {
    const { faultOf } = setup(ofMusic);
    expect(faultOf(request({ lang: { encoding: 5 } }))).toBe(
      'parameter.music.lang.encoding must be a string, but is 5',
    );
    expect(faultOf(request({ lang: 'e' }))).toBe('parameter.music.lang must have at least 2 characters, but has 1');
    expect(faultOf(request({ lang: 5 }))).toBe(
      'parameter.music.lang must fit one of the alternatives in the schema, but is 5',
    );
  });
});

describe('a request that keeps the rules', () => {
  it('gets what it leaves out', () => {
    const document = { ...request(), header: null };
    expect(setup(ofMusic).faultOf(document)).toBeNull();
    expect(document).toEqual({
      header: {},
      parameter: { music: { lang: 'en', mode: 'humming', verbose: false } },
      payload: { image: { image: base64 } },
    });
  });

  it('keeps what it says', () => {
    const said = { lang: 'de', mode: 'music', verbose: true, result: { data_type: 'text' } };
    const document = request(said, { image: { image: base64, rotated: 90 }, note: { text: { any: ['thing'] } } });
    const { faultOf, reported } = setup(ofMusic);
    expect(faultOf(document)).toBeNull();
    expect(document).toMatchObject({ parameter: { music: said }, payload: { note: { text: { any: ['thing'] } } } });
    expect(reported).toEqual([]);
  });

  it('may have numbers and booleans as text, which the plugin gets as it was written', () => {
    const said = { score: '5e-1', top: ' 5', verbose: '1' };
    const document = request(said);
    expect(setup(ofMusic).faultOf(document)).toBeNull();
    expect(document).toMatchObject({ parameter: { music: said } });
  });

  it('may spread parameters over other names, and keeps them where something else would be filled in', () => {
    const document = {
      parameter: { a: { lang: 'en', mode: 'music' }, b: { verbose: true } },
      payload: { image: { image: base64 } },
    };
    const { faultOf } = setup(
      describeService({ ...music, params: music.params.filter((each) => !each.required) }, 'music'),
    );
    expect(faultOf(document)).toBeNull();
    expect(Object.fromEntries(paramsOf(document))).toMatchObject({ mode: 'music', verbose: 'true' });
  });

  it('may name the service in its own way, as long as it names one', () => {
    const document = { parameter: { svcName: { lang: 'en' } }, payload: { image: { image: base64 } } };
    const { faultOf, reported } = setup(ofMusic);
    expect(faultOf(document)).toBeNull();
    expect(document.parameter).toEqual({ music: { lang: 'en', mode: 'humming', verbose: false } });
    expect(reported).toEqual([]);
    const two = { ...document, parameter: { a: { lang: 'en' }, b: {} } };
    expect(faultOf(two)).toBe('parameter.music.lang is missing');
  });

  it('may begin a stream without inputs, or without their data', () => {
    const { faultOf } = setup(ofMusic);
    expect(faultOf({ parameter: { music: { lang: 'en' } } }, { begins: true })).toBeNull();
    expect(faultOf(request({}, { image: { status: 0 } }), { begins: true })).toBeNull();
    expect(faultOf({}, { begins: true })).toBe('parameter.music.lang is missing');
    expect(faultOf(request({}, { image: { image: 5 } }), { begins: true })).toBe(
      'payload.image.image must be a string, but is 5',
    );
  });

  it('takes names that mean something to JavaScript for names', () => {
    const names = ['constructor', '__proto__', 'toString'];
    const { faultOf, reported } = setup(
      describeService(
        descriptor({ params: names.map((name) => param(name, { fallback: 'x' })), inputs: [body('constructor')] }),
        's',
      ),
    );
    expect(faultOf({})).toBe('payload.constructor is missing');
    const document = JSON.parse('{"payload": {"constructor": {"text": ""}}}') as { parameter?: object };
    expect(faultOf(document)).toBeNull();
    expect(JSON.stringify(document.parameter)).toBe('{"s":{"constructor":"x","__proto__":"x","toString":"x"}}');
    expect(reported).toEqual([]);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('a packet of a stream', () => {
  const other = { payload: { image: { other: base64 } } };

  it.each<[string, CheckOptions]>([
    ['the first', { begins: true }],
    ['a further one', { continues: true }],
  ])('must hold the kind of data that the input takes: %s', (_name, options) => {
    const { faultOf } = setup(ofMusic);
    expect(faultOf({ ...request(), ...other }, options)).toBe('payload.image must hold image data, but holds other');
  });

  it.each<[string, unknown]>([
    ['data', { payload: { image: { image: base64 } } }],
    ['no data', { payload: { image: { status: 2 } } }],
    ['no input', {}],
    ['null for inputs', { payload: null }],
    ['an input that nobody knows', { payload: { sound: { audio: base64 } } }],
    ['what the codec refuses', { payload: { image: 5 } }],
    ['no object', 5],
  ])('that goes on is left as it is: %s', (_name, document) => {
    const { faultOf, reported } = setup(ofMusic);
    const before = structuredClone(document);
    expect(faultOf(document, { continues: true })).toBeNull();
    expect(document).toEqual(before);
    expect(reported).toEqual([]);
  });

  it('may hold anything where nobody has said what the service takes', () => {
    expect(setup(describeService(null, 's')).faultOf(other, { continues: true })).toBeNull();
  });
});

describe('data that is not in the document', () => {
  const { schema } = readSchemaFile(
    JSON.stringify({
      meta: { service: ['s'] },
      schemainput: {
        properties: {
          payload: {
            properties: {
              image: {
                properties: {
                  image: { type: 'string', minLength: 1, minB64DLen: 3, maxB64DLen: 6 },
                  encoding: { type: 'string', maxLength: 4 },
                },
              },
            },
          },
        },
      },
      schemaoutput: {},
    }),
    's',
  );

  it('counts as if it were', () => {
    const { faultOf } = setup(schema);
    const sized = (size: number): string | null =>
      faultOf(
        { payload: { image: { image: '', encoding: 'webp' } } },
        { apart: new Map([['image', new Uint8Array(size)]]) },
      );
    expect(sized(3)).toBeNull();
    expect(sized(6)).toBeNull();
    expect(sized(7)).toBe('payload.image.image must stand for at most 6 bytes');
    expect(sized(0)).toBe(
      'payload.image.image must have at least 1 bytes; payload.image.image must stand for at least 3 bytes',
    );
  });
});

describe('fields that the service does not know', () => {
  const unknown = {
    ...request({ moed: 'music', result: { encodign: 'utf8' } }, { image: { image: base64 }, 'im age': {} }),
    extra: 1,
  };
  const paths = ['parameter.music.moed', 'parameter.music.result.encodign', 'payload["im age"]', 'extra'];

  it('are told once', () => {
    const { faultOf, reported } = setup(ofMusic);
    expect(faultOf(structuredClone(unknown))).toBeNull();
    expect(faultOf(structuredClone(unknown))).toBeNull();
    expect(reported).toEqual(paths);
  });

  it('are refused where that is asked for', () => {
    expect(setup(ofMusic, { unknownFields: 'refuse' }).faultOf(structuredClone(unknown))).toBe(
      'parameter.music.moed is no field of this service; parameter.music.result.encodign is no field of this service; payload["im age"] is no field of this service',
    );
  });

  it('are of no interest where that is asked for', () => {
    const { faultOf, reported } = setup(ofMusic, { unknownFields: 'ignore' });
    expect(faultOf(structuredClone(unknown))).toBeNull();
    expect(reported).toEqual([]);
  });

  it('are told so often that memory does not grow with the inventions of clients', () => {
    const { faultOf, reported } = setup(ofMusic);
    for (let request = 0; request < 100; request++) {
      const fields = Array.from({ length: 50 }, (_, index) => [`${request}-${index}-${'x'.repeat(1000)}`, 1]);
      faultOf({ ...structuredClone(unknown), ...Object.fromEntries(fields) });
    }
    expect(reported.length).toBeLessThanOrEqual(100);
    expect(Math.max(...reported.map((path) => path.length))).toBeLessThan(100);
  });

  it('do not include attributes and headers, which are free', () => {
    const { faultOf, reported } = setup(ofMusic, { unknownFields: 'refuse' });
    expect(
      faultOf({ ...request({}, { image: { image: base64, sample_rate: 16000 } }), header: { appid: 'x' } }),
    ).toBeNull();
    expect(reported).toEqual([]);
  });
});

describe('a service of which nobody has said what it takes', () => {
  it.each<[string, unknown]>([
    ['what is no document', 5],
    ['what the codec refuses', { parameter: 5, payload: [] }],
    ['nothing', {}],
    ['anything', { header: { a: {} }, parameter: { a: { b: [], c: null } }, payload: { x: { image: 5, y: 1 } } }],
  ])('refuses nothing, and changes nothing: %s', (_name, document) => {
    const { faultOf, reported } = setup(describeService(null, 's'));
    const before = structuredClone(document);
    expect(faultOf(document)).toBeNull();
    expect(document).toEqual(before);
    expect(reported).toEqual([]);
  });

  it('still has no fields but the three sections', () => {
    const { faultOf, reported } = setup(describeService(null, 's'));
    expect(faultOf({ payloads: {} })).toBeNull();
    expect(reported).toEqual(['payloads']);
  });
});

describe('a plugin that changes', () => {
  it('has its new rules at once, compiled once', () => {
    let current = descriptor({ params: [param('a', { required: true })] });
    let reads = 0;
    const follow = followDescriptor('s', () => current);
    const schemas = new Set<ServiceSchema>();
    const { faultOf } = setup(() => {
      reads++;
      schemas.add(follow());
      return follow();
    });
    expect(faultOf({})).toBe('parameter.s.a is missing');
    expect(faultOf({})).toBe('parameter.s.a is missing');
    expect(schemas.size).toBe(1);
    current = descriptor({ params: [param('b', { required: true })] });
    expect(faultOf({})).toBe('parameter.s.b is missing');
    expect(schemas.size).toBe(2);
    expect(reads).toBeGreaterThan(3);
  });
});

const value = fc.oneof(
  fc.string({ maxLength: 4, unit: 'grapheme' }),
  fc.integer({ min: -5, max: 5 }),
  // Both zeros are the same number.
  fc.double({ min: -10, max: 10, noNaN: true }).map((number) => number + 0),
  fc.boolean(),
  fc.integer({ min: -5, max: 5 }).map(String),
  fc.constantFrom('true', 'FALSE', '1', '0', '0.5', '1e3', '0x1', '1e999', 'x', ''),
);

const params = fc.uniqueArray(
  fc
    .record({
      name: fc.constantFrom('a', 'b', 'c', 'constructor'),
      type: fc.constantFrom<ParamDescriptor['type']>('string', 'number', 'integer', 'boolean'),
      required: fc.boolean(),
      limits: fc.option(fc.record({ low: fc.integer({ min: 0, max: 2 }), high: fc.integer({ min: 2, max: 4 }) })),
      choose: fc.boolean(),
    })
    .map(({ name, type, required, limits, choose }) =>
      param(name, {
        type,
        required,
        ...(type === 'string' ? { minLength: limits?.low ?? null, maxLength: limits?.high ?? null } : {}),
        ...(type === 'number' || type === 'integer'
          ? { minimum: limits?.low ?? null, maximum: limits?.high ?? null }
          : {}),
        // Where values are listed, the schema has no word about lengths.
        ...(choose && type === 'string' ? { enums: ['x', 'yy', ''], minLength: null, maxLength: null } : {}),
        ...(choose && (type === 'number' || type === 'integer') ? { enums: [0, 1, 3] } : {}),
      }),
    ),
  { selector: ({ name }) => name, maxLength: 4 },
);

/** How JSON says values of a type, besides as text. */
const typeInJson = { string: 'string', number: 'number', integer: 'number', boolean: 'boolean' };

/** What the plugin gets. */
function paramsOf(document: unknown): ReadonlyMap<string, string> {
  return decodeOnce(Buffer.from(JSON.stringify(document))).params;
}

function wrapperTakes(service: Descriptor, document: unknown): boolean {
  const declaration: Declaration = {
    descriptor: service,
    params: service.params.map((each) => ({ property: each.name, descriptor: each })),
    inputs: [],
    outputs: [],
    once: true,
    stream: false,
    threeCalls: false,
    resources: false,
  };
  try {
    readParams(declaration, paramsOf(document));
    return true;
  } catch {
    return false;
  }
}

describe('any JSON', () => {
  it('is taken, or refused with a reason, by the check and by the codec', () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const section = fc.oneof(json, fc.dictionary(fc.constantFrom('music', 'image', 'note', '__proto__', 'x'), json));
    const documents = fc.oneof(
      json,
      fc.record({ header: section, parameter: section, payload: section, x: json }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(documents, fc.boolean(), fc.boolean(), (document, described, begins) => {
        const { faultOf } = setup(described ? ofMusic : describeService(null, 'music'));
        // As it comes: names such as "__proto__" are members then.
        const parsed: unknown = JSON.parse(JSON.stringify(document));
        const fault = faultOf(parsed, { begins });
        if (!described) expect(fault).toBeNull();
        expect(fault).not.toBe('');
        try {
          paramsOf(parsed);
        } catch (error) {
          expect(error).toBeInstanceOf(AigesError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('for parameters drawn at random', () => {
  it('a request is taken when a wrapper takes it, and refused when that refuses it', () => {
    const given = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'constructor'), value);
    fc.assert(
      fc.property(params, given, (declared, values) => {
        const service = descriptor({ params: declared });
        const typeOf = (name: string): ParamDescriptor['type'] | undefined =>
          declared.find((each) => each.name === name)?.type;
        // Text for a number is text to both; a number for text is one only to JSON.
        const fitting = Object.entries(values).filter(([name, each]) => {
          const type = typeOf(name);
          return type !== undefined && (typeof each === 'string' || typeof each === typeInJson[type]);
        });
        const document = { parameter: { s: Object.fromEntries(fitting) } };
        const before = paramsOf(document);
        const fault = setup(describeService(service, 's')).faultOf(document);
        expect(fault === null, fault ?? 'taken').toBe(
          wrapperTakes(service, { parameter: { s: Object.fromEntries(fitting) } }),
        );
        if (fault !== null) return;
        const after = paramsOf(document);
        for (const [name, text] of before) {
          const type = typeOf(name);
          if (type === 'string') expect(after.get(name)).toBe(text);
          else if (type !== 'boolean') expect(Number(after.get(name))).toBe(Number(text));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('a request is taken when the published schema takes it, by a validator of its own', () => {
    const given = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), value);
    const taken = { yes: 0, no: 0 };
    fc.assert(
      fc.property(params, given, (declared, values) => {
        const schema = describeService(descriptor({ params: declared }), 's');
        const document = { parameter: { s: values } };
        const published = new Ajv2020({ strict: false }).compile(structuredClone(schema.request));
        if (!published(structuredClone(document))) {
          taken.no++;
          return;
        }
        taken.yes++;
        expect(setup(schema).faultOf(document)).toBeNull();
        expect(() => paramsOf(document)).not.toThrow();
      }),
      { numRuns: 100 },
    );
    expect(taken.yes).toBeGreaterThan(10);
    expect(taken.no).toBeGreaterThan(10);
  });
});
