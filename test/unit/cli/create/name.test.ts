import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readProjectName } from '../../../../src/cli/create/name.js';
import { UsageError } from '../../../../src/cli/usage-error.js';

describe('readProjectName', () => {
  it.each([
    ['Hello', /it has capital letters; try hello$/],
    ['.hidden', /it begins with "\."; try hidden$/],
    ['_x', /it begins with "_"/],
    ['two words', /it holds " "; .*; try two-words$/],
    ['ünicode', /it holds "ü"/],
    ['deep/Down', /"Down" cannot be the name of an npm package: .*; try deep\/down$/],
    ['http', /it means something else to Node\.js or npm$/],
    ['node_modules', /it means something else/],
    ['@Me/hello', /it has capital letters$/],
    ['x'.repeat(201), /longer than 200 characters/],
    ['/', /it is empty/],
  ])('refuses %s', (given, message) => {
    expect(() => readProjectName(given)).toThrow(message);
    expect(() => readProjectName(given)).toThrow(UsageError);
  });

  it('takes a name, a path and a scope', () => {
    expect(readProjectName('hello')).toEqual({
      name: 'hello',
      service: 'hello',
      folder: resolve('hello'),
      shown: 'hello',
    });
    expect(readProjectName('../a/hello')).toMatchObject({ name: 'hello', shown: '../a/hello' });
    expect(readProjectName('@me/hello')).toEqual({
      name: '@me/hello',
      service: 'hello',
      folder: resolve('hello'),
      shown: 'hello',
    });
  });
});
