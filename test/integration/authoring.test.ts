import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runCommand } from '../fixtures/command-line.js';
import { createProject } from '../fixtures/project.js';

// What a reader of docs/authoring.md pastes into the project that "aiges-ts create" makes.

const page = readFileSync(new URL('../../docs/authoring.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
/** Whole modules begin with the name of their file. */
const modules = blocks.flatMap((code) => {
  const name = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1];
  return name === undefined ? [] : [{ name, code }];
});

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-authoring-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

it('names every block of the page that imports something, and leaves only parts of classes without a name', () => {
  expect(modules.map(({ name }) => name)).toEqual(['wrapper.ts', 'words.ts', 'digits.ts', 'wrapper.test.ts']);
  const parts = blocks.filter((code) => !modules.some((module) => module.code === code));
  for (const code of parts) expect(code).toMatch(/^override /);
});

it('compiles the modules of the page as a project does, and passes their tests', async () => {
  const project = await createProject(folder, 'pasted', 'once');
  for (const { name, code } of modules) writeFileSync(join(project, name), code);
  const ended = await runCommand('npm', ['test'], project);
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 });
  expect(ended.stdout).toMatch(/pass 1/);
});
