import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aiges, mainScript, Running } from '../fixtures/command-line.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { eventually } from '../fixtures/eventually.js';
import { FileGate } from '../fixtures/file-gate.js';
import { parsePrometheus } from '../fixtures/prometheus.js';
import { RawClient } from '../fixtures/raw-client.js';
import { askCommand } from '../fixtures/toolbox-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, textsOf, type XsfAnswer } from '../fixtures/xsf-client.js';

// A C engine, a wrapper in TypeScript, and a second service with that engine, in one loader, as an operator starts it.

const sdk = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
const wrapper = fileURLToPath(new URL('../fixtures/wrappers/scripted.ts', import.meta.url));

let folder: string;
let finiLog: string;
let gate: FileGate;
let loader: Running;
let client: RawClient;
let httpUrl: string;

const config = (more: string): string => `
[svcName]
host = "127.0.0.1"
port = 0
[http]
listen = "127.0.0.1:0"
[metrics]
able = 1
[fc]
max = 2
[plugin]
path = "${fixtureEngine('scripted')}"
service = "engine"
[wrapper]
finiLog = "${finiLog}"
${more}
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-services-'));
  finiLog = join(folder, 'fini.log');
  gate = new FileGate();
  writeFileSync(
    join(folder, 'aiges.toml'),
    config(`
[services.script]
path = "${wrapper}"
version = "v2"
max = 1
[services.twin]
path = "${fixtureEngine('scripted')}"
route = "/twin"
[services.twin.wrapper]
finiLog = "${finiLog}"
`),
  );
  loader = new Running(process.execPath, [mainScript, 'serve'], folder);
  client = new RawClient(Number(await loader.printed(/gRPC {2}127\.0\.0\.1:(\d+) /)));
  httpUrl = await loader.printed(/HTTP {2}(http:\/\/[^/]+)\/v1/);
});

afterAll(() => {
  client.close();
  loader.kill();
  gate.remove();
  rmSync(folder, { recursive: true });
});

function ask(serviceId: string, params: Record<string, string>): Promise<XsfAnswer> {
  const pl = [{ meta: { name: 'text', dataType: 0, attribute: { status: '3' } }, data: Buffer.from('hello') }];
  return callXsf(client, onceRequest(onceInput({ serviceId, serviceName: '', params, pl })));
}

async function post(path: string, params: Record<string, string>): Promise<unknown> {
  const payload = { text: { text: Buffer.from('hello').toString('base64') } };
  const reply = await fetch(httpUrl + path, {
    method: 'POST',
    body: JSON.stringify({ parameter: { p: params }, payload }),
  });
  return reply.json();
}

/** Only the engine knows how to do the one, and only the wrapper the other. */
const engineOnly = { do: 'echoParams' };
const wrapperOnly = { do: 'thread' };

async function metric(name: string): Promise<Record<string, number>> {
  const { body } = await askCommand(client, { cmd: 'metrics' });
  const samples = parsePrometheus(body).get(name)?.samples ?? [];
  return Object.fromEntries(samples.map(({ labels, value }) => [labels['service'] ?? '', value]));
}

describe('a second service that does not start', () => {
  it('ends the first, and the loader, with a line that names it', async () => {
    const log = join(folder, 'other-fini.log');
    const text = config(`[services.bad]\npath = "${wrapper}"\n[services.bad.wrapper]\ninit = "throw"`);
    writeFileSync(join(folder, 'bad.toml'), text.replace(finiLog, log));
    expect(await aiges(folder, 'serve', '-c', 'bad.toml')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^aiges-ts: \[services\.bad\]: .*no weights/m) as string,
    });
    expect(readFileSync(log, 'utf8')).toBe('fini\n');
  });
});

describe('several services in one loader', () => {
  it('have a line each when they are served', () => {
    expect(loader.output).toMatch(
      /serves "engine" v1 \(native plugin.*\n.* serves "script" v2 \(node plugin.*\n.* serves "twin" v1 \(native/,
    );
    expect(loader.output).toMatch(
      /gRPC {2}\S+ {2}\/utils\.XsfCall\/call {2}\(calls that name none of them: "engine"\)\n/,
    );
    for (const route of ['/v1/private/engine', '/v2/private/script', '/twin'])
      expect(loader.output).toContain(`${httpUrl}${route}\n`);
  });

  it.each([
    ['engine', '/v1/private/engine', engineOnly, /do=echoParams/],
    ['script', '/v2/private/script', wrapperOnly, /^\d+$/],
    ['twin', '/twin', engineOnly, /do=echoParams/],
  ])('%s answers by its name over gRPC, and over HTTP at %s', async (name, path, params, text) => {
    expect(textsOf(await ask(name, params))[0]).toMatch(text);
    expect(await post(path, params)).toMatchObject({
      payload: { result: { text: expect.stringMatching(text) as string } },
    });
  });

  it('gives what names no service to the main one', async () => {
    expect(textsOf(await ask('', engineOnly))[0]).toMatch(/do=echoParams/);
    expect(textsOf(await ask('svcName', engineOnly))[0]).toMatch(/do=echoParams/);
  });

  it('shares an engine between those that want the same', async () => {
    expect(await metric('aiges_native_engines')).toEqual({ '': 1 });
  });

  it('keeps licences apart', async () => {
    expect(await metric('aiges_permits')).toEqual({ engine: 2, script: 1, twin: 2 });
    const held = [new StreamClient(client), new StreamClient(client)];
    for (const stream of held) await stream.create({ serviceId: 'engine', params: {} });
    expect((await ask('engine', engineOnly)).output).toMatchObject({ code: 10110 });
    expect((await ask('twin', engineOnly)).output).toMatchObject({ code: 0 });
    expect((await ask('script', wrapperOnly)).output).toMatchObject({ code: 0 });
    expect(await metric('aiges_sessions')).toEqual({ engine: 2, script: 0, twin: 0 });
    for (const stream of held) await stream.abort();
    expect((await ask('engine', engineOnly)).output).toMatchObject({ code: 0 });
  });

  it("loses a wrapper's thread without a trace in the others", async () => {
    const running = ask('engine', gate.params);
    await gate.entered();
    expect((await ask('script', { do: 'exit' })).output).toMatchObject({ code: 10109 });
    expect((await ask('twin', engineOnly)).output).toMatchObject({ code: 0 });
    gate.open();
    expect((await running).output).toMatchObject({ code: 0 });
    expect((await ask('script', wrapperOnly)).output).toMatchObject({ code: 0 });
  });

  it('leaves nothing behind, and ends each plugin after its last call', async () => {
    for (const name of ['aiges_running', 'aiges_sessions', 'aiges_waiting']) {
      expect(await metric(name)).toEqual({ engine: 0, script: 0, twin: 0 });
    }
    for (const name of ['sessions', 'jobs_running', 'pins', 'outputs_alive', 'loans', 'async_waiting']) {
      await eventually(() => metric(`aiges_native_${name}`)).toEqual({ '': 0 });
    }
    gate.close();
    rmSync(`${gate.file}.entered`);
    const last = ask('twin', gate.params);
    await gate.entered();
    const ended = loader.stop();
    await loader.printed(/SIGTERM: finishing running calls/);
    expect(existsSync(finiLog)).toBe(false);
    expect((await ask('script', wrapperOnly)).output).toMatchObject({ code: 10110 });
    gate.open();
    expect((await last).output).toMatchObject({ code: 0 });
    client.close();
    expect(await ended).toBe(0);
    expect(readFileSync(finiLog, 'utf8')).toBe('fini\n');
  });
});

describe('commands about one service', () => {
  const several = '[services.one]\npath = "./one.ts"\n[services.two]\npath = "./two.so"';

  it.each([
    ['run', /there are several services; choose one with --service one or --service two/],
    ['schema', /there are several services; choose one with --service one or --service two/],
    ['inspect', /there are several services; choose one with --service one or --service two/],
  ])('%s asks which one, when there is no main one', async (command, message) => {
    writeFileSync(join(folder, 'several.toml'), several);
    expect(await aiges(folder, command, '-c', 'several.toml')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message) as string,
    });
  });

  it('say that the one chosen is of the wrong kind, and which are not', async () => {
    expect(await aiges(folder, 'schema')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /scripted\.so is no wrapper, and has no schema file; .*set \[plugin\]\.path, .*, or choose another service with --service script$/m,
      ) as string,
    });
    expect(await aiges(folder, 'inspect', '--service', 'script')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/scripted\.ts is a wrapper, no engine; name the library/) as string,
    });
  });

  it('serve is not one of them', async () => {
    expect(await aiges(folder, 'serve', '-s', 'script')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /\[services\.script\] is served with the others; -s chooses the table with host/,
      ) as string,
    });
  });

  it('schema, run and inspect take the one that is chosen', async () => {
    const { stdout } = await aiges(folder, 'schema', '--service', 'script');
    expect(Object.keys((JSON.parse(stdout) as { paths: object }).paths)).toEqual(['/v2/private/script']);
    const inspected = await aiges(folder, 'inspect', '--service', 'twin', '--timeout', '60000');
    expect(inspected.stdout).toContain('verdict    the loader takes it');
    const ran = await aiges(folder, 'run', '--service', 'script', '-p', 'do=thread', '--json');
    expect(JSON.parse(ran.stdout)).toMatchObject({ wrapper });
  });

  it('dev serves all of them and loads the one that is chosen anew', async () => {
    const write = (name: string, text: string): void => {
      writeFileSync(
        join(folder, name, 'wrapper.ts'),
        `import * as aiges from ${JSON.stringify(sdk)};
