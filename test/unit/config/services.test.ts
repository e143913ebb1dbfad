import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ServiceConfig } from '../../../src/config/config.js';
import { fail, parse } from './parsing.js';

const both = '[plugin]\npath = "./libwrapper.so"\n[services.echo]\npath = "./echo.ts"\n';

function services(text: string, surroundings: Parameters<typeof parse>[1] = {}): readonly ServiceConfig[] {
  return parse(text, surroundings).config.services;
}

const orElse =
  'run one of them in a process of its own, or serve a copy of the library (of a C++ engine, one that is compiled with ' +
  '-fno-gnu-unique: docs/plugin-abi.md)';

describe('[services.NAME] is refused with the key, the fault and the fix:', () => {
  test.each<[string, string]>([
    ['services = 1', 'services: expected a table, [services.NAME], but found an integer'],
    ['[[services]]\npath = "a"', 'services: expected a table, [services.NAME], but found an array'],
    ['[services]\npath = "a.ts"', 'services.path: expected a table, [services.NAME], but found text'],
    [
      '[services."a b"]\npath = "a.ts"',
      'services."a b": expected letters, digits, "_" and "-" for a name, beginning with a letter',
    ],
    [
      '[services.1]\npath = "a.ts"',
      'services.1: expected letters, digits, "_" and "-" for a name, beginning with a letter',
    ],
    ['["services.a"]', '["services.a"]: a table within a table has no quotes; write [services.a]'],
    ['[services.a]', 'services.a.path: needed: the library, or the module that exports the wrapper'],
    ['[services.a]\npath = "a.ts"\npth = 1', 'services.a.pth: unknown key; did you mean path?'],
    ['[services.a]\npath = "a.ts"\nmaxBody = 1', 'services.a.maxBody: unknown key; maxBody belongs to [http]'],
    [
      '[services.a]\npath = "a.ts"\nquux = 1',
      'services.a.quux: unknown key; [services.a] takes kind, path, instances, execLimit, heap, service, version, ' +
        'route, schema, input, output, emptyList, abandon, tagGrace, inputs, resources, usrCfg, max, ttl, gap, packets, ' +
        'asyncMode, realTimeRlt, headerPass',
    ],
    [
      '[services.a]\npath = "a.ts"\n[services.a.fc]\nmax = 1',
      'services.a.fc: unknown table; [services.a] has keys of its own and [services.a.wrapper]',
    ],
    ['[services.a]\npath = "a.ts"\nwrapper = 1', 'services.a.wrapper: expected a table but found an integer'],
    [
      '[services.a]\npath = "a.ts"\n[services.a.wrapper]\nlist = [1]',
      'services.a.wrapper.list: expected text, a number or a boolean but found an array',
    ],
    ['[services.a]\npath = "a.ts"\nmax = 0', 'services.a.max: expected an integer from 1 to 1000000 but found 0'],
    [
      '[services.a]\npath = "a.ts"\ngap = 5',
      'services.a.gap: expected a duration from 0s to 2147483647ms such as "60s", "500ms" or "2m" but found 5',
    ],
    [
      '[services.a]\nkind = "native"\npath = "a.ts"',
      'services.a.kind: a C engine is a shared library, but path is "a.ts"; write kind = "node", or leave it out',
    ],
    [
      '[services.a]\npath = "a.so"\nusrCfg = "none.toml"',
      'services.a.usrCfg: no file "none.toml" next to the config or in the working directory',
    ],
    [
      '[services.a]\npath = "a.ts"\nroute = "/readyz"',
      'services.a.route: /readyz belongs to the loader itself; choose another',
    ],
    // Twins
    [
      '[services.a]\npath = "a.ts"\nservice = "x"\n[services.b]\npath = "b.ts"\nservice = "x"',
      'services.b.service: [services.a] and [services.b] both have the public name x; choose another',
    ],
    [
      `${both}service = "svcName"`,
      'services.echo.service: [plugin] and [services.echo] both have the public name svcName; choose another',
    ],
    [
      `${both}route = "/v1/private/svcName"`,
      'services.echo.route: [plugin] and [services.echo] both have the HTTP route /v1/private/svcName; choose another',
    ],
    [
      '[services.a]\npath = "./x.so"\n[services.b]\npath = "x.so"\n[services.b.wrapper]\nlic = 1\nbeam = 2',
      'services.b.path: [services.a] and [services.b] have the same engine, which runs once in a process, with ' +
        `different config (beam, lic); give both the same in [services.a.wrapper] and [services.b.wrapper], ${orElse}`,
    ],
    [
      `[services.a]\npath = "x.so"\nresources = true\n[services.b]\npath = ${JSON.stringify(resolve('x.so'))}\nresources = true`,
      'services.b.resources: [services.a] and [services.b] have the same engine, where ids of their resources would ' +
        `meet; let one of them take resources, ${orElse}`,
    ],
    [
      '[plugin]\n[wrapper]\nlic = 1\n[services.b]\npath = "libwrapper.so"\n[services.b.wrapper]\nlic = 2',
      'services.b.path: [plugin] and [services.b] have the same engine, which runs once in a process, with different ' +
        `config (lic); give both the same in [wrapper] and [services.b.wrapper], ${orElse}`,
    ],
    [
      '[services.a]\npath = "./x.so"\nresources = true\n[services.b]\npath = "x.so"\nresources = true',
      'services.b.resources: [services.a] and [services.b] have the same engine, where ids of their resources would ' +
        `meet; let one of them take resources, ${orElse}`,
    ],
  ])('%j', (text, message) => {
    expect(fail(text)).toEqual([`aiges.toml: ${message}`]);
  });

  test.each<[string, string, string]>([
    [both, 'services.eco.max=1', 'unknown service; did you mean services.echo.max?'],
    [both, 'services.quux.max=1', 'names no service of the file; it has [services.echo]'],
    [both, 'services.echo=1', 'names no service of the file; it has [services.echo]'],
    ['', 'services.echo.path=a.ts', 'the file has no [services.NAME]; a service begins there'],
    [both, 'services.echo.mx=1', 'unknown key; did you mean services.echo.max?'],
    [both, 'services.echo.max=x', 'expected an integer from 1 to 1000000 but found "x"'],
  ])('%j with --set %s', (text, override, message) => {
    const name = override.slice(0, override.indexOf('='));
    expect(fail(text, { overrides: [override] })).toEqual([`command line: ${name}: ${message}`]);
  });

  test.each<[string, Record<string, string>, string]>([
    [both, { AIGES__SERVICES__ECO__MAX: '1' }, 'unknown service; did you mean AIGES__SERVICES__ECHO__MAX?'],
    [both, { AIGES__SERVICES__ECHO__MX: '1' }, 'unknown key; did you mean AIGES__SERVICES__ECHO__MAX?'],
    [
      '[services.a-b]\npath = "a.ts"\n[services.a_b]\npath = "b.ts"',
      { AIGES__SERVICES__A_B__MAX: '1' },
      'could mean [services.a-b] or [services.a_b]; rename one of them',
    ],
  ])('%j in the environment %j', (text, env, message) => {
    expect(fail(text, { env })).toEqual([`${Object.keys(env)[0] ?? ''}: ${message}`]);
  });

  test('an engine that has two names', () => {
    const text = '[services.a]\npath = "a.so"\nresources = true\n[services.b]\npath = "b.so"\nresources = true';
    expect(parse(text).config.services).toHaveLength(2);
    expect(fail(text, { realPath: () => '/engines/x.so' })).toEqual([
      expect.stringMatching(/^aiges.toml: services.b.resources: .* have the same engine/),
    ]);
  });

  test('a name that is a service section and a service', () => {
    const text = '[echo]\nport = 1\n[services.echo]\npath = "a.ts"\nservice = "other"';
    expect(fail(text, { section: 'echo' })).toEqual([
      '-s echo: could mean [echo] or [services.echo]; rename one of them',
    ]);
  });
});

