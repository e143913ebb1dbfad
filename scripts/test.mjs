// Runs every check and every test that this machine can run, and names what it cannot.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const reports = join(root, 'build-tests', 'reports');
const results = [];
const failures = [];
/** How much of a failure's message the summary repeats. */
const linesOfFailure = 6;
const missing = [];

process.chdir(root);
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

check('types', 'npm', ['run', '--silent', 'check:types']);
check('lint', 'npm', ['run', '--silent', 'check:lint']);
check('formatting', 'npm', ['run', '--silent', 'check:format']);
check('imports', 'npm', ['run', '--silent', 'check:imports']);
if (needs('clang-format', /version 14\./, 'clang-format, version 14')) {
  check('C and C++ formatting', 'clang-format', ['--dry-run', '--Werror', ...cFiles()]);
}
check('build of the command line', 'npm', ['run', '--silent', 'build:ts']);
check('build of the addon', 'npm', ['run', '--silent', 'build:native']);
check('build of the demo engine', 'make', ['-s', '-C', 'demo/digits']);

const gtest = existsSync('/usr/include/gtest/gtest.h');
if (!gtest) missing.push(['native tests and sanitizers', 'libgtest-dev']);
const nghttp2 = existsSync('/usr/include/nghttp2/nghttp2.h');
if (!nghttp2) missing.push(['native tests of the gRPC server', 'libnghttp2-dev']);
// They wait more than they compute, and the compiler computes: one variant is tested while the next one is built.
const tests = [];
native('plain', '');
if (gtest) {
  native('asan', 'address,undefined');
  if (nghttp2) {
    const fuzzing = start(join('build-tests', 'asan', 'wire_fuzz'), ['--seconds', '60']);
    tests.push(async () => {
      const ok = await fuzzing;
      results.push({ name: 'random conversations with native/wire', passed: ok ? 1 : 0, failed: ok ? 0 : 1 });
    });
  }
  native('tsan', 'thread');
}
// Plain, they are part of the demo's own tests below.
check('tests of the demo engine, asan', 'make', ['-s', '-C', 'demo/digits', 'check', 'SANITIZE=1']);
check('tests of the demo engine, tsan', 'make', ['-s', '-C', 'demo/digits', 'check', 'SANITIZE=thread']);
for (const ended of tests) await ended();

