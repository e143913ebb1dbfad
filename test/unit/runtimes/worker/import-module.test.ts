import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importModule } from '../../../../src/runtimes/worker/import-module.js';

// The working directory is that of this repository, whose tsconfig.json has neither these paths nor these decorators.

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'aiges-import-')));
});

afterEach(() => {
  delete process.env['TSX_TSCONFIG_PATH'];
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const own = JSON.stringify({ compilerOptions: { experimentalDecorators: true, paths: { '@/*': ['./lib/*'] } } });

/** Its default export says what a decorator got: a prototype and a name by experimentalDecorators. */
function project(name: string, type: string, tsconfig: string | null = own): string {
  write(`${name}/package.json`, JSON.stringify({ type }));
  if (tsconfig !== null) write(`${name}/tsconfig.json`, tsconfig);
  write(`${name}/lib/shout.ts`, 'export const shout = (text: string): string => text.toUpperCase();\n');
  return write(
    `${name}/plugin/wrapper.ts`,
    `import { shout } from ${tsconfig === null ? "'../lib/shout.js'" : "'@/shout.js'"};
let got = '';
function tag(target: object, what: unknown): void { got = shout(typeof target + ' ' + typeof what); }
class Tagged { @tag method(): void {} }
export default { got, class: Tagged.name };
`,
  );
}

describe('importModule', () => {
  it.each(['module', 'commonjs'])(
    'goes by the tsconfig.json above the module in a package of type %s',
    async (type) => {
      expect(await importModule(project('a', type))).toEqual({ got: 'OBJECT STRING', class: 'Tagged' });
      expect(process.env).not.toHaveProperty('TSX_TSCONFIG_PATH');
    },
  );

  it('goes by no other where there is none above the module', async () => {
    expect(await importModule(project('a', 'module', null))).toMatchObject({ got: 'FUNCTION OBJECT' });
  });

  it('gives modules in different folders what each of them has', async () => {
    const [first, second] = [
      project('a', 'module'),
      project('b', 'module', '{ "compilerOptions": { "paths": { "@/*": ["./lib/*"] } } }'),
    ];
    const exported = await Promise.all([importModule(first), importModule(second)]);
    expect(exported).toMatchObject([{ got: 'OBJECT STRING' }, { got: 'FUNCTION OBJECT' }]);
  });

  it('follows a link to the module before it looks', async () => {
    symlinkSync(join(dirname(project('a', 'module')), '..'), join(folder, 'link'));
    expect(await importModule(join(folder, 'link', 'plugin', 'wrapper.ts'))).toMatchObject({ got: 'OBJECT STRING' });
  });

  it('leaves the choice to TSX_TSCONFIG_PATH', async () => {
    process.env['TSX_TSCONFIG_PATH'] = write(
      'other.json',
      JSON.stringify({ compilerOptions: { paths: { '@/*': ['./a/lib/*'] } } }),
    );
    expect(await importModule(project('a', 'module'))).toMatchObject({ got: 'FUNCTION OBJECT' });
    expect(process.env['TSX_TSCONFIG_PATH']).toBe(join(folder, 'other.json'));
  });

  it('names a tsconfig.json that cannot be read', async () => {
    const path = project('a', 'module', '{ "extends": "./missing.json" }');
    await expect(importModule(path)).rejects.toMatchObject({
      kind: 'initFailed',
      message: expect.stringMatching(/\/a\/tsconfig\.json: .*missing\.json/) as string,
    });
    expect(process.env).not.toHaveProperty('TSX_TSCONFIG_PATH');
  });
});
