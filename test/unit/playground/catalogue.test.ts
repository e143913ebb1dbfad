import { describe, expect, it } from 'vitest';
import { readCatalogue } from '../../../playground/catalogue.js';

describe('the services of an OpenAPI document', () => {
  it.each([null, [], {}, { paths: 7 }])('cannot be read from %j', (document) => {
    expect(() => readCatalogue(document)).toThrow('no "paths"');
  });

  it('are the paths with the extension', () => {
    expect(
      readCatalogue({ paths: { '/a': {}, '/b': null, '/c': { 'x-aiges': { service: 'c' } } } }).map(({ name }) => name),
    ).toEqual(['c']);
  });

  it('have something sensible for everything that is missing or wrong', () => {
    const [service] = readCatalogue({
      paths: {
        '/r': {
          'x-aiges': {
            params: [7, { name: 'p', type: 'date', enums: [1, 'a', null], minimum: '0' }],
            inputs: [{ name: 'i', attributes: { a: 'x', b: 1 } }],
          },
        },
      },
    });
    expect(service).toMatchObject({ name: '/r', version: '', once: true, stream: false, described: true, outputs: [] });
    expect(service?.params).toMatchObject([
      { name: 'p', type: 'string', enums: [1, 'a'], minimum: null, fallback: null },
    ]);
    expect(service?.inputs).toMatchObject([
      { name: 'i', type: 'other', content: 'bytes', attributes: new Map([['a', 'x']]) },
    ]);
  });
});
