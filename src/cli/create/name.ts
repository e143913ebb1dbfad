import { builtinModules } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { UsageError } from '../usage-error.js';

export interface ProjectName {
  /** For npm, perhaps with a scope. */
  readonly name: string;
  /** For routes and section names: without the scope. */
  readonly service: string;
  /** Absolute. */
  readonly folder: string;
  /** The folder as one would type it. */
  readonly shown: string;
}

/**
 * Reads `hello`, `@me/hello` or a path that ends with such a name.
 * @throws UsageError for what npm does not take as a name
 */
export function readProjectName(given: string): ProjectName {
  const scope = /^(@[^/]+)\/([^/]+)$/.exec(given);
  const folder = resolve(scope?.[2] ?? given);
  const service = basename(folder);
  const name = scope === null ? service : given;
  const fault = scope === null ? faultOf(service) : (faultOf(scope[1]?.slice(1) ?? '') ?? faultOf(service));
  if (fault !== null) {
    const better = scope === null ? betterName(service) : null;
    const hint = better === null ? '' : `; try ${join(dirname(given), better)}`;
    throw new UsageError(`${JSON.stringify(name)} cannot be the name of an npm package: ${fault}${hint}`);
  }
  return { name, service, folder, shown: relative('.', folder) || '.' };
}

/** npm's rules for new packages, and those of a path of the HTTP server, which are wider. */
function faultOf(part: string): string | null {
  if (part === '') return 'it is empty';
  if (part.length > 200) return 'it is longer than 200 characters';
  if (/[A-Z]/.test(part)) return 'it has capital letters';
  if (/^[._-]/.test(part)) return `it begins with ${JSON.stringify(part[0])}`;
  const wrong = /[^a-z0-9._-]/.exec(part)?.[0];
  if (wrong !== undefined) return `it holds ${JSON.stringify(wrong)}; letters, digits, "-", "_" and "." are possible`;
  if (reserved.has(part)) return 'it means something else to Node.js or npm';
  return null;
}

const reserved = new Set([...builtinModules, 'node_modules', 'favicon.ico', 'aiges-ts']);

function betterName(part: string): string | null {
  const better = part
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .replace(/-+$/, '');
  return faultOf(better) === null ? better : null;
}
