import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { onceModule, streamModule } from '../../../../playground/snippets/typescript.js';
import { draft, fileInput, textInput } from '../files.js';

const nasty = '`${x}`\'"\\\n\u2028</script>';
const bytes = new Uint8Array([1]);
const inputs = [
  fileInput(bytes, { file: nasty, attributes: new Map([[nasty, nasty]]) }),
  fileInput(bytes, { name: 'pcm', type: 'audio' }),
  textInput(nasty),
  textInput('{}', { name: 'options', content: 'json' }),
];
const given = draft({ service: nasty, params: new Map([[nasty, nasty]]), inputs });
const long = draft({ params: new Map([['long', 'x'.repeat(500)]]) });

/** What the compiler says about a module that is as strict as ours. */
function faults(code: string): string[] {
  const name = 'snippet.ts';
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (file) => file === name || fileExists(file);
  host.getSourceFile = (file, language, ...rest) =>
    file === name ? ts.createSourceFile(file, code, language) : getSourceFile(file, language, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([name], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('a TypeScript snippet', () => {
  it.each([
    ['an upload', onceModule(given, true)],
    ['JSON with files', onceModule(given, false)],
    ['long JSON', onceModule(long, false)],
    ['a stream at some speed', streamModule(given, { packetBytes: 3200, bytesPerSecond: 16_000 })],
    ['a stream as fast as possible', streamModule(draft(), { packetBytes: 3200, bytesPerSecond: null })],
  ])('compiles: %s', (_what, code) => {
    expect(faults(code)).toEqual([]);
  });

  it('is refused where it is wrong', () => {
    expect(faults('const a: string = 1;')).toHaveLength(1);
  });
});
