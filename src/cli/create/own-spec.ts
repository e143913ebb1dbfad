import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '../version.js';

const packageRoot = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * What a new project has to name to get the package that is running: the same file or folder where it came from one,
 * else its version from the registry.
 * @param project folder of the new project, where relative paths start
 * @param root folder of the running package
 */
export function findOwnSpec(project: string, root = resolve(packageRoot)): string {
  const parent = dirname(root);
  // A clone, or a folder that npm has linked.
  if (basename(parent) !== 'node_modules') return fileSpec(project, root);
  const source = readSource(parent, basename(root));
  // Paths in the lock file start where it would be if it were no hidden one.
  return source === null ? `^${version}` : fileSpec(project, resolve(dirname(parent), source));
}

function fileSpec(project: string, target: string): string {
  return `file:${relative(physical(project), physical(target)).split(sep).join('/')}`;
}

/** Where a path leads, also to what is not there yet: npm goes from folder to folder without looking at links. */
function physical(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(physical(parent), basename(path));
  }
}

/** Where npm has taken an installed package from, if from a file. */
function readSource(modules: string, name: string): string | null {
  let lock: { readonly packages?: Readonly<Record<string, { readonly resolved?: unknown } | undefined>> };
  try {
    lock = JSON.parse(readFileSync(resolve(modules, '.package-lock.json'), 'utf8')) as typeof lock;
  } catch {
    // No npm, or an installation without one: the registry is all that is left.
    return null;
  }
  const resolved = lock.packages?.[`node_modules/${name}`]?.resolved;
  return typeof resolved === 'string' && resolved.startsWith('file:') ? resolved.slice('file:'.length) : null;
}
