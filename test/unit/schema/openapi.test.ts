import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../../src/schema/openapi.js';
import { body, descriptor, param } from '../../fixtures/descriptors.js';

const music = {
  descriptor: descriptor({
    params: [param('mode')],
    inputs: [body('text')],
    outputs: [body('result', { content: 'json' })],
  }),
  name: 'music~1',
  route: '/v1/private/music~1',
  once: true,
};

/** Every `$ref` in a document. */
function refs(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => (key === '$ref' ? [String(member)] : refs(member)));
}

describe('openApiDocument', () => {
  it('has the path that is served, and refers to components that are there', () => {
    const document = openApiDocument([music]);
    expect(Object.keys(document['paths'] as object)).toEqual(['/v1/private/music~1']);
    const { schemas } = document['components'] as { schemas: object };
    expect(Object.keys(schemas)).toEqual(['music_1.Request', 'music_1.Answer', 'Error']);
    const known = Object.keys(schemas).map((name) => `#/components/schemas/${name}`);
    expect(new Set(refs(document))).toEqual(new Set(known));
  });

  it('has no path for a service that serves streams only', () => {
    expect(openApiDocument([{ ...music, once: false }])['paths']).toEqual({});
  });

  it('is what it was', () => {
    expect(openApiDocument([music])).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'music~1', version: 'v1' },
      paths: {
        '/v1/private/music~1': {
          post: {
            requestBody: { required: true },
            responses: { 200: {}, 400: {}, 413: {}, 429: {}, 500: {}, 503: {}, 504: {} },
          },
        },
      },
    });
  });

  it('is valid by the schema of OpenAPI 3.1', async () => {
    expect(await new Validator().validate(openApiDocument([music]))).toMatchObject({ valid: true });
  });
});
