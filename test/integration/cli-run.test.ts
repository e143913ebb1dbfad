import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aiges, type Ended } from '../fixtures/command-line.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'aiges-run-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const sdk = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
let count = 0;

/** Runs a wrapper with these members. */
async function run(members: string, ...args: string[]): Promise<Ended> {
  const file = `wrapper${++count}.ts`;
  writeFileSync(
    join(folder, file),
    `import * as aiges from ${JSON.stringify(sdk)};
class Req { n = new aiges.IntegerParamField({ value: 1 }); text = new aiges.StringBodyField({ value: 'hello' }); }
class Res { result = new aiges.StringBodyField(); }
export default class W extends aiges.WrapperBase {
  requestCls = new Req();
  responseCls = new Res();
${members}
}
`,
  );
  return aiges(folder, 'run', file, ...args);
}

describe('aiges-ts run', () => {
  it.each([
    [['none.ts'], /none\.ts: no such file; name the module that exports the wrapper/],
    [[], /libwrapper\.so is no wrapper; name the module that exports one \(wrapper\.ts\)/],
    [['--timeout', 'soon'], /expected a positive number of milliseconds/],
    [['--sampel', 'x'], /unknown option '--sampel'/],
  ])('%j ends with exit code 2 and what is wrong', async (args, message) => {
    const { code, stderr } = await aiges(folder, 'run', ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it.each([
    ['a missing result', 'onceExec() { return {}; }', /exec +FAULT: plugin failed;code=30003/],
    ['a code of its own', 'onceExec() { throw new aiges.PluginError(7, "seven"); }', /FAULT: seven;code=7/],
    [
      'a result of another type',
      'onceExec() { return { result: new aiges.ResponseData({ key: "result", data: "x", type: 2 }) }; }',
      /FAULT: output "result": expected type text but found image/,
    ],
    [
      'a failing init',
      'init() { throw new Error("no weights"); }\n onceExec() {}',
      /init +FAULT: .*no weights;code=30001/,
    ],
    ['a missing method', '', /FAULT: .*the wrapper lacks onceExec/],
    ['a process that ends', 'onceExec() { process.exit(3); }', /FAULT: plugin ended before it answered/],
    ['a failing fini', 'onceExec() { return { result: "" }; }\n fini() { throw new Error("stuck"); }', /fini +FAULT: /],
    [
      'a failing stream',
      'async *stream() { throw new aiges.PluginError(8, "eight"); }',
      /results +FAULT: eight;code=8/,
    ],
    ['a syntax error', 'onceExec( {', /wrapper\d+\.ts:\d+:\d+: ERROR/],
  ])('ends with exit code 1 for %s', async (_name, members, message) => {
    const { code, stdout } = await run(members);
    expect(stdout).toMatch(message);
    expect(stdout).toMatch(/\nfailed: \d+ fault/);
    expect(code).toBe(1);
  });

  it('says where in the wrapper something was thrown', async () => {
    const { stderr } = await run('onceExec() {\n    throw new Error("a mistake");\n  }');
    expect(stderr).toMatch(
      /the wrapper failed: a mistake\n +Error: a mistake\n +at W\.onceExec .*wrapper\d+\.ts:8:11\)\n$/,
    );
  });

  // The steps before the one that hangs are to come to their end, on a busy machine too.
  it.each([
    ['init', 4000, 'init() { for (;;); }\n onceExec() {}', /init +FAULT: init did not return within 4000 ms/],
    ['exec', 20_000, 'onceExec() { for (;;); }', /exec +FAULT: no answer within 20000 ms/],
    [
      'fini',
      20_000,
      'onceExec() { return { result: "" }; }\n fini() { for (;;); }',
      /fini +FAULT: fini did not return within 20000 ms/,
    ],
  ])('ends although %s hangs', async (_name, timeout, members, message) => {
    const { code, stdout } = await run(members, '--timeout', String(timeout));
    expect(stdout).toMatch(message);
    expect(code).toBe(1);
  });

  it('says what is missing when there is no sample', async () => {
    const { code, stderr } = await run(
      'onceExec() { return { result: "" }; }\n requestCls = { img: new aiges.ImageBodyField() };',
    );
    expect(stderr).toMatch(/aiges-ts: input "img" has no sample; declare one \(new ImageBodyField/);
    expect(code).toBe(2);
  });

  const echo = 'onceExec({ inputs, params }) { return { result: inputs.text.text.repeat(params.n) }; }';

  it('goes through the whole life of a wrapper', async () => {
    const { code, stdout, stderr } = await run(
      `init(config) { console.log("hello from init"); }\n${echo}
      async *stream({ packets }) { for await (const { inputs } of packets) yield { result: inputs.text.text }; }
      fini() { console.log("goodbye"); }`,
      '-p',
      'n=2',
    );
    expect(stdout.split('\n').map((line) => line.replace(/ *\d+\.\d ms */, ' ').trimEnd())).toEqual([
      expect.stringMatching(/^wrapper\d+\.ts, version v1$/),
      'init params: n; inputs: text; outputs: result',
      '  in                 params: n=2',
      '  in                 text (text, 5 bytes): "hello"',
      'exec',
      '  out                result (text, 10 bytes): "hellohello"',
      '  in                 params: n=2',
      '  in                 text (text, 5 bytes): "hello"',
      'create',
      '  out result (text, 5 bytes): "hello"',
      'write 1 packet',
      '  out result (text, 0 bytes)',
      'destroy',
      'fini',
      'passed',
      '',
    ]);
    expect(stderr).toMatch(/hello from init[^]*goodbye/);
    expect(code).toBe(0);
  });

  it('takes samples from a folder, and prints a document', async () => {
    writeFileSync(join(folder, 'text.txt'), 'other');
    const { code, stdout } = await run(echo, '--sample', '.', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      passed: true,
      steps: [{ step: 'init' }, { step: 'exec' }, { step: 'fini' }],
      outputs: [{ step: 'exec', frames: [{ name: 'result', type: 'text', bytes: 5, text: 'other' }] }],
      faults: [],
    });
    expect(code).toBe(0);
  });
});
