import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { DataType } from '../../../src/core/frame.js';
import { type DescribedService, openApiDocument } from '../../../src/schema/openapi.js';
import { describeService } from '../../../src/schema/service-schema.js';
import { body, descriptor, param } from '../../fixtures/descriptors.js';

const route = '/v1/private/music~1';

const music: DescribedService = {
  schema: describeService(
    descriptor({
      params: [param('mode', { required: true, enums: ['a', 'b'], description: 'How' })],
      inputs: [body('text')],
      outputs: [body('result', { content: 'json' })],
    }),
    'music~1',
  ),
  name: 'music~1',
  version: 'v1',
  route,
  once: true,
  stream: false,
};

const camera: DescribedService = {
  ...music,
  name: 'camera',
  route: '/camera',
  stream: true,
  schema: describeService(
    descriptor({
      inputs: [
        body('image', { type: DataType.image, content: 'bytes', title: 'A picture', attributes: { encoding: 'png' } }),
        body('mask', { type: DataType.other, content: 'bytes', required: false }),
      ],
      outputs: [body('image', { type: DataType.image, content: 'bytes' })],
    }),
    'camera',
  ),
};

const voice: DescribedService = {
  ...music,
  name: 'voice',
  route: '/voice',
  once: false,
  stream: true,
  schema: describeService(
    descriptor({
      params: [param('rate', { type: 'integer', fallback: 16000 })],
      inputs: [body('pcm', { type: DataType.audio, content: 'bytes' })],
      outputs: [body('level'), body('loud')],
    }),
    'voice',
  ),
};

const engine: DescribedService = {
  ...music,
  name: 'engine',
  route: '/engine',
  stream: true,
  schema: describeService(null, 'engine'),
};

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, object>> }>>;
}

interface PathItem {
  readonly get?: Operation;
  readonly post: Operation;
  readonly 'x-aiges': object;
}

function pathsOf(...services: DescribedService[]): Readonly<Record<string, PathItem>> {
  return openApiDocument(services)['paths'] as Readonly<Record<string, PathItem>>;
}

/** The one path of a service. */
function itemOf(service: DescribedService): PathItem {
  const item = pathsOf(service)[service.route];
  if (item === undefined) throw new Error(`no path ${service.route}`);
  return item;
}

/** Every value of a key, however deep. */
function valuesOf(key: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => (name === key ? [String(member)] : valuesOf(key, member)));
}

describe('openApiDocument', () => {
  it.each([
    ['one service', [music]],
    ['once and stream', [camera]],
    ['stream only', [voice]],
    ['no descriptor', [engine]],
    ['several services', [music, camera, voice, engine]],
    ['several paths', [music, { ...music, route: '/other' }, { ...camera, route: '/b' }, camera]],
    ['no service', []],
  ])('is valid by the schema of OpenAPI 3.1: %s', async (_name, services) => {
    const document = openApiDocument(services);
    // The validator resolves references in place.
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true });
    const operations = valuesOf('operationId', document);
    expect(new Set(operations).size).toBe(operations.length);
  });

  it('would not be valid without what it must have', async () => {
    const document = { ...structuredClone(openApiDocument([music])), info: {} };
    expect(await new Validator().validate(document)).toMatchObject({ valid: false });
  });

  it('refers to components that are there, and to all of them', () => {
    const document = openApiDocument([music, engine]);
    const components = document['components'] as Readonly<Record<string, object>>;
    const known = Object.entries(components).flatMap(([kind, members]) =>
      Object.keys(members).map((name) => `#/components/${kind}/${name}`),
    );
    expect(known).toContain('#/components/schemas/music_1.Request');
    expect(new Set(valuesOf('$ref', document))).toEqual(new Set(known));
  });

  it('keeps services apart whose names are alike', () => {
    const { schemas } = openApiDocument([music, { ...camera, name: 'music_1' }])['components'] as { schemas: object };
    expect(Object.keys(schemas)).toEqual([
      'music_1.Request',
      'music_1.Answer',
      'music_1_2.Request',
      'music_1_2.Answer',
      'Error',
    ]);
  });

  it('says where it is served', () => {
    expect(openApiDocument([music])).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'music~1', version: 'v1' },
      servers: [{ url: '/' }],
    });
  });

  it('names every status that a client has to expect', () => {
    expect(Object.keys(itemOf(music).post.responses).join(' ')).toBe('200 400 404 406 408 413 415 429 500 501 503 504');
  });

  it('has WebSocket where streams are served, and nowhere else', () => {
    expect(itemOf(music).get).toBeUndefined();
    expect(itemOf(camera).get?.responses['101']).toMatchObject({ description: expect.any(String) as string });
  });

  it('offers one-shot answers only where the plugin gives them', () => {
    const types = (service: DescribedService): string[] =>
      Object.keys(itemOf(service).post.responses['200']?.content ?? {});
    expect(types(voice)).toEqual(['text/event-stream']);
    expect(types(music)).toEqual(['application/json', 'text/plain', 'application/octet-stream', 'text/event-stream']);
    expect(types(camera)).toEqual(['application/json', 'image/*', 'application/octet-stream', 'text/event-stream']);
    expect(types(engine)).toEqual(['application/json', 'text/event-stream']);
  });

  it('takes a body that is the input itself where there is one input, with parameters in the query', () => {
    expect(Object.keys(itemOf(camera).post.requestBody.content)).toEqual(['application/json', 'multipart/form-data']);
    expect(Object.keys(itemOf(voice).post.requestBody.content)).toEqual([
      'application/json',
      'multipart/form-data',
      'audio/*',
      'application/octet-stream',
    ]);
    expect(itemOf(camera).post.parameters).toBeUndefined();
    // Required in JSON, where they do not stand in the query.
    expect(itemOf(music).post.parameters).toMatchObject([{ name: 'mode', in: 'query', required: false }]);
  });

  it('takes inputs as files and parameters as fields of a form', () => {
    const content = itemOf({ ...voice, once: true }).post.requestBody.content['multipart/form-data'];
    expect(content?.schema).toMatchObject({
      type: 'object',
      required: ['pcm'],
      properties: {
        rate: { type: 'integer', default: 16000 },
        pcm: { type: 'string', format: 'binary' },
        request: { contentMediaType: 'application/json' },
      },
      additionalProperties: false,
    });
  });

  it('hands the descriptor to pages that make forms of it', () => {
    expect(itemOf(camera)['x-aiges']).toEqual({
      service: 'camera',
      version: 'v1',
      described: true,
      once: true,
      stream: true,
      params: [],
      inputs: [
        {
          name: 'image',
          type: 'image',
          content: 'bytes',
          required: true,
          title: 'A picture',
          description: '',
          attributes: { encoding: 'png' },
        },
        { name: 'mask', type: 'other', content: 'bytes', required: false, title: '', description: '', attributes: {} },
      ],
      outputs: [
        { name: 'image', type: 'image', content: 'bytes', required: true, title: '', description: '', attributes: {} },
      ],
    });
    expect(itemOf(music)['x-aiges']).toMatchObject({
      params: [param('mode', { required: true, enums: ['a', 'b'], description: 'How' })],
    });
    expect(itemOf(engine)['x-aiges']).toEqual({
      service: 'engine',
      version: 'v1',
      described: false,
      once: true,
      stream: true,
      params: [],
      inputs: [],
      outputs: [],
    });
  });
});
