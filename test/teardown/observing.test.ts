import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCpuList } from '../../src/runtimes/native/numa.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { parsePrometheus } from '../fixtures/prometheus.js';
import { RawClient } from '../fixtures/raw-client.js';
import { askCommand } from '../fixtures/toolbox-client.js';
import { callXsf, onceInput, onceRequest, StreamClient } from '../fixtures/xsf-client.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let folder: string;
let children: ChildProcess[];
let clients: RawClient[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-observing-'));
  children = [];
  clients = [];
});

afterEach(() => {
  for (const client of clients) client.close();
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Loader {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ code: number | null; output: string }>;
}

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** What starts the loader, such as `taskset -c 0`. */
  readonly before?: readonly string[];
}

/** Starts a loader with the fixture engine in the test's folder. */
function start(config: string, { env = {}, before = [] }: Surroundings = {}): Loader {
  writeFileSync(
    join(folder, 'aiges.toml'),
    `[svcName]\nhost = "127.0.0.1"\nport = 0\n[http]\nlisten = "off"\n[plugin]\npath = "${fixtureEngine('scripted')}"\n${config}\n`,
  );
  const args = [...before, process.execPath, main, 'serve'];
  const child = spawn(args[0] ?? '', args.slice(1), {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output += text.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  return { child, output: () => output, ended };
}

async function serve(config: string, surroundings: Surroundings = {}): Promise<Loader & { client: RawClient }> {
  const loader = start(config, surroundings);
  for (;;) {
    const port = /gRPC {2}127\.0\.0\.1:(\d+)/.exec(loader.output())?.[1];
    if (port !== undefined) {
      const client = new RawClient(Number(port));
      clients.push(client);
      return { ...loader, client };
    }
    if (loader.child.exitCode !== null) throw new Error(`ended before it listened: ${loader.output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function stop({ child, ended }: Loader): Promise<string> {
  child.kill('SIGTERM');
  const { code, output } = await ended;
  expect(code).toBe(0);
  return output;
}

const read = (...names: string[]): string => readFileSync(join(folder, ...names), 'utf8');
const recording = (): string => read('xsf_status', 'recording');
const fails = (client: RawClient): ReturnType<typeof callXsf> =>
  callXsf(client, onceRequest(onceInput({ params: { do: 'fail' } })));

describe('xsf_status/recording', () => {
  it('stays at xsf_initializing when the configuration is refused', async () => {
    expect((await start('[fc]\nmaxx = 1').ended).code).toBe(2);
    expect(recording()).toBe('xsf_initializing');
  });

  it('stays at user_initializing when the plugin does not start', async () => {
    expect((await start('[wrapper]\ninitFail = 5').ended).code).toBe(1);
    expect(recording()).toBe('user_initializing');
  });

  it('holds xsf_done while serving and after the end', async () => {
    const loader = await serve('');
    expect(recording()).toBe('xsf_done');
    await stop(loader);
    expect(recording()).toBe('xsf_done');
  });

  it('that cannot be written costs one warning', async () => {
    writeFileSync(join(folder, 'xsf_status'), '');
    const loader = await serve('');
    expect((await callXsf(loader.client, onceRequest())).output?.code).toBe(0);
    expect((await stop(loader)).match(/xsf_status\/recording cannot be written/g)).toHaveLength(1);
  });
});

describe('[log].file', () => {
  it('that cannot be opened ends the start with one line that names the key', async () => {
    writeFileSync(join(folder, 'log'), '');
    const { code, output } = await start('[log]\nfile = "./log/aiges.log"').ended;
    expect(code).toBe(1);
    expect(output).toMatch(/^aiges-ts: \[log\]\.file: cannot write \.\/log\/aiges\.log: .+\n$/);
  });

  it('on a disk that is full costs one line on standard error, and no call', async () => {
    const loader = await serve('[log]\nfile = "/dev/full"');
    for (let call = 0; call < 50; call++) expect((await fails(loader.client)).output?.code).toBe(10909);
    const output = await stop(loader);
    expect(output.match(/lines of the log are lost: \/dev\/full: ENOSPC/g)).toHaveLength(1);
  });

  it('holds what happened, in directories that are made for it, once the loader has ended', async () => {
    const loader = await serve('[log]\nfile = "./log/server/wrapper.log"\n[wrapper]\nx = 1');
    for (let call = 0; call < 20; call++) await fails(loader.client);
    const output = await stop(loader);
    const lines = read('log', 'server', 'wrapper.log').trimEnd().split('\n');
    expect(lines).toHaveLength(20);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: 'info', code: 10909 });
    expect(output).not.toContain('10909');
  });

  it('holds why a start failed, and standard error too', async () => {
    const { code, output } = await start('[log]\nfile = "a.log"\n[wrapper]\ninitFail = 5').ended;
    expect(code).toBe(1);
    expect(output).toMatch(/scripted error 5;code=5/);
    expect(JSON.parse(read('a.log'))).toMatchObject({ level: 'error', msg: 'not started' });
    expect(read('a.log')).toContain('scripted error 5;code=5');
  });

  it('is rotated while calls run, and no line is lost', async () => {
    const loader = await serve('[log]\nfile = "log/a.log"\nsize = 1\ncount = 3');
    // Every failing call logs its engine's text; a handle of 256 characters makes the lines longer.
    const handle = 'h'.repeat(250);
    const calls = 3500;
    for (let call = 0; call < calls; call += 100) {
      const batch = Array.from({ length: 100 }, (_, each) =>
        callXsf(
          loader.client,
          onceRequest(onceInput(), { op: 'AIOut', param: {}, s: { h: handle + String(call + each) } }),
        ),
      );
      await Promise.all(batch);
    }
    await stop(loader);
    const names = readdirSync(join(folder, 'log')).sort();
    expect(names.length).toBeGreaterThan(1);
    expect(names.length).toBeLessThanOrEqual(4);
    const lines = names.flatMap((name) => read('log', name).trimEnd().split('\n'));
    expect(lines).toHaveLength(calls);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ code: 10008 });
  });
});

describe('AIGES_ENV_NUMA', () => {
  const startOn = (node: string): ReturnType<typeof start>['ended'] =>
    start('', { env: { AIGES_ENV_NUMA: node } }).ended;

  it('that is no number ends the start', async () => {
    expect(await startOn('x')).toMatchObject({
      code: 2,
      output: 'aiges-ts: AIGES_ENV_NUMA: expected the number of a NUMA node such as 0 but found "x"\n',
    });
  });

  it('that names no node of this machine ends the start', async () => {
    const { code, output } = await startOn('99999');
    expect(output).toMatch(/^aiges-ts: cannot run on NUMA node 99999 \(AIGES_ENV_NUMA\): .+\n$/);
    expect(code).toBe(1);
  });

  const cpuList = '/sys/devices/system/node/node0/cpulist';
  const allowedOf = (path: string): readonly number[] =>
    parseCpuList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '') ?? [];
  const ours = allowedOf('/proc/self/status');
  const expected = existsSync(cpuList)
    ? (parseCpuList(readFileSync(cpuList, 'utf8')) ?? []).filter((cpu) => ours.includes(cpu))
    : [];

  // From a single CPU, so that it shows whether anything has been bound.
  it.skipIf(expected.length === 0)('puts every thread of the loader on the CPUs of its node', async () => {
    const before = ['taskset', '-c', String(ours[0])];
    const loader = await serve('[fc]\nmax = 8', { env: { AIGES_ENV_NUMA: '0' }, before });
    await Promise.all(Array.from({ length: 8 }, () => callXsf(loader.client, onceRequest())));
    const { pid } = loader.child;
    const threads = readdirSync(`/proc/${String(pid)}/task`);
    expect(threads.length).toBeGreaterThan(1);
    for (const thread of threads) {
      expect(allowedOf(`/proc/${String(pid)}/task/${thread}/status`)).toEqual(expected);
    }
    await stop(loader);
  });
});

describe('aiges.storageData', () => {
  it('stores the inputs of one-shot requests in the working directory, and nothing where it is off', async () => {
    for (const on of [false, true]) {
      const loader = await serve(`[aiges]\nstorageData = ${String(on)}`);
      expect((await callXsf(loader.client, onceRequest())).output?.code).toBe(0);
      const stream = new StreamClient(loader.client);
      await stream.create();
      await stream.write(1, 'of a stream', 2, 'streamed');
      await stream.poll();
      await stop(loader);
      if (on) expect(read('input')).toBe('hello');
      expect(readdirSync(folder).sort()).toEqual(['aiges.toml', ...(on ? ['input'] : []), 'xsf_status']);
    }
  });

  it('answers a request whose payload has a hostile name, and writes nothing', async () => {
    const loader = await serve('[aiges]\nstorageData = true');
    for (const name of ['../escaped', 'aiges.toml', 'libx.so']) {
      const pl = [{ meta: { name, dataType: 0, attribute: { status: '3' } }, data: Buffer.from('x') }];
      expect((await callXsf(loader.client, onceRequest(onceInput({ pl })))).output?.code).toBe(0);
    }
    const before = read('aiges.toml');
    const output = await stop(loader);
    expect(output.match(/input not stored/g)).toHaveLength(3);
    expect(read('aiges.toml')).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(['aiges.toml', 'xsf_status']);
    expect(existsSync(join(folder, '..', 'escaped'))).toBe(false);
  });
});

describe('[metrics]', () => {
  it('are answered with the labels of the file, and off without a word of it', async () => {
    const off = await serve('');
    expect((await askCommand(off.client, { cmd: 'metrics' })).body).toMatch(/^# metrics are off; .+\n$/);
    await stop(off);
    const on = await serve('[metrics]\nable = 1\nsub = "ase"\nidc = "hu"\ncs = "3s"');
    await callXsf(on.client, onceRequest());
    const families = parsePrometheus((await askCommand(on.client, { cmd: 'metrics' })).body);
    expect(families.get('module_request')?.samples).toEqual([
      { part: '', labels: { type: 'passive', code: '0', sub: 'ase', name: 'svcName', idc: 'hu', cs: '3s' }, value: 1 },
    ]);
    expect(families.get('aiges_native_engines')?.samples[0]?.value).toBe(1);
    await stop(on);
  });
});
