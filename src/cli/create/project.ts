import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProjectName } from './name.js';

const templates = fileURLToPath(new URL('../../../templates', import.meta.url));
/** What every project has, unless its template has a file of the same name. */
const common = 'common';
/** One line that says what a template does, for the README. */
const aboutFile = 'about.txt';

/** npm leaves such files out of packages, or reads them itself. */
const renamed: Readonly<Record<string, string>> = { gitignore: '.gitignore', dockerignore: '.dockerignore' };

export interface Project extends ProjectName {
  readonly template: string;
  /** What package.json says for aiges-ts. */
  readonly spec: string;
}

export function listTemplates(): readonly string[] {
  return readdirSync(templates).filter((name) => name !== common);
}

/**
 * Writes a new project.
 * @returns the files, relative to its folder
 * @throws Error when there is something already
 */
export function writeProject(project: Project): readonly string[] {
  const { folder, template } = project;
  refuseOccupied(folder);
  const values = placeholders(project);
  const written = new Set<string>();
  for (const source of [common, template]) {
    for (const file of listFiles(join(templates, source))) {
      if (file === aboutFile) continue;
      const target = join(
        dirname(file),
        renamed[file] ?? file.slice(dirname(file) === '.' ? 0 : dirname(file).length + 1),
      );
      copy(join(templates, source, file), join(folder, target), values);
      written.add(target);
    }
  }
  return [...written].sort();
}

function refuseOccupied(folder: string): void {
  if (!existsSync(folder)) return;
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is a file; choose another name, or remove it`);
  if (readdirSync(folder).length > 0) {
    throw new Error(`${folder} exists already and is not empty; choose another name, or empty it`);
  }
}

function placeholders({ name, service, spec, template }: Project): ReadonlyMap<string, string> {
  const { devDependencies } = JSON.parse(readFileSync(join(templates, '..', 'package.json'), 'utf8')) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  return new Map([
    ['name', name],
    ['service', service],
    ['package', spec],
    ['about', readFileSync(join(templates, template, aboutFile), 'utf8').trim()],
    // Those that the templates are checked with.
    ['types-node', devDependencies['@types/node'] ?? '*'],
    ['typescript', devDependencies['typescript'] ?? '*'],
  ]);
}

const texts = new Set(['', '.ts', '.json', '.toml', '.md', '.c']);

function copy(source: string, target: string, values: ReadonlyMap<string, string>): void {
  mkdirSync(dirname(target), { recursive: true });
  if (!texts.has(extname(source))) {
    cpSync(source, target);
    return;
  }
  const text = readFileSync(source, 'utf8').replaceAll(/\{\{([\w-]+)\}\}/g, (whole, key: string) => {
    const value = values.get(key) ?? whole;
    // Paths may hold what JSON has to escape.
    return extname(source) === '.json' ? JSON.stringify(value).slice(1, -1) : value;
  });
  writeFileSync(target, text);
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}
