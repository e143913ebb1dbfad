import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runCommand, Running } from '../fixtures/command-line.js';

// What an author does who has the package as npm delivers it, and nothing of this repository but the addon, which takes
// minutes to build and is what the sources make of it anywhere. Needs the npm registry.

const root = fileURLToPath(new URL('../..', import.meta.url));
/** As in a shell: what npm tells scripts about this package would mislead it in another folder. */
const shell = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_(package|lifecycle|config_local_prefix)|INIT_CWD)/.test(name)),
);

let env: NodeJS.ProcessEnv;
let folder: string;
let project: string;
let served: Running | null = null;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-packed-'));
  project = join(folder, 'hello');
  env = { ...shell, AIGES_ADDON: join(root, 'build', 'Release', 'aiges.node') };
});

afterAll(() => {
  served?.kill();
  rmSync(folder, { recursive: true, force: true });
});

async function step(cwd: string, command: string, ...args: string[]): Promise<Ended> {
  const ended = await runCommand(command, args, cwd, env);
  expect(ended, `${command} ${args.join(' ')}\n${ended.stdout}${ended.stderr}`).toMatchObject({ code: 0 });
  return ended;
}

describe('the packed package', () => {
  it('creates a project that depends on the very same archive', async () => {
    const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
    const [{ files }] = JSON.parse((await step(root, 'npm', ...packing)).stdout) as [{ files: { path: string }[] }];
    const needed = (
      await step(root, 'git', 'ls-files', 'native', 'proto', 'templates', 'CMakeLists.txt')
    ).stdout.trim();
    const page = ['index.html', 'style.css', 'icon.svg', 'main.js'].map((file) => `dist/playground/${file}`);
    expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining([...needed.split('\n'), ...page]));
    const [archive = ''] = readdirSync(folder).filter((file) => file.endsWith('.tgz'));
    const tool = join(folder, 'tool');
    mkdirSync(tool);
    await step(tool, 'npm', 'install', '--prefer-offline', join(folder, archive));
    await step(tool, 'npx', 'aiges-ts', 'create', '../hello');
    const { dependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    expect(dependencies).toEqual({ 'aiges-ts': `file:../${archive}` });
  }, 300_000);

  it('is installed with it', async () => {
    await step(project, 'npm', 'install', '--prefer-offline');
  }, 300_000);

  it('lets it pass its tests', async () => {
    const { stdout } = await step(project, 'npm', 'test');
    expect(stdout).toMatch(/pass 3/);
    expect(stdout).toMatch(/fail 0/);
  }, 120_000);

  it('runs it', async () => {
    const { stdout } = await step(project, 'npx', 'aiges-ts', 'run');
    expect(stdout).toMatch(/\{"words":13,[^]*\npassed\n$/);
  }, 120_000);

  it('serves it', async () => {
    served = new Running(
      'npx',
      ['aiges-ts', 'serve', '--set', 'svcName.port=0', '--set', 'http.listen=127.0.0.1:0'],
      project,
      env,
    );
    const url = await served.printed(/HTTP {2}(http:\S+)/);
    expect(url).toMatch(/\/v1\/private\/hello$/);
    const reply = await fetch(url, {
      method: 'POST',
      body: JSON.stringify({ payload: { text: { text: Buffer.from('one two two').toString('base64') } } }),
    });
    expect(await reply.json()).toMatchObject({
      header: { code: 0 },
      payload: {
        result: {
          text: JSON.stringify({
            words: 3,
            top: [
              { word: 'two', count: 2 },
              { word: 'one', count: 1 },
            ],
          }),
        },
      },
    });
    await served.stop();
    expect(served.output).toContain('finishing running calls');
  }, 120_000);

  it('lets it be packed in turn', async () => {
    const { stdout } = await step(project, 'npm', 'pack', '--json');
    const [packed] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    expect(packed.files.map(({ path }) => path).sort()).toEqual([
      'README.md',
      'aiges.toml',
      'data/text.txt',
      'package.json',
      'wrapper.test.ts',
      'wrapper.ts',
    ]);
  }, 120_000);
});
