import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function run(
  script: string,
  ...args: string[]
): { child: ChildProcess; output: () => string; ended: Promise<unknown[]> } {
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  return { child, output: () => output, ended: once(child, 'close') };
}

describe('npm start', () => {
  it('prints a line for each protocol that gets the digit of a real image', async () => {
    const { child, output, ended } = run('demo/digits/start.mjs', 'svcName.port=0', 'http.listen=127.0.0.1:0');
    await expect.poll(output, { timeout: 120_000 }).toContain('Ctrl-C stops it.');
    const lines = output().match(/^ {2}node .*$/gm) ?? [];
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const answer = await new Promise<string>((resolve) => {
        execFile('sh', ['-c', line], { cwd: root }, (_error, stdout, stderr) => {
          resolve(stdout + stderr);
        });
      });
      expect(answer).toMatch(/^result: \{"digit":7,/);
    }
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  }, 300_000);
});

describe('npm run demo', () => {
  it('prints the answers and both accuracies, and ends by itself', async () => {
    const { output, ended } = run('demo/digits/demo.mjs');
    expect((await ended)[0]).toBe(0);
    expect(output()).toMatch(/^7-0\.png +7 +7 +0\.\d{4}$/m);
    expect(output()).toMatch(/^samples: [\d.]+ % of \d+ right, over HTTP$/m);
    const heldOut = /^held out: ([\d.]+) % of (\d+) right, over gRPC$/m.exec(output());
    expect(Number(heldOut?.[1])).toBeGreaterThanOrEqual(97);
    expect(Number(heldOut?.[2])).toBeGreaterThanOrEqual(2000);
  }, 300_000);
});
