import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aiges, mainScript, Running } from '../fixtures/command-line.js';
import { fixtureEngine } from '../fixtures/engines.js';
import { FileGate } from '../fixtures/file-gate.js';

const sdk = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;

let folder: string;
let dev: Running;
let url: string;

/** Writes a wrapper that answers with its number and that of its module, perhaps not before a file is there. */
function writeWrapper(number: number, more = ''): void {
  writeFileSync(
    join(folder, 'wrapper.ts'),
    `import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import * as aiges from ${JSON.stringify(sdk)};
import { part } from './lib/part.js';
class Req { until = new aiges.StringParamField(); }
class Res { result = new aiges.StringBodyField(); }
export default class W extends aiges.WrapperBase {
  requestCls = new Req();
  responseCls = new Res();
${more}
  async onceExec({ params }) {
    if (params.until !== undefined) {
      writeFileSync(params.until + '.entered', '');
      while (!existsSync(params.until)) await setTimeout(5);
    }
    return { result: '${number}' + part };
  }
  fini() { console.log('the end of ${number}'); }
}
`,
  );
}

function writePart(part: string): void {
  writeFileSync(join(folder, 'lib', 'part.ts'), `export const part: string = '${part}';\n`);
}

async function ask(until?: string): Promise<string> {
  const reply = await fetch(url, {
    method: 'POST',
    body: JSON.stringify({ parameter: { svcName: until === undefined ? {} : { until } } }),
  });
  const { payload } = (await reply.json()) as { payload: { result: { text: string } } };
  return payload.result.text;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-dev-'));
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writePart('a');
  writeWrapper(1);
  // No configuration and no name: there is a wrapper.ts, and no engine.
  const set = ['svcName.host=127.0.0.1', 'svcName.port=0', 'http.listen=127.0.0.1:0'];
  const args = [mainScript, 'dev', ...set.flatMap((each) => ['--set', each])];
  dev = new Running(process.execPath, args, folder);
  url = await dev.printed(/HTTP {2}(http:\S+)/);
  await dev.printed(/aiges-ts dev: watching /);
});

afterAll(() => {
  dev.kill();
  rmSync(folder, { recursive: true, force: true });
});

describe('aiges-ts dev', () => {
  it('is for wrappers', async () => {
    expect(await aiges(folder, 'dev', '--set', `plugin.path=${fixtureEngine('scripted')}`)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/scripted\.so is no wrapper; name the module/) as string,
    });
  });

  it('answers new requests with new code while those that are running end on the old one', async () => {
    expect(await ask()).toBe('1a');
    const gate = new FileGate();
    const running = ask(gate.file);
    await gate.entered();
    writeWrapper(2);
    await dev.printed(/reloaded in \d+ ms \(version v1\): wrapper\.ts/);
    expect(await ask()).toBe('2a');
    expect(dev.output).not.toContain('the end of 1');
    gate.open();
    expect(await running).toBe('1a');
    gate.remove();
    await dev.printed(/the end of 1/);
  });

  it('follows the modules that the wrapper imports', async () => {
    writePart('b');
    await dev.printed(/reloaded in \d+ ms \(version v1\): lib\/part\.ts/);
    expect(await ask()).toBe('2b');
  });

  it.each([
    ['does not compile', '  broken((', /not reloaded, the old code goes on: [^]*wrapper\.ts:10:\d+: ERROR/],
    [
      'does not start',
      '  init() {\n    throw new Error("no weights");\n  }',
      /not reloaded, the old code goes on: .*no weights.*\nError: no weights\n +at W\.init .*wrapper\.ts:11:11/,
    ],
    ['ends its thread', '  init() { process.exit(9); }', /not reloaded, the old code goes on: .*exit code 9/],
  ])('goes on with the old code when the new one %s, and says where', async (_name, more, message) => {
    writeWrapper(3, more);
    await dev.printed(message);
    expect(await ask()).toBe('2b');
  });

  it('takes the code when it is mended', async () => {
    // Code that hangs keeps nobody from writing the next.
    writeWrapper(3, '  init() { for (;;); }');
    await new Promise((resolve) => setTimeout(resolve, 500));
    writeWrapper(4);
    await expect.poll(() => ask(), { timeout: 30_000 }).toBe('4b');
  });

  it('is not held in a circle by a file that the wrapper writes when it starts', async () => {
    // Starts until the news of what it has written has come, however late that is.
    const gate = new FileGate();
    const init = `  async init() {
    if (existsSync(${JSON.stringify(gate.file)})) return;
    writeFileSync(${JSON.stringify(join(folder, 'state.json'))}, String(performance.now()));
    while (!existsSync(${JSON.stringify(gate.file)})) await setTimeout(5);
  }`;
    writeWrapper(5, init);
    await dev.printed(/not reloaded for state\.json: changed while the wrapper was starting/);
    gate.open();
    await expect.poll(() => ask(), { timeout: 30_000 }).toBe('5b');
    const saved = (): string => {
      writeFileSync(join(folder, 'lib', 'words.json'), '[]');
      return dev.output;
    };
    await expect.poll(saved, { timeout: 30_000, interval: 500 }).toMatch(/reloaded in .*: lib\/words\.json/);
    expect(dev.output).not.toMatch(/reloaded in .*state\.json/);
    writeWrapper(4);
    await expect.poll(() => ask(), { timeout: 30_000 }).toBe('4b');
    gate.remove();
  });

  it('ends in order', async () => {
    expect(await dev.stop()).toBe(0);
    expect(dev.output).toContain('the end of 4');
    expect(dev.output).not.toContain('the end of 3');
  });
});
