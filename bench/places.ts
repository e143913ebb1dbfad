import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the repository: the same from bench/ and from build-bench/, where the compiled files lie. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** A command as one would type it in the root of the repository. */
export function printable(command: readonly string[]): string {
  return command
    .map((word) => (word === process.execPath ? 'node' : word.replaceAll(root, '')))
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}

/** A script of bench/ that runs in a process of its own. */
export function compiled(name: string): string {
  return built(join('build-bench', name), 'npx tsc -p tsconfig.bench.json');
}

/** The command line of the product. */
export function loaderMain(): string {
  return built('dist/cli/main.js', 'npm run build:ts');
}

/** The engine that gives its input back. */
export function echoEngine(): string {
  return built('build-tests/plain/fixtures/echo.so', 'npm run build:fixtures');
}

/** The wrapper that does the same. Loaders run its source, as they run that of any author. */
export function echoWrapper(): string {
  return join(root, 'bench/echo-wrapper.ts');
}

/** What loaders are made of that no build of this folder makes. */
export function requireBuild(): void {
  loaderMain();
  echoEngine();
  built('build/Release/aiges.node', 'npm run build:native');
}

function built(path: string, command: string): string {
  const full = join(root, path);
  if (!existsSync(full)) throw new Error(`${path} is missing: run ${command}`);
  return full;
}
