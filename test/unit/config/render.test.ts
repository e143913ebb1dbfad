import { describe, expect, test } from 'vitest';
import { renderReference } from '../../../src/config/reference.js';
import { renderDefaultConfig } from '../../../src/config/render.js';
import { parse } from './parsing.js';

const root = new URL('../../../', import.meta.url).pathname;

describe('the default config', () => {
  test('is the committed aiges.toml', async () => {
    await expect(renderDefaultConfig()).toMatchFileSnapshot(`${root}aiges.toml`);
  });

  test('loads without a warning, and says what its absence says', () => {
    const written = parse(renderDefaultConfig());
    const absent = parse('');
    expect(written.warnings).toEqual([]);
    expect(written.config).toEqual({ ...absent.config, grpc: { ...absent.config.grpc, hostConfigured: true } });
  });

  test('loads without a warning when every commented key is made active', () => {
    const files: Readonly<Record<string, string>> = { 'user.toml': '[a]\nb = 1', './schema.json': '{"inputs":[]}' };
    const { warnings, config } = parse(renderDefaultConfig().replace(/^#(?=\S)/gm, ''), {
      readFile: (path) => files[path] ?? null,
    });
    expect(warnings.filter((line) => !line.includes('[wrapper] is not passed'))).toEqual([]);
    expect(config.services[0]?.pluginConfig).toEqual(new Map([['a.b', '1']]));
  });
});

describe('the reference', () => {
  test('is the committed docs/configuration.md', async () => {
    await expect(renderReference()).toMatchFileSnapshot(`${root}docs/configuration.md`);
  });
});
