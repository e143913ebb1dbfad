import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { eventually } from '../fixtures/eventually.js';
import { FileGate } from '../fixtures/file-gate.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest } from '../fixtures/xsf-client.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let folder: string;
let children: ChildProcess[];
let clients: RawClient[];
let gates: FileGate[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-serve-'));
  children = [];
  clients = [];
  gates = [];
});

afterEach(() => {
  for (const client of clients) client.close();
  for (const child of children) child.kill('SIGKILL');
  for (const gate of gates) gate.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Served {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ code: number | null; signal: string | null; output: string }>;
}

function run(args: readonly string[]): Served {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    output,
  }));
  return { child, output: () => output, ended };
}

/** Writes a configuration for the fixture engine and starts a loader with it. */
async function serve(
  changes: { limits?: string; wrapper?: string; max?: number } = {},
): Promise<Served & { client: RawClient; http: string }> {
  const file = join(folder, 'aiges.toml');
  writeFileSync(
    file,
    `[svcName]\nhost = "127.0.0.1"\nport = 0\n[http]\nlisten = "127.0.0.1:0"\n[fc]\nmax = ${changes.max ?? 4}\n[metrics]\nable = 1\n[log]\nlevel = "error"\n` +
      `[plugin]\npath = "${fixtureEngine('scripted')}"\n[limits]\n${changes.limits ?? ''}\n` +
      `[wrapper]\nfiniLog = "${join(folder, 'fini')}"\n${changes.wrapper ?? ''}\n`,
  );
  const served = run(['serve', '-c', file]);
  const grpc = await printed(served, /gRPC {2}127\.0\.0\.1:(\d+)/);
  const http = await printed(served, /HTTP {2}(http:\S+)/);
  const client = new RawClient(Number(grpc));
  clients.push(client);
  return { ...served, client, http };
}

