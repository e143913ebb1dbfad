import type { Command } from 'commander';
import { readProjectName } from './create/name.js';
import { findOwnSpec } from './create/own-spec.js';
import { listTemplates, writeProject } from './create/project.js';
import { suggest } from '../config/suggestion.js';
import { UsageError } from './usage-error.js';

interface CreateOptions {
  readonly template: string;
  readonly package?: string;
}

export function addCreate(program: Command): void {
  const templates = listTemplates();
  program
    .command('create')
    .description('make a project with a wrapper that runs, has tests, and can be packed')
    .argument('<name>', 'its name, for npm and for the service; a path makes it there')
    .option('--template <name>', `what to begin with: ${templates.join(', ')}`, 'once')
    .option('--package <spec>', 'what package.json says for aiges-ts (default: where this one came from)')
    .addHelpText(
      'after',
      '\nExample:\n  aiges-ts create hello --template stream\n  cd hello && npm install && npm test && npx aiges-ts run\n',
    )
    .action((name: string, options: CreateOptions) => {
      create(name, options, templates);
    });
}

function create(given: string, { template, package: spec }: CreateOptions, templates: readonly string[]): void {
  if (!templates.includes(template)) {
    const meant = suggest(template, templates);
    const hint = meant === null ? '' : `; did you mean ${meant}?`;
    throw new UsageError(`--template ${template}: expected one of ${templates.join(', ')}${hint}`);
  }
  const project = readProjectName(given);
  const files = writeProject({ ...project, template, spec: spec ?? findOwnSpec(project.folder) });
  process.stdout.write(
    `${project.folder}: ${files.length} files from the template "${template}"\n\n` +
      `  cd ${project.shown} && npm install && npm test\n  npm run run\n  npm run dev\n`,
  );
}
