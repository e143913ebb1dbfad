import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aiges } from '../fixtures/command-line.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const wrapper = fileURLToPath(new URL('../fixtures/wrappers/scripted.ts', import.meta.url));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-schema-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('aiges-ts schema', () => {
  it('says when there is no wrapper, and what is wrong with one', async () => {
    expect(await aiges(folder, 'schema', 'none.ts')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('none.ts: no such file') as string,
    });
    expect(await aiges(folder, 'schema', fileURLToPath(import.meta.url))).toMatchObject({ code: 1 });
    expect(await aiges(folder, 'schema', wrapper, '--out', 'no/where.json')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot write no/where.json') as string,
    });
  });

  it('describes what would be served with the same options, without a call of init', async () => {
    const { code, stdout } = await aiges(
      folder,
      'schema',
      wrapper,
      '--set',
      'plugin.service=s',
      '--set',
      'wrapper.init=throw',
    );
    const document = JSON.parse(stdout) as { paths: object; components: { schemas: object } };
    expect(Object.keys(document.paths)).toEqual(['/v1/private/s']);
    expect(Object.keys(document.components.schemas)).toEqual(['s.Request', 's.Answer', 'Error']);
    expect(code).toBe(0);
  });

  it('describes a C engine by the schema file beside it, and the calls by what the library exports', async () => {
    const { code, stdout } = await aiges(
      repository,
      'schema',
      '-c',
      'demo/digits/aiges.toml',
      '--set',
      'plugin.route=/d',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      paths: {
        '/d': { 'x-aiges': { described: true, once: true, stream: false, inputs: [{ name: 'img', type: 'image' }] } },
      },
    });
    const legacy = await aiges(repository, 'schema', '-c', 'demo/digits/aiges.toml', '--legacy');
    expect(JSON.parse(legacy.stdout)).toMatchObject({ meta: { serviceId: 'digits' } });
    expect(
      await aiges(repository, 'schema', '-c', 'demo/digits/aiges.toml', '--set', 'plugin.schema=off'),
    ).toMatchObject({ code: 2, stderr: expect.stringContaining('has no schema file') as string });
  });

  it('writes the form of the Python SDK into a file', async () => {
    expect(await aiges(folder, 'schema', wrapper, '--legacy', '--out', 'schema.json')).toMatchObject({
      code: 0,
      stdout: '',
    });
    const text = readFileSync(join(folder, 'schema.json'), 'utf8');
    expect(text).toMatch(/^\{\n {4}"meta": \{\n {8}"serviceId": "svcName",/);
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['meta', 'schemainput', 'schemaoutput']);
  });
});
