import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Builds the engine with make, which does nothing when it is up to date. Works from any folder. */
export function buildEngine() {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const { status } = spawnSync('make', ['-s', '-C', here], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) {
    process.stderr.write('demo: the engine could not be built, see above\n');
    process.exit(1);
  }
}
