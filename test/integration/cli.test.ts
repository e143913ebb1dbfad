import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AigesError } from '../../src/core/errors.js';
import { FakeRuntime, textFrame } from '../fixtures/fake-runtime.js';
import { type RunningHost, startHost } from '../fixtures/host.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let folder: string;
let loader: RunningHost;
let grpc: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-cli-'));
  const runtime = new FakeRuntime((call, frames) => {
    if (call.params.get('fail') === 'yes') throw new AigesError('execFailed', { message: 'no luck;code=7' });
    return frames.map((frame) => textFrame('result', '', { data: frame.data, type: frame.type }));
  });
  loader = await startHost({ runtime });
  grpc = `grpc://127.0.0.1:${loader.started.grpc.port}`;
});

afterAll(async () => {
  await loader.stop();
  rmSync(folder, { recursive: true });
});

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

describe('aiges-ts', () => {
  it('suggests the command that was meant', async () => {
    const { code, stderr } = await run('serv');
    expect(code).toBe(2);
    expect(stderr).toContain('Did you mean serve?');
  });

  it.each(['create', 'run', 'dev', 'serve', 'call', 'schema', 'inspect', 'init'])(
    'explains %s with an example',
    async (command) => {
      const { code, stdout } = await run(command, '--help');
      expect(stdout).toMatch(new RegExp(`Examples?:\\n +aiges-ts ${command}`));
      expect(code).toBe(0);
    },
  );

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect((await run('--version')).stdout.trim()).toBe(version);
  });
});

describe('aiges-ts with flags of the original', () => {
  it('says what is wrong with them', async () => {
    expect(await run('-m=1', '-c=aiges.toml')).toMatchObject({
      code: 2,
      stderr: 'aiges-ts: -m=1: the configuration centre is not offered; use -m=0 and a file\n',
    });
  });

  it('reads them as the start scripts of its images write them', async () => {
    const { code, stderr } = await run(
      '-m=0',
      '-c=nope.toml',
      '-s=svcName',
      '-u=http://companion:6868',
      '-p=AIaaS',
      '-g=dx',
    );
    expect(stderr).toMatch(
      /^aiges-ts: warning: -u, -p, -g: for the platform of the original, ignored\naiges-ts: nope\.toml: no such file/,
    );
    expect(code).toBe(2);
    expect((await run('-v')).stdout).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe('aiges-ts call', () => {
  it.each([
    [['ftp://x'], 2, /expected an address that starts with grpc:\/\/ or http:\/\//],
    [['grpc://127.0.0.1:1', '-i', 'a'], 2, /expected name=text or name=@file/],
    [['grpc://127.0.0.1:1', '-t', '0'], 2, /expected a positive number of milliseconds/],
    [['http://127.0.0.1:9/', '-i', 'a=b'], 1, /cannot reach http:\/\/127\.0\.0\.1:9\/v1\/private\/svcName: /],
  ])('%j ends with exit code %i and what is wrong', async (args, expected, message) => {
    const { code, stderr } = await run('call', ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(expected);
  });

  it.each(['grpc', 'http'])('prints what a loader answers over %s', async (protocol) => {
    const address = protocol === 'grpc' ? grpc : loader.httpUrl;
    const { code, stdout } = await run('call', address, '-s', 'svc', '-i', 'input=hello', '-o', 'result:text');
    expect(stdout).toBe('result: hello\n');
    expect(code).toBe(0);
  });

  it.each(['grpc', 'http'])("prints the loader's error over %s and exits 1", async (protocol) => {
    const address = protocol === 'grpc' ? grpc : loader.httpUrl;
    const { code, stderr } = await run('call', address, '-s', 'svc', '-i', 'input=x', '-p', 'fail=yes', '-o', 'result');
    expect(stderr).toMatch(/code 10909: no luck;code=7/);
    expect(code).toBe(1);
  });

  it('writes outputs to files', async () => {
    const { stdout } = await run('call', loader.httpUrl, '-s', 'svc', '-i', 'input:image=pixels', '--save', folder);
    expect(stdout).toContain(`result: 6 bytes (image) written to ${join(folder, 'result')}`);
    expect(readFileSync(join(folder, 'result'), 'utf8')).toBe('pixels');
  });
});

describe('aiges-ts init', () => {
  it('writes the default configuration and does not replace a file unless told', async () => {
    expect(await run('init')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('aiges.toml written') as string,
    });
    const committed = readFileSync(new URL('../../aiges.toml', import.meta.url), 'utf8');
    expect(readFileSync(join(folder, 'aiges.toml'), 'utf8')).toBe(committed);
    expect(await run('init')).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') as string });
    expect(await run('init', '--keep')).toMatchObject({ code: 0, stdout: '' });
    expect(await run('init', '--force')).toMatchObject({ code: 0 });
  });

  it('says why a file cannot be written', async () => {
    const { code, stderr } = await run('init', 'nowhere/aiges.toml');
    expect(stderr).toMatch(/cannot write nowhere\/aiges\.toml/);
    expect(code).toBe(1);
  });
});