// The tests themselves look for the same file.
if (!existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server'))
  missing.push(['delivery through RabbitMQ', 'rabbitmq-server']);
if (spawnSync('/usr/bin/python3', ['-c', 'import grpc']).status !== 0) {
  missing.push(["gRPC's own Python client", 'python3-grpcio']);
}
if (!existsSync('/usr/bin/chromium')) missing.push(['the playground in a browser', 'chromium']);
needs('curl', /\bHTTP2\b/, 'curl');
const vitestReport = join(reports, 'vitest.json');
const vitestOk = run('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${vitestReport}`]);
count('vitest', vitestOk, vitestReport, ({ numPassedTests, numFailedTests, testResults }) => ({
  passed: numPassedTests,
  failed: numFailedTests,
  failures: testResults.flatMap(failuresOf),
}));

summarize();

/** A step that passes or fails as a whole. */
function check(name, command, args, env = {}) {
  const ok = run(command, args, env);
  results.push({ name, passed: ok ? 1 : 0, failed: ok ? 0 : 1 });
}

/** Builds the fixture engines and, where GoogleTest is installed, builds the native tests and starts them. */
function native(variant, sanitize) {
  const dir = join('build-tests', variant);
  const options = ['AIGES_TESTS=ON', `AIGES_SANITIZE=${sanitize}`, `AIGES_ADDON=${variant === 'asan' ? 'ON' : 'OFF'}`];
  const built =
    run('cmake', ['-S', '.', '-B', dir, ...options.map((option) => `-D${option}`), '--log-level=WARNING']) &&
    run('cmake', ['--build', dir, '--parallel', '2', '--', '--quiet']);
  results.push({ name: `native build, ${variant}`, passed: built ? 1 : 0, failed: built ? 0 : 1 });
  if (!built || !gtest) return;
  for (const suite of nghttp2 ? ['core', 'wire'] : ['core']) {
    const report = join(reports, `${suite}-${variant}.json`);
    const running = start(join(dir, `${suite}_tests`), ['--gtest_brief=1', `--gtest_output=json:${report}`]);
    tests.push(async () => {
      count(`tests of native/${suite}, ${variant}`, await running, report, (found) => ({
        passed: found.tests - found.failures,
        failed: found.failures,
        failures: found.testsuites.flatMap(({ testsuite }) =>
          testsuite
            .filter((test) => test.failures !== undefined)
            .map((test) => ({ name: `${test.classname}.${test.name}`, why: test.failures[0]?.failure ?? '' })),
        ),
      }));
    });
  }
  if (variant !== 'asan') return;
  sanitizedAddon(dir);
}

/** The addon itself with sanitizers, in a loader of which everything else is as it always is. */
function sanitizedAddon(dir) {
  const runtime = spawnSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout.trim();
  const env = {
    AIGES_ADDON: join(root, dir, 'Release', 'aiges.node'),
    LD_PRELOAD: runtime,
    // V8's own objects look like leaks, and it handles some signals itself.
    ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0',
  };
  check('memory of requests that were given up, asan', 'vitest', ['run', 'test/integration/given-up.test.ts'], {
    AIGES_TEST_ADDON: JSON.stringify(env),
  });
}

/**
 * Takes the counts of a runner from its report. The runner's own verdict counts as well: sanitizers report after the
 * last test, unhandled rejections and files that fail to load belong to none, and a runner that died wrote nothing.
 */
function count(name, ok, report, read) {
  const found = existsSync(report) ? read(JSON.parse(readFileSync(report, 'utf8'))) : { passed: 0, failed: 0 };
  results.push({ name, passed: found.passed, failed: ok ? found.failed : Math.max(1, found.failed) });
  failures.push(...(found.failures ?? []));
}

/** What failed in one file of vitest's report: its tests, or the file as a whole. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = relative(root, name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0 && status === 'failed') return [{ name: file, why: message }];
  return failed.map((test) => ({ name: `${file}: ${test.fullName}`, why: test.failureMessages.join('\n') }));
}

function run(command, args, env = {}) {
  const start = performance.now();
  process.stdout.write(`\n> ${command} ${args.length > 8 ? `${args.slice(0, 8).join(' ')} …` : args.join(' ')}\n`);
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  const { status, error } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: path, ...env },
  });
  if (error) process.stdout.write(`${command}: ${error.message}\n`);
  process.stdout.write(`> ${command} took ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
  return status === 0;
}

/** Runs a command beside others. Tells whether it ended well. */
function start(command, args) {
  process.stdout.write(`\n> ${command} ${args.join(' ')} (in the background)\n`);
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', () => resolve(false));
    child.on('close', (status) => resolve(status === 0));
  });
}

/** Whether a program is there in a version that agrees with what is committed. */
function needs(command, version, debianPackage) {
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  const found = version.test(stdout ?? '');
  if (!found) missing.push([command, debianPackage]);
  return found;
}

function cFiles() {
  return ['native', 'demo', 'templates', 'test']
    .flatMap((dir) => readdirSync(dir, { recursive: true }).map((file) => join(dir, file)))
    .filter((file) => /\.(c|cc|h)$/.test(file) && !file.includes('node_modules'));
}

function summarize() {
  process.stdout.write('\n');
  for (const { name, passed, failed } of results) {
    process.stdout.write(`${failed > 0 ? 'FAILED' : 'ok    '}  ${name}: ${passed} passed, ${failed} failed\n`);
  }
  // Once more and in short: what ran before fills screens.
  for (const { name, why } of failures) {
    process.stdout.write(`FAILED  ${name}\n`);
    for (const line of why.split('\n').slice(0, linesOfFailure)) process.stdout.write(`        ${line}\n`);
  }
  if (missing.length > 0) {
    const list = missing.map(([what, debianPackage]) => `${what} (Debian package ${debianPackage})`).join(', ');
    process.stdout.write(`Not run, because it is not installed: ${list}\n`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}
