import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { tsImport } from 'tsx/esm/api';
import { AigesError } from '../../core/errors.js';

/** Where tsx looks for a path before anything else. CommonJS modules have no other way to name one. */
const variable = 'TSX_TSCONFIG_PATH';

/**
 * Imports what a module exports by default. TypeScript runs as it is; anything else is Node's business.
 * @throws AigesError `initFailed` for a tsconfig.json that cannot be read, and what the module throws
 */
export async function importModule(path: string): Promise<unknown> {
  const module = (/\.[mc]?ts$/.test(path) ? await importTypeScript(path) : await import(pathToFileURL(path).href)) as {
    readonly default?: unknown;
  };
  // A CommonJS module that a compiler made comes with its exports as the default export.
  const exported = module.default;
  return typeof exported === 'object' && exported !== null && 'default' in exported ? exported.default : exported;
}

/** With the tsconfig.json of the module, not with that of the directory where the loader was started. */
function importTypeScript(path: string): Promise<unknown> {
  const given = process.env[variable];
  const tsconfig = given ?? findTsconfig(path);
  try {
    if (tsconfig !== null) process.env[variable] = tsconfig;
    return tsImport(pathToFileURL(path).href, { parentURL: import.meta.url, tsconfig: tsconfig ?? false });
  } catch (error) {
    // What is wrong with the module itself comes later, as a rejection.
    throw new AigesError('initFailed', { message: `${tsconfig ?? path}: ${(error as Error).message}`, cause: error });
  } finally {
    // It has been read, and is not for processes that the module starts.
    if (given === undefined) Reflect.deleteProperty(process.env, variable);
  }
}

/** The nearest one at or above the folder of a module. */
function findTsconfig(path: string): string | null {
  // The patterns of a tsconfig.json are about files as Node names them, without links.
  let folder = dirname(existsSync(path) ? realpathSync(path) : path);
  for (;;) {
    const file = join(folder, 'tsconfig.json');
    if (existsSync(file)) return file;
    const parent = dirname(folder);
    if (parent === folder) return null;
    folder = parent;
  }
}