class Req {}
class Res { result = new aiges.StringBodyField(); }
export default class W extends aiges.WrapperBase {
  requestCls = new Req();
  responseCls = new Res();
  onceExec() { return { result: '${text}' }; }
}
`,
      );
    };
    for (const name of ['one', 'two']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'package.json'), '{ "type": "module" }');
      write(name, `${name} before`);
    }
    const text =
      '[services.one]\npath = "one/wrapper.ts"\n[services.two]\npath = "two/wrapper.ts"\n[http]\nlisten = "127.0.0.1:0"';
    writeFileSync(join(folder, 'dev.toml'), text);
    const args = ['dev', '-c', 'dev.toml', '--service', 'two', '--set', 'svcName.port=0'];
    const dev = new Running(process.execPath, [mainScript, ...args], folder);
    try {
      const url = await dev.printed(/HTTP {2}(http:\S+)one/);
      await dev.printed(/aiges-ts dev: watching .*two/);
      const read = async (name: string): Promise<unknown> =>
        (await fetch(url + name, { method: 'POST', body: '{}' })).json();
      write('one', 'one after');
      write('two', 'two after');
      await dev.printed(/reloaded in \d+ ms/);
      expect(await read('one')).toMatchObject({ payload: { result: { text: 'one before' } } });
      expect(await read('two')).toMatchObject({ payload: { result: { text: 'two after' } } });
      expect(await dev.stop()).toBe(0);
    } finally {
      dev.kill();
    }
  });
});
