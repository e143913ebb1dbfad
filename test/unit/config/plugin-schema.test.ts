import { describe, expect, test } from 'vitest';
import type { ServiceConfig } from '../../../src/config/config.js';
import type { Surroundings } from '../../../src/config/plan.js';
import { fail, parse } from './parsing.js';

const digits = JSON.stringify({
  inputs: [{ name: 'img', type: 'image' }],
  outputs: [{ name: 'result', type: 'text' }],
});
const optional = JSON.stringify({ inputs: [{ name: 'img', type: 'image', required: false }] });
const legacy = (route: unknown): string =>
  JSON.stringify({ meta: { serviceId: 'music', route }, schemainput: {}, schemaoutput: {} });

/** A world with these files. */
const withFiles = (files: Readonly<Record<string, string>>): Partial<Surroundings> => ({
  readFile: (path) => files[path] ?? null,
  hasFile: (path) => Object.hasOwn(files, path),
});

function serviceOf(text: string, files: Readonly<Record<string, string>>): ServiceConfig {
  const [service] = parse(text, withFiles(files)).config.services;
  if (service === undefined) throw new Error('no service');
  return service;
}

const engine = '[plugin]\npath = "engines/libwrapper.so"\n';
const engineWithFile = `${engine}schema = "engines/schema.json"\n`;
const library = { 'engines/libwrapper.so': '' };

describe('[plugin].schema', () => {
  test.each<[string, string, Readonly<Record<string, string>>, readonly string[]]>([
    [
      'a file that is not there',
      `${engine}schema = "x.json"`,
      library,
      ['aiges.toml: plugin.schema: no file "x.json"'],
    ],
    [
      'a file that is none',
      `${engine}schema = "x.json"`,
      { ...library, 'x.json': '{"inputs":[{"name":"a"}],"outputs":1}' },
      [
        'x.json: inputs[0].type: is missing; expected one of text, audio, image, video, other',
        'x.json: outputs: expected a list of objects but found 1',
      ],
    ],
    [
      'a file for a wrapper',
      '[plugin]\npath = "wrapper.ts"\nschema = "x.json"',
      { 'x.json': digits },
      ['aiges.toml: plugin.schema: a wrapper declares what it takes itself; remove the key'],
    ],
    [
      'an empty path',
      `${engine}schema = ""`,
      library,
      ['aiges.toml: plugin.schema: expected the path of a schema file, or "off" but found ""'],
    ],
    [
      'a route that the loader has itself',
      engineWithFile,
      { ...library, 'engines/schema.json': legacy('/healthz') },
      ['engines/schema.json: meta.route: /healthz belongs to the loader itself; choose another'],
    ],
    [
      'a route that cannot be served',
      engineWithFile,
      { ...library, 'engines/schema.json': legacy(['/a', 'b?']) },
      [
        'engines/schema.json: meta.route: expected a path such as "/v1/private/{service}" without blanks, ":", "*", "?" or a "/" at its end but found "b?"; set route next to path',
      ],
    ],
  ])('%s is refused', (_name, text, files, faults) => {
    expect(fail(text, withFiles(files))).toEqual(faults);
  });

  test('is the file beside the library where nothing else is said', () => {
    const files = { ...library, 'engines/schema.json': digits };
    const { schema, inputs, route, aliases } = serviceOf(engine, files);
    expect(schema).toMatchObject({ parameterKey: 'svcName', descriptor: { inputs: [{ name: 'img' }] } });
    expect(inputs).toBeNull();
    expect([route, ...aliases]).toEqual(['/v1/private/svcName']);
    expect(serviceOf(`${engine}schema = "off"`, files)).toMatchObject({ schema: null, inputs: null });
  });

  test('is not used, with a warning, where it is at fault and merely lies there', () => {
    const { config, warnings } = parse(engine, withFiles({ ...library, 'engines/schema.json': '{}' }));
    expect(config.services[0]?.schema).toBeNull();
    expect(warnings).toEqual([
      'engines/schema.json: the document: expected params, inputs, outputs, or meta, schemainput, schemaoutput, but found none of them; the file is not used; mend it, or set schema = "off" next to path',
    ]);
  });

  test('says how streams end where the configuration names the file, unless inputs does', () => {
    const files = { ...library, 'engines/schema.json': digits };
    expect(serviceOf(engineWithFile, files).inputs).toEqual(['img']);
    expect(serviceOf(`${engineWithFile}service = "digits"\ninputs = ["a"]`, files)).toMatchObject({
      schema: { parameterKey: 'digits' },
      inputs: ['a'],
    });
  });

  test('says nothing of how a stream ends where an input need not come', () => {
    expect(serviceOf(engineWithFile, { ...library, 'engines/schema.json': optional }).inputs).toBeNull();
  });

  test('is another file where the key says so', () => {
    const files = { ...library, 'engines/schema.json': '{', 'x.json': digits };
    expect(serviceOf(`${engine}schema = "x.json"`, files).schema).not.toBeNull();
  });

  test('is nothing without a file, without a library, and for a wrapper', () => {
    expect(serviceOf(engine, library).schema).toBeNull();
    expect(serviceOf('', { 'schema.json': '{' }).schema).toBeNull();
    expect(serviceOf('[plugin]\npath = "./wrapper.ts"', { 'wrapper.ts': '', 'schema.json': '{' }).schema).toBeNull();
  });

  test('of the original names routes where the configuration names the file, and no route', () => {
    const files = { ...library, 'engines/schema.json': legacy(['/v1/music', '/music', '/v1/music']) };
    expect(serviceOf(engineWithFile, files)).toMatchObject({ route: '/v1/music', aliases: ['/music'] });
    expect(serviceOf(`${engineWithFile}route = "/x"`, files)).toMatchObject({ route: '/x', aliases: [] });
    expect(serviceOf(engine, files)).toMatchObject({ route: '/v1/private/svcName', aliases: [] });
    const elsewhere = { ...library, 'engines/schema.json': legacy(['/healthz']) };
    expect(serviceOf(engine, elsewhere)).toMatchObject({ route: '/v1/private/svcName', aliases: [] });
  });

  test('of the original is warned of for what has no effect', () => {
    const document = { meta: {}, schemainput: { switch: [] }, schemaoutput: {} };
    const { warnings } = parse(engine, withFiles({ ...library, 'engines/schema.json': JSON.stringify(document) }));
    expect(warnings).toEqual(['engines/schema.json: has rules that have no effect here: switch (schemainput)']);
  });
});

test('[http].unknownFields has three values', () => {
  expect(parse('').config.http?.unknownFields).toBe('warn');
  expect(parse('[http]\nunknownFields = "refuse"').config.http?.unknownFields).toBe('refuse');
  expect(fail('[http]\nunknownFields = "deny"')).toEqual([
    'aiges.toml: http.unknownFields: expected "ignore", "warn" or "refuse" but found "deny"',
  ]);
});
