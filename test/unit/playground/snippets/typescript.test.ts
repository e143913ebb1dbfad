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

const modules: Readonly<Record<string, string>> = {
  'an upload': onceModule(given, true),
  'JSON with files': onceModule(given, false),
  'long JSON': onceModule(long, false),
  'a stream at some speed': streamModule(given, { packetBytes: 3200, bytesPerSecond: 16_000 }),
  'a stream as fast as possible': streamModule(draft(), { packetBytes: 3200, bytesPerSecond: null }),
  'what is wrong': 'const a: string = 1;',
};

/** What a compiler that is as strict as ours says about each module. */
function faults(): Record<string, string[]> {
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
  const names = Object.keys(modules);
  const files = new Map(names.map((name, place) => [`snippet-${String(place)}.ts`, modules[name] ?? '']));
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.getSourceFile = (file, language, ...rest) => {
    const code = files.get(file);
    return code === undefined ? getSourceFile(file, language, ...rest) : ts.createSourceFile(file, code, language);
  };
  const found = ts.getPreEmitDiagnostics(ts.createProgram([...files.keys()], options, host));
  return Object.fromEntries(
    names.map((name, place) => {
      const own = found.filter(({ file }) => file === undefined || file.fileName === `snippet-${String(place)}.ts`);
      return [name, own.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}

describe('TypeScript snippets', () => {
  it('compile, whatever names and texts are in them', () => {
    const { 'what is wrong': wrong, ...others } = faults();
    expect(wrong).toEqual([`Type 'number' is not assignable to type 'string'.`]);
    expect(Object.values(others)).toEqual([[], [], [], [], []]);
  });
});
