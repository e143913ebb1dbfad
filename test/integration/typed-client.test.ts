import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { createHost, type Host } from '../../src/host.js';
import { createLogger } from '../../src/observability/logger.js';

const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const client = `
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

export async function readDigit(baseUrl: string, image: string): Promise<{ digit: number; sid: string }> {
  const client = createClient<paths, 'application/json'>({ baseUrl });
  const { data, error } = await client.POST('/v1/private/digits', { body: { payload: { img: { image } } } });
  if (error !== undefined) throw new Error(\`\${error.header.code}: \${error.header.message}\`);
  const { digit } = JSON.parse(data.payload.result.text) as { digit: number };
  return { digit, sid: data.header.sid };
}
`;

/** Each line is a mistake. */
const mistakes = [
  "void client.POST('/v1/private/digits', { body: { payload: { img: { image: 7 } } } });",
  "void client.POST('/v1/private/digits', { body: { payload: { img: {} } } });",
  "void client.POST('/v1/private/digits', { body: { payload: {} } });",
  "void client.POST('/v1/private/digits', { body: { payload: { imgs: { image: '' } } } });",
  "void client.POST('/v1/private/digits', { body: 7 });",
  "void client.POST('/v1/private/digit', { body: { payload: { img: { image: '' } } } });",
  "void client.GET('/v1/private/digits');",
  "void client.POST('/v1/private/digits', { body: { payload: { img: { image: '' } } } }).then(({ data }) => data?.payload.digit);",
];
const preamble = [
  "import createClient from 'openapi-fetch';",
  "import type { paths } from './api.js';",
  "const client = createClient<paths, 'application/json'>({ baseUrl: '' });",
];

interface Client {
  readonly readDigit: (baseUrl: string, image: string) => Promise<{ digit: number; sid: string }>;
}

/** Compiles modules of a folder with the strictness of this project. @returns what the compiler says, by line */
function compile(folder: string, file: string): readonly { readonly line: number; readonly text: string }[] {
  const program = ts.createProgram([join(folder, file)], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
    skipLibCheck: true,
    outDir: folder,
  });
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ file, start = 0, messageText }) => ({
    line: file?.getLineAndCharacterOfPosition(start).line ?? -1,
    text: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}

describe('a client that a generator has made from the OpenAPI document of the digits demo', () => {
  let host: Host;
  let url: string;
  let folder: string;
  let readDigit: Client['readDigit'];

  beforeAll(async () => {
    const { config } = loadConfig({
      path: inRepository('demo/digits/aiges.toml'),
      overrides: [
        'svcName.port=0',
        'http.listen=127.0.0.1:0',
        `plugin.path=${inRepository('demo/digits/build/libwrapper.so')}`,
        `wrapper.weights=${inRepository('demo/digits/weights.bin')}`,
      ],
    });
    host = createHost(config, { log: createLogger('silent') });
    const { http } = await host.start();
    url = `http://127.0.0.1:${String(http?.port)}`;
    folder = mkdtempSync(join(tmpdir(), 'aiges-client-'));
    symlinkSync(inRepository('node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const types = await openapiTS(await (await fetch(`${url}/openapi.json`)).text());
    writeFileSync(join(folder, 'api.ts'), astToString(types));
    writeFileSync(join(folder, 'client.ts'), client);
    writeFileSync(join(folder, 'mistakes.ts'), [...preamble, ...mistakes].join('\n'));
    expect(compile(folder, 'client.ts')).toEqual([]);
    ({ readDigit } = (await import(pathToFileURL(join(folder, 'client.js')).href)) as Client);
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await host.drain();
  });

  it('reads a digit', async () => {
    for (const digit of [0, 3, 7]) {
      const image = readFileSync(inRepository(`demo/digits/samples/${digit}-0.png`)).toString('base64');
      expect(await readDigit(url, image)).toEqual({ digit, sid: expect.stringMatching(/\S/) as string });
    }
  });

  it('tells a request of the wrong type when it is compiled, and one of the wrong content when it is sent', async () => {
    const found = compile(folder, 'mistakes.ts');
    expect(new Set(found.map(({ line }) => line))).toEqual(
      new Set(mistakes.map((_, index) => preamble.length + index)),
    );
    await expect(readDigit(url, '*')).rejects.toThrow(/^10001: .*payload\.img\.image is not base64/);
    // What a compiler would not have let pass.
    await expect(readDigit(url, 7 as unknown as string)).rejects.toThrow(
      '10009: input invalid data: payload.img.image must be a string, but is 7',
    );
  });
});
