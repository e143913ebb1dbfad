import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aiges, runCommand } from '../fixtures/command-line.js';
import { createProject } from '../fixtures/project.js';

const templates = readdirSync(new URL('../../templates', import.meta.url)).filter((name) => name !== 'common');

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-create-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('aiges-ts create', () => {
  it.each([
    [['Bad Name'], /cannot be the name of an npm package: it has capital letters; try bad-name/],
    [['x', '--template', 'strem'], /--template strem: expected one of .*; did you mean stream\?/],
    [[], /missing required argument 'name'/],
  ])('%j ends with exit code 2 and what is wrong', async (args, message) => {
    const { code, stderr } = await aiges(folder, 'create', ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves what is there alone', async () => {
    mkdirSync(join(folder, 'mine'));
    writeFileSync(join(folder, 'mine', 'file'), 'precious');
    expect(await aiges(folder, 'create', 'mine')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/mine exists already and is not empty; choose another name/) as string,
    });
    expect(await aiges(join(folder, 'mine'), 'create', 'file')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/file is a file; choose another name/) as string,
    });
    expect(readdirSync(join(folder, 'mine'))).toEqual(['file']);
  });

  it('takes an empty folder, a scope, and what package.json is to say', async () => {
    mkdirSync(join(folder, 'empty'));
    expect(await aiges(folder, 'create', '@me/empty', '--package', '1.2.3')).toMatchObject({ code: 0 });
    const manifest = readFileSync(join(folder, 'empty', 'package.json'), 'utf8');
    expect(JSON.parse(manifest)).toMatchObject({ name: '@me/empty', dependencies: { 'aiges-ts': '1.2.3' } });
    expect(readFileSync(join(folder, 'empty', 'aiges.toml'), 'utf8')).toContain('service = "empty"');
  });

  it('names the folder of a clone as the dependency', async () => {
    await aiges(folder, 'create', 'linked');
    const { dependencies } = JSON.parse(readFileSync(join(folder, 'linked', 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const spec = dependencies['aiges-ts'] ?? '';
    expect(spec).toMatch(/^file:\.\.\//);
    const target = join(folder, 'linked', spec.slice('file:'.length));
    expect(join(target, '.')).toBe(join(fileURLToPath(new URL('../..', import.meta.url)), '.').replace(/\/$/, ''));
  });
});

describe.each(templates)('the template %s', (template) => {
  let project: string;

  beforeAll(async () => {
    project = await createProject(folder, `my-${template}`, template);
  });

  it('leaves no placeholder behind', () => {
    // Not node_modules: this package is a link in it, which readdir follows.
    const own = readdirSync(project).filter((name) => name !== 'node_modules');
    const files = own.flatMap((name) =>
      statSync(join(project, name)).isDirectory()
        ? readdirSync(join(project, name), { recursive: true, encoding: 'utf8' }).map((file) => join(name, file))
        : [name],
    );
    for (const file of files) {
      if (!/\.(ts|json|toml|md|c)$|Dockerfile$/.test(file)) continue;
      expect(readFileSync(join(project, file), 'utf8'), file).not.toMatch(/\{\{|\}\}[^,;)\]}\s]/);
    }
    for (const file of ['.gitignore', '.dockerignore', 'README.md', 'Dockerfile']) {
      expect(existsSync(join(project, file)), file).toBe(true);
    }
  });

  it('has types that fit and tests that pass', async () => {
    const ended = await runCommand('npm', ['test'], project);
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/fail 0/);
    expect(ended.stdout).not.toMatch(/pass 0/);
  });

  it('runs', async () => {
    const ended = await runCommand('npm', ['run', '--silent', 'run'], project);
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stdout).toMatch(/\npassed\n$/);
  });

  it('has a schema', async () => {
    const { code, stdout } = await runCommand('npx', ['aiges-ts', 'schema'], project);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ openapi: '3.1.0', info: { title: `my-${template}` } });
  });
});
