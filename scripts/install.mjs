/**
 * Builds the native addon; npm's `install` lifecycle runs this, in a clone and as a dependency alike.
 * Checks first what the build needs, so that a missing compiler is one line and not a page of cmake. AIGES_ADDON names
 * an addon that is there already: then nothing is built, and the loader needs the same setting.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestNode = [20, 19];
const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @type {{what: string, commands: (string | undefined)[], debian: string}[]} */
const tools = [
  { what: 'a C compiler', commands: [process.env.CC, 'cc', 'gcc', 'clang'], debian: 'gcc' },
  { what: 'a C++ compiler', commands: [process.env.CXX, 'c++', 'g++', 'clang++'], debian: 'g++' },
  { what: 'make', commands: ['make', 'gmake'], debian: 'make' },
  { what: 'cmake', commands: ['cmake'], debian: 'cmake' },
];

function fail(line) {
  console.error(`aiges-ts: ${line}`);
  process.exit(1);
}

/** CC may be "ccache gcc": the first word is what has to exist. */
function runs(command) {
  const [program, ...rest] = command.split(/\s+/);
  return spawnSync(program, [...rest, '--version'], { stdio: 'ignore' }).status === 0;
}

function check() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    fail(`Node ${oldestNode.join('.')} or newer is needed, this is ${process.version}`);
  }
  const missing = tools.filter(({ commands }) => !commands.some((command) => command && runs(command)));
  if (missing.length > 0) {
    const what = missing.map((tool) => tool.what).join(' and ');
    const packages = missing.map((tool) => tool.debian).join(' ');
    fail(`to build the native addon ${what} must be installed; on Debian: apt-get install ${packages}`);
  }
}

/** The script behind `cmake-js`, wherever npm has put the package. */
function cmakeJs() {
  const manifest = createRequire(import.meta.url).resolve('cmake-js/package.json');
  return join(dirname(manifest), 'bin', 'cmake-js');
}

function build() {
  const started = Date.now();
  console.log('aiges-ts: building the native addon (about a minute)');
  const child = spawn(process.execPath, [cmakeJs(), 'compile', '--directory', root, '--out', join(root, 'build')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  child.on('error', (error) => fail(`cmake-js did not start: ${error.message}`));
  child.on('close', (code) => {
    if (code === 0) {
      console.log(`aiges-ts: build/Release/aiges.node is ready (${Math.round((Date.now() - started) / 1000)} s)`);
      return;
    }
    process.stderr.write(Buffer.concat(output));
    fail('the native addon could not be built, see above');
  });
}

const given = process.env.AIGES_ADDON;
if (given === undefined) {
  check();
  build();
} else if (existsSync(given)) console.log(`aiges-ts: the native addon is ${given}, as AIGES_ADDON says`);
else fail(`AIGES_ADDON names ${given}, which does not exist`);