describe('which services there are', () => {
  const names = (text: string, surroundings: Parameters<typeof parse>[1] = {}): readonly string[] =>
    services(text, surroundings).map(({ name }) => name);
  const alone = '[services.z]\npath = "z.ts"\n[services.a]\npath = "a.so"';

  test('that of [plugin] first, then the others in the order of the file', () => {
    expect(names(`${alone}\n[plugin]`)).toEqual(['svcName', 'z', 'a']);
  });

  test('only the others when nothing says that there is a main one', () => {
    expect(names(alone)).toEqual(['z', 'a']);
  });

  test.each<[string, Parameters<typeof parse>[1]]>([
    ['the default library is there', { hasFile: (path) => path === './libwrapper.so' }],
    [
      'the default module is there, and is what the environment asks for',
      { env: { AIGES_PLUGIN_MODE: 'node' }, hasFile: (path) => path === './wrapper.ts' },
    ],
    ['the command line names one', { overrides: ['plugin.path=x.so'] }],
    ['the environment names one', { env: { AIGES__PLUGIN__PATH: 'x.so' } }],
  ])('the main one as well when %s', (_what, surroundings) => {
    expect(names(alone, surroundings)).toEqual(['svcName', 'z', 'a']);
  });

  test('what was meant for a main one that is not there is warned of', () => {
    const text = `[wrapper]\nhttp_listen = ":1"\nlic = 1\n[aiges]\nusrCfg = "u.toml"\n${alone}`;
    expect(parse(text, { env: { AIGES_WRAPPER_VERSION: '2' } }).warnings).toEqual([
      'aiges.toml: [wrapper]: is for [plugin], which the file does not have; each service has [services.NAME.wrapper]',
      'aiges.toml: aiges.usrCfg: is for [plugin], which the file does not have; move it into [services.NAME]',
      'AIGES_WRAPPER_VERSION: is for [plugin], which the file does not have; set version in [services.NAME]',
    ]);
  });

  test("an HTTP address and an empty usrCfg of older files are nobody's", () => {
    expect(parse(`[wrapper]\nhttp_listen = ":1"\n[aiges]\nusrCfg = ""\n${alone}`).warnings).toEqual([]);
  });
});

