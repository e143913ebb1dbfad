import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/load.js';

let folder: string;
const home = process.cwd();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-config-'));
  process.chdir(folder);
});

afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

describe('refuses', () => {
  const refuse = (path: string): string => {
    try {
      loadConfig({ path });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as ConfigError).message;
    }
    throw new Error('expected a ConfigError');
  };

  test('a file that is not there', () => {
    expect(refuse('none.toml')).toBe(
      'none.toml: no such file; write a default one with "aiges-ts init", or name another with -c',
    );
    writeFileSync('file', '');
    expect(refuse('file/none.toml')).toContain('no such file');
  });

  test('a directory', () => {
    expect(refuse('.')).toBe('.: cannot be read: is a directory, not a file');
  });

  test('a path that no file can have', () => {
    expect(refuse('a\0b')).toContain('a\\u0000b: cannot be read: ');
  });

  test('a second config file that is a directory', () => {
    mkdirSync('user.toml');
    writeFileSync('aiges.toml', '[aiges]\nusrCfg = "user.toml"');
    expect(refuse('aiges.toml')).toBe('user.toml: cannot be read: is a directory, not a file');
  });
});

test('takes ./aiges.toml when no path is given', () => {
  writeFileSync('aiges.toml', '[svcName]\nport = 6000');
  const { config } = loadConfig({ path: null });
  expect(config).toMatchObject({ source: 'aiges.toml', grpc: { port: 6000 } });
});

test('takes the defaults when there is no file', () => {
  const { config, warnings } = loadConfig({ path: null });
  expect(config).toMatchObject({ source: '<defaults>', grpc: { port: 5090 } });
  expect(config.services[0]?.maxConcurrent).toBeGreaterThan(0);
  expect(warnings).toEqual([]);
});

test('applies environment and overrides, and knows the interfaces of this machine', () => {
  const { config } = loadConfig({
    path: null,
    section: 'digits',
    env: { AIGES__DIGITS__NETCARD: 'lo', AIGES__FC__MAX: '2' },
    overrides: ['fc.max=3'],
  });
  expect(config.services[0]).toMatchObject({ name: 'digits', maxConcurrent: 3 });
  expect(config.grpc).toMatchObject({ host: '127.0.0.1', hostConfigured: true });
});

test('takes a byte order mark, and comments of another encoding with a warning', () => {
  writeFileSync('bom.toml', '\uFEFF[svcName]\r\nport = 6000\r\n');
  expect(loadConfig({ path: 'bom.toml' })).toMatchObject({ config: { grpc: { port: 6000 } }, warnings: [] });
  const gbk = Buffer.concat([Buffer.from('# '), Buffer.from([0xb7, 0xfe, 0xce, 0xf1]), Buffer.from('\n[fc]\nmax = 7')]);
  writeFileSync('old.toml', gbk);
  const { config, warnings } = loadConfig({ path: 'old.toml' });
  expect(config.services[0]?.maxConcurrent).toBe(7);
  expect(warnings).toEqual(['old.toml: not UTF-8, letters outside of ASCII are lost; save it as UTF-8']);
});

test('knows one engine under two names', () => {
  writeFileSync('engine.so', '');
  symlinkSync('engine.so', 'other.so');
  const services = ['engine', 'other'].map((name) => `[services.${name}]\npath = "${name}.so"\nresources = true\n`);
  writeFileSync('two.toml', services.join(''));
  expect(() => loadConfig({ path: 'two.toml' })).toThrow(
    /\[services.engine\] and \[services.other\] have the same engine/,
  );
});

test('reads the files that belong to the config', () => {
  mkdirSync('conf');
  writeFileSync('conf/aiges.toml', '[aiges]\nusrCfg = "user.toml"');
  writeFileSync('conf/user.toml', '[a]\nb = 1');
  writeFileSync('headerPass.wrapper', 'appid\n');
  const [service] = loadConfig({ path: 'conf/aiges.toml' }).config.services;
  expect(service).toMatchObject({ pluginConfig: new Map([['a.b', '1']]), headerPass: ['sid', 'appid'] });
});