async function printed(served: Served, pattern: RegExp): Promise<string> {
  for (;;) {
    const found = pattern.exec(served.output())?.[1];
    if (found !== undefined) return found;
    if (served.child.exitCode !== null) throw new Error(`ended before it listened: ${served.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What the loader counts now. */
async function metric(http: string, name: string): Promise<number> {
  const page = await (await fetch(new URL('/metrics', http))).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'm').exec(page)?.[1]);
}

const finiCount = (): number =>
  existsSync(join(folder, 'fini')) ? readFileSync(join(folder, 'fini'), 'utf8').split('\n').length - 1 : 0;

/** A call that stays inside the engine until its gate is opened. */
async function callInside(client: RawClient): Promise<{ answer: ReturnType<typeof callXsf>; gate: FileGate }> {
  const gate = new FileGate();
  gates.push(gate);
  const request = onceRequest(onceInput({ params: gate.params }), { param: { SeqNo: '1', waitTime: '60000' } });
  const answer = callXsf(client, request, { deadlineMs: 60_000 });
  await gate.entered();
  return { answer, gate };
}

describe('aiges-ts serve refuses to start, with an exit code and one line, when', () => {
  const config = (text: string): string => {
    const file = join(folder, 'broken.toml');
    writeFileSync(file, text);
    return file;
  };
  const quiet = '[http]\nlisten = "off"\n[svcName]\nhost = "127.0.0.1"\nport = 0\n';

  it.each([
    ['the configuration is missing', () => join(folder, 'nope.toml'), 2, /nope\.toml: no such file.*aiges-ts init/],
    ['the configuration is not TOML', () => config('[svcName\n'), 2, /broken\.toml:1/],
    ['a key is misspelt', () => config('[fc]\nmaxx = 1\n'), 2, /maxx.*max/],
    [
      'the library is missing',
      () => config(`${quiet}[plugin]\npath = "/nowhere/libwrapper.so"\n`),
      1,
      /\/nowhere\/libwrapper\.so/,
    ],
    [
      'the library is none',
      () => config(`${quiet}[plugin]\npath = "${fileURLToPath(new URL('../../README.md', import.meta.url))}"\n`),
      1,
      /README\.md.*(no shared library|not a shared library|invalid ELF header)/,
    ],
    [
      'symbols are missing',
      () => config(`${quiet}[plugin]\npath = "${fixtureEngine('no_symbols')}"\n`),
      1,
      /wrapperInit.*wrapperFini.*extern "C"/,
    ],
    [
      'wrapperInit fails',
      () => config(`${quiet}[plugin]\npath = "${fixtureEngine('scripted')}"\n[wrapper]\ninitFail = 5\n`),
      1,
      /scripted error 5;code=5/,
    ],
  ])('%s', async (_name, file, expected, message) => {
    const { code, output } = await run(['serve', '-c', file()]).ended;
    expect(output).toMatch(message);
    expect(code).toBe(expected);
    expect(output.trimEnd().split('\n')).toHaveLength(1);
  });

  it('the port is in use', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const file = config(
      `[svcName]\nhost = "127.0.0.1"\nport = ${port}\n[plugin]\npath = "${fixtureEngine('scripted')}"\n`,
    );
    const { code, output } = await run(['serve', '-c', file]).ended;
    expect(output).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}: the port is in use`));
    expect(output.trimEnd().split('\n')).toHaveLength(1);
    expect(code).toBe(1);
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe('aiges-ts serve', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends by itself on %s when idle, after wrapperFini, with exit code 0',
    async (signal) => {
      const { child, ended } = await serve();
      child.kill(signal);
      expect(await ended).toMatchObject({ code: 0 });
      expect(finiCount()).toBe(1);
    },
  );

  it('finishes calls that are inside the engine, then ends it, and exits 0', async () => {
    const { child, ended, client, http } = await serve();
    const first = await callInside(client);
    const second = await callInside(client);
    child.kill('SIGTERM');
    await eventually(() => fetch(new URL('/readyz', http)).then(({ status }) => status)).toBe(503);
    expect((await callXsf(client, onceRequest())).output).toMatchObject({ code: 10110 });
    expect(finiCount()).toBe(0);
    first.gate.open();
    second.gate.open();
    expect((await first.answer).output).toMatchObject({ code: 0 });
    expect((await second.answer).output).toMatchObject({ code: 0 });
    expect(await ended).toMatchObject({ code: 0 });
    expect(finiCount()).toBe(1);
  });

  it.each([1, 2])('finishes calls that wait for a licence too, unless it gets a second signal: %d', async (signals) => {
    const { child, ended, client, http, output } = await serve({ max: 1 });
    const inside = await callInside(client);
    const body = JSON.stringify({ payload: { input: { text: 'eA==' } } });
    let answered = 0;
    const waiting = Array.from({ length: 3 }, () =>
      fetch(http, { method: 'POST', body }).then(
        ({ status }) => {
          answered++;
          return status;
        },
        () => 'cut',
      ),
    );
    await eventually(() => metric(http, 'aiges_waiting')).toBe(3);
    child.kill('SIGTERM');
    await eventually(output).toContain('finishing running calls');
    await eventually(() => fetch(new URL('/readyz', http)).then(({ status }) => status)).toBe(503);
    expect(answered).toBe(0);
    if (signals === 2) child.kill('SIGTERM');
    else inside.gate.open();
    const result = signals === 2 ? 'cut' : 200;
    expect(await Promise.all(waiting)).toEqual([result, result, result]);
    expect(await ended).toMatchObject({ code: signals === 2 ? 143 : 0 });
    expect(finiCount()).toBe(signals === 2 ? 0 : 1);
    await inside.answer;
  });

  it('exits 1 without ending the engine when a call does not return within drainTimeout, and says so', async () => {
    const { child, ended, client } = await serve({ limits: 'drainTimeout = "50ms"' });
    const stuck = await callInside(client);
    child.kill('SIGTERM');
    expect((await stuck.answer).output).toMatchObject({ code: 10110, err: 'service is shutting down' });
    const { code, output } = await ended;
    expect(code).toBe(1);
    expect(output).toContain('1 call(s) were still inside the plugin');
    expect(finiCount()).toBe(0);
  });

  it.each(['gRPC', 'HTTP'])('is not held up by a silent connection to its %s port', async (which) => {
    const { child, ended, client, http } = await serve({ limits: 'drainTimeout = "10m"' });
    const port = which === 'gRPC' ? client.port : Number(new URL(http).port);
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => undefined);
    await once(silent, 'connect');
    child.kill('SIGTERM');
    // Long before drainTimeout: there is no call to wait for.
    expect(await ended).toMatchObject({ code: 0 });
    expect(finiCount()).toBe(1);
    silent.destroy();
  });

  it('finishes its calls although nobody reads its output any more', async () => {
    const { child, ended, client } = await serve();
    const inside = await callInside(client);
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.kill('SIGTERM');
    await eventually(() => callXsf(client, onceRequest()).then(({ output }) => output?.code)).toBe(10110);
    inside.gate.open();
    expect((await inside.answer).output).toMatchObject({ code: 0 });
    expect(await ended).toMatchObject({ code: 0 });
    expect(finiCount()).toBe(1);
  });

  it('ends at once on a second signal', async () => {
    const { child, ended, client, output } = await serve();
    const stuck = await callInside(client);
    child.kill('SIGTERM');
    await eventually(output).toContain('finishing running calls');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 143 });
    expect((await stuck.answer).status).not.toBe(0);
  });

  it('keeps serving after its clients have been killed in the middle of a call', async () => {
    const { child, ended, client } = await serve();
    const inside = await callInside(client);
    client.close();
    client.client.getChannel().close();
    inside.gate.open();
    const other = new RawClient(client.port);
    clients.push(other);
    expect((await callXsf(other, onceRequest())).output).toMatchObject({ code: 0 });
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
    expect(finiCount()).toBe(1);
  });
});
