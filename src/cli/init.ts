import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { renderDefaultConfig } from '../config/render.js';

interface InitOptions {
  readonly force?: true;
  readonly keep?: true;
}

export function addInit(program: Command): void {
  program
    .command('init')
    .description('write a commented default configuration')
    .argument('[file]', 'where to write it', 'aiges.toml')
    .option('-f, --force', 'replace an existing file')
    .option('--keep', 'leave an existing file alone and succeed')
    .addHelpText('after', '\nExample:\n  aiges-ts init aiges.toml\n')
    .action((file: string, options: InitOptions) => {
      init(file, options);
    });
}

function init(file: string, options: InitOptions): void {
  try {
    writeFileSync(file, renderDefaultConfig(), { flag: options.force === true ? 'w' : 'wx' });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' && options.keep === true) return;
    if (code !== 'EEXIST') throw new Error(`cannot write ${file}: ${(error as Error).message}`, { cause: error });
    throw new Error(`${file} exists already; use --force to replace it`, { cause: error });
  }
  process.stdout.write(`${file} written: set [plugin].path, then run: aiges-ts serve -c ${file}\n`);
}
