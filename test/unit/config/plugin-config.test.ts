import { describe, expect, test } from 'vitest';
import type { StringMap } from '../../../src/core/frame.js';
import { ConfigError } from '../../../src/config/config.js';
import { fail, parse } from './parsing.js';

const withUserFile = (text: string, at = 'user.toml'): { readFile: (path: string) => string | null } => ({
  readFile: (path) => (path === at ? text : null),
});

const pluginConfig = (...args: Parameters<typeof parse>): StringMap | undefined =>
  parse(...args).config.services[0]?.pluginConfig;

describe('[wrapper]', () => {
  test.each([
    ['a = [1]', 'aiges.toml: wrapper.a: expected text, a number or a boolean but found an array'],
    ['a = 2024-01-01', 'aiges.toml: wrapper.a: expected text, a number or a boolean but found a date'],
    ['a = "x\\u0000y"', 'aiges.toml: wrapper.a: holds a NUL character, where a C engine would stop reading; remove it'],
    [
      '"a\\u0000" = 1',
      'aiges.toml: wrapper."a\\u0000": holds a NUL character, where a C engine would stop reading; remove it',
    ],
    ['a.b = 1\n"a.b" = 2', 'aiges.toml: wrapper.a.b: the key is there twice, with and without quotes; remove one'],
    [
      `${'a.'.repeat(20)}a = 1`,
      `aiges.toml: wrapper.${'a.'.repeat(16)}a: expected text, a number or a boolean but found a table`,
    ],
  ])('%j is refused', (line, message) => {
    expect(fail(`[wrapper]\n${line}`)).toEqual([message]);
  });

  test('is passed as text, in order', () => {
    const text =
      '[wrapper]\nz = "10"\ni = 9007199254740993\nf = 1e-7\ng = 10.0\nt = true\nf2 = false\n"x.y" = ""\nn.m = -1\n__proto__ = 1';
    expect([...(pluginConfig(text) ?? [])]).toEqual([
      ['z', '10'],
      ['i', '9007199254740993'],
      ['f', '0.0000001'],
      ['g', '10'],
      ['t', 'true'],
      ['f2', 'false'],
      ['x.y', ''],
      ['n.m', '-1'],
      ['__proto__', '1'],
    ]);
    expect(({} as Record<string, unknown>)['1']).toBeUndefined();
  });
});

describe('usrCfg', () => {
  const main = '[aiges]\nusrCfg = "user.toml"\n';

  test('is refused when there is no such file', () => {
    expect(fail(main)).toEqual([
      'aiges.toml: aiges.usrCfg: no file "user.toml" next to the config or in the working directory',
    ]);
  });

  test('is refused when the file has faults, which come with those of the config', () => {
    expect(fail(`${main}[fc]\nmax = 0`, withUserFile('[a]\nb = '))).toEqual([
      'aiges.toml: fc.max: expected an integer from 1 to 1000000 but found 0',
      expect.stringMatching(/^user\.toml:2:\d+: .*: b =$/),
    ]);
    expect(fail(main, withUserFile('[a]\nb = []'))).toEqual([
      'user.toml: a.b: expected text, a number or a boolean but found an array',
    ]);
    expect(fail(main, withUserFile('["a.b"]\nc = 1\n[a.b]\nc = 2'))).toEqual([
      'user.toml: a.b.c: the key is there twice, with and without quotes; remove one',
    ]);
  });

  test('is refused when the file cannot be read', () => {
    const readFile = (path: string): null => {
      throw new ConfigError([`${path}: cannot be read: permission denied`]);
    };
    expect(fail(main, { readFile })).toEqual([
      'user.toml: cannot be read: permission denied',
      'headerPass.wrapper: cannot be read: permission denied',
    ]);
  });

  test('becomes the plugin config as table.key; [wrapper] is not passed, which is said', () => {
    const text = `${main}[wrapper]\na = 1\nhttp_listen = ":9000"`;
    const { config, warnings } = parse(text, withUserFile('loose = 1\n[x]\ny = 1.5\n[x.sub]\nz = "t"'));
    expect([...(config.services[0]?.pluginConfig ?? [])]).toEqual([
      ['x.y', '1.5'],
      ['x.sub.z', 't'],
    ]);
    expect(config.http?.port).toBe(9000);
    expect(warnings).toEqual([
      'aiges.toml: aiges.usrCfg: [wrapper] is not passed to the plugin, which gets user.toml instead',
      'user.toml: loose: stands outside of any table, ignored',
    ]);
  });

  test('is searched for next to the config before the working directory', () => {
    const files = new Map([
      ['/etc/aiges/user.toml', '[a]\nb = "near"'],
      ['user.toml', '[a]\nb = "here"'],
    ]);
    const readFile = (path: string): string | null => files.get(path) ?? null;
    expect(pluginConfig(main, { source: '/etc/aiges/aiges.toml', readFile })?.get('a.b')).toBe('near');
    files.delete('/etc/aiges/user.toml');
    expect(pluginConfig(main, { source: '/etc/aiges/aiges.toml', readFile })?.get('a.b')).toBe('here');
  });
});