describe('what a service is', () => {
  test('is said in its own table, and nowhere in [plugin]', () => {
    const [main, echo] = services(
      '[plugin]\npath = "./x.ts"\nversion = "v7"\ninstances = 3\nresources = true\ninputs = ["a"]\n' +
        '[wrapper]\nlic = 1\n[services.echo]\npath = "./echo.ts"\n[services.echo.wrapper]\nmodel = "m"\nbeam.size = 2',
    );
    expect(main).toMatchObject({
      name: 'svcName',
      table: 'plugin',
      resources: true,
      pluginConfig: new Map([['lic', '1']]),
    });
    expect(echo).toMatchObject({
      name: 'echo',
      table: 'services.echo',
      route: '/v1/private/echo',
      version: 'v1',
      plugin: { kind: 'node', path: './echo.ts', instances: 1 },
      resources: false,
      inputs: null,
      pluginConfig: new Map([
        ['model', 'm'],
        ['beam.size', '2'],
      ]),
    });
  });

  test('has the limits and habits of the global tables where it does not set its own', () => {
    const global =
      '[fc]\nmax = 5\nttl = 7\n[limits]\ngap = "1s"\npackets = 9\n[aiges]\nasyncMode = true\nheaderPass = "uid"\nrealTimeRlt = false\n';
    const [, inherits, differs] = services(
      `${global}[plugin]\n[services.a]\npath = "a.so"\n[services.b]\npath = "b.so"\nmax = 2\nttl = 3\ngap = "2s"\n` +
        'packets = 4\nasyncMode = false\nheaderPass = "appid"\nrealTimeRlt = true',
    );
    expect(inherits).toMatchObject({
      maxConcurrent: 5,
      headerPass: ['sid', 'uid'],
      plugin: { asyncMode: true },
      streams: { ttlMs: 7, gapMs: 1000, maxPackets: 9, realTime: false },
    });
    expect(differs).toMatchObject({
      maxConcurrent: 2,
      headerPass: ['sid', 'appid'],
      plugin: { asyncMode: false },
      streams: { ttlMs: 3, gapMs: 2000, maxPackets: 4, realTime: true },
    });
  });

  test('has a second file of its own, and not that of the main one', () => {
    const files: Readonly<Record<string, string>> = { 'm.toml': '[a]\nb = 1', 'e.toml': '[c]\nd = 2' };
    const [main, echo, plain] = services(
      '[aiges]\nusrCfg = "m.toml"\n[plugin]\n[services.e]\npath = "e.so"\nusrCfg = "e.toml"\n[services.p]\npath = "p.so"',
      { readFile: (path) => files[path] ?? null },
    );
    expect(main?.pluginConfig).toEqual(new Map([['a.b', '1']]));
    expect(echo?.pluginConfig).toEqual(new Map([['c.d', '2']]));
    expect(plain?.pluginConfig).toEqual(new Map());
  });

  test('is not changed by the variables of the original, which are about the main one', () => {
    const env = { AIGES_PLUGIN_MODE: 'node', AIGES_WRAPPER_VERSION: '9' };
    const [main, echo] = services('[plugin]\n[services.e]\npath = "e.so"', { env });
    expect(main).toMatchObject({ version: '9', plugin: { kind: 'node' } });
    expect(echo).toMatchObject({ version: 'v1', plugin: { kind: 'native' } });
  });

  test('may share an engine with the same config', () => {
    const text =
      '[services.a]\npath = "x.so"\n[services.a.wrapper]\nlic = 1\n[services.b]\npath = "./x.so"\n[services.b.wrapper]\nlic = 1';
    expect(services(text)).toHaveLength(2);
  });

  test('is set by the environment and the command line, config of its plugin included', () => {
    const [, echo] = services(`${both}max = 1\n[services.echo.wrapper]\n"common.lic" = 1`, {
      env: {
        AIGES__SERVICES__ECHO__MAX: '3',
        AIGES__SERVICES__ECHO__INSTANCES: '2',
        AIGES__SERVICES__ECHO__WRAPPER__COMMON_LIC: '5',
      },
      overrides: ['services.echo.max=4', 'Services.Echo.wrapper.model=m.bin'],
    });
    expect(echo).toMatchObject({
      maxConcurrent: 4,
      plugin: { instances: 2 },
      pluginConfig: new Map([
        ['common.lic', '5'],
        ['model', 'm.bin'],
      ]),
    });
  });

  test('counts for the threads of engines', () => {
    expect(parse(`${both}max = 100\n[fc]\nmax = 10`).config.limits.threads).toBe(114);
    expect(parse(`${both}max = 100\n[fc]\nmax = 10\n[limits]\nthreads = 50`).warnings).toEqual([
      'aiges.toml: limits.threads: below services.echo.max: 50 of 100 requests can be in the engine at once',
    ]);
  });
});

describe('asking for one', () => {
  test('gives it, and takes the service section that there is', () => {
    const { asked, config } = parse(`[digits]\nport = 7\n${both}`, { section: 'echo' });
    expect(asked).toBe(config.services[1]);
    expect(config).toMatchObject({ grpc: { port: 7 }, services: [{ name: 'digits' }, { name: 'echo' }] });
  });

  test('for one with another plugin changes that one', () => {
    const paths = (section?: string): string[] =>
      parse(both, { section, plugin: 'x.ts' }).config.services.map(({ plugin }) => plugin.path);
    expect(paths('echo')).toEqual(['./libwrapper.so', 'x.ts']);
    expect(paths()).toEqual(['x.ts', './echo.ts']);
  });

  test('of the service section gives none', () => {
    expect(parse(`[digits]\nport = 7\n${both}`, { section: 'digits' }).asked).toBeNull();
    expect(parse(both).asked).toBeNull();
  });
});
