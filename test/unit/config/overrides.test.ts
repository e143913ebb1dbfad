import { describe, expect, test } from 'vitest';
import { fail, parse } from './parsing.js';

const env = (variables: Record<string, string>): { env: Record<string, string> } => ({ env: variables });

describe('the environment', () => {
  test.each([
    ['AIGES__FC__MX', '8', 'AIGES__FC__MX: unknown key; did you mean AIGES__FC__MAX?'],
    ['AIGES__LOGS__LEVEL', 'info', 'AIGES__LOGS__LEVEL: unknown table; did you mean AIGES__LOG__LEVEL?'],
    ['AIGES__FC_MAX', '8', 'AIGES__FC_MAX: names no table; did you mean AIGES__FC__MAX?'],
    ['AIGES__FC__', '8', 'AIGES__FC__: names no key; expected AIGES__table__key'],
    [
      'AIGES__GRPC__ZZZ',
      '8',
      'AIGES__GRPC__ZZZ: unknown key; [grpc] has server, unix, memory, connectionMemory, streamWindow, connectionWindow, maxConnections, maxStreams, keepalive, keepaliveTimeout, idleTimeout, maxAge, maxAgeGrace',
    ],
    ['AIGES__FC__MAX', 'many', 'AIGES__FC__MAX: expected an integer from 1 to 1000000 but found "many"'],
    ['AIGES__FC__MAX', '', 'AIGES__FC__MAX: expected an integer from 1 to 1000000 but found ""'],
    ['AIGES__AIGES__ASYNCMODE', '1', 'AIGES__AIGES__ASYNCMODE: expected true or false but found "1"'],
    [
      'AIGES_PLUGIN_MODE',
      'python',
      'AIGES_PLUGIN_MODE: Python plugins come with a later version; unset it, or set it to c or node',
    ],
    [
      'AIGES_PLUGIN_MODE',
      'pyhton',
      'AIGES_PLUGIN_MODE: expected c, node or python but found "pyhton"; did you mean python?',
    ],
    ['AIGES_PLUGIN_MODE', 'rust', 'AIGES_PLUGIN_MODE: expected c, node or python but found "rust"'],
    ['AIGES_WRAPPER_VERSION', '1\n2', 'AIGES_WRAPPER_VERSION: expected one line of text but found "1\\n2"'],
  ])('%s=%j is refused', (name, value, message) => {
    expect(fail('', env({ [name]: value }))).toEqual([message]);
  });

  test('two variables for one key are refused', () => {
    expect(fail('', env({ AIGES__FC__MAX: '1', AIGES__fc__max: '2' }))).toEqual([
      'AIGES__fc__max: sets fc.max, and so does AIGES__FC__MAX; remove one',
    ]);
  });

  test('a variable that could mean two plugin keys is refused', () => {
    expect(fail('[wrapper]\nlic = 1\nLic = 2', env({ AIGES__WRAPPER__LIC: '3' }))).toEqual([
      'AIGES__WRAPPER__LIC: could mean any of lic, Lic; rename all but one',
    ]);
  });

  test.each([
    ['AIGES_PLUGIN_MOD', 'AIGES_PLUGIN_MODE'],
    ['AIGES_FC_MAX', 'AIGES__FC__MAX'],
    ['aiges__fc__max', 'AIGES__FC__MAX'],
  ])('%s is warned of', (name, meant) => {
    expect(parse('', env({ [name]: '1' })).warnings).toEqual([
      `${name}: unknown variable, ignored; did you mean ${meant}?`,
    ]);
  });

  test('strangers with the prefix are left alone', () => {
    expect(parse('', env({ AIGES_HOME: '/', AIGES: '1', HOME: '/', PATH: '' })).warnings).toEqual([]);
  });

  test('wins over the file, whatever its case, for any kind of key', () => {
    const { config, warnings } = parse(
      '[svcName]\nport = 1\n[aiges]\nasyncMode = false',
      env({
        AIGES__SVCNAME__PORT: '6000',
        AIGES__AIGES__ASYNCMODE: 'true',
        AIGES__limits__onceTimeout: '5s',
        AIGES__HTTP__MAXBODY: '1MiB',
        AIGES__HTTP__LISTEN: 'off',
        AIGES__TRACE__ABLE: '0',
        AIGES_PLUGIN_MODE: 'c',
      }),
    );
    expect(config.grpc.port).toBe(6000);
    expect(config.services[0]?.plugin).toMatchObject({ asyncMode: true });
    expect(config.limits.onceTimeoutMs).toBe(5000);
    expect(config.http).toBeNull();
    expect(warnings).toEqual([]);
  });

  test('reaches plugin keys: the one in the file that it matches, else one of its own', () => {
    const { config } = parse(
      '[wrapper]\n"common.lic" = "1"\nlog.level = "info"',
      env({ AIGES__WRAPPER__COMMON_LIC: '2', AIGES__WRAPPER__LOG_LEVEL: 'debug', AIGES__WRAPPER__model: 'm.bin' }),
    );
    expect(config.services[0]?.pluginConfig).toEqual(
      new Map([
        ['common.lic', '2'],
        ['log.level', 'debug'],
        ['model', 'm.bin'],
      ]),
    );
  });

  test('reaches a section whose name holds what separates', () => {
    const { config } = parse('[my__svc-1]\nport = 1', {
      section: 'my__svc-1',
      ...env({ AIGES__MY__SVC_1__PORT: '2' }),
    });
    expect(config.grpc.port).toBe(2);
  });

  test('sets the reported version and leaves the route alone', () => {
    const [service] = parse('', env({ AIGES_WRAPPER_VERSION: '2.8.0 beta' })).config.services;
    expect(service).toMatchObject({ version: '2.8.0 beta', route: '/v1/private/svcName' });
  });

  test.each(['x', '-1', '1.5', '0x1', 'node0', '123456'])('a NUMA node that is no number is refused: %j', (node) => {
    expect(fail('', env({ AIGES_ENV_NUMA: node }))).toEqual([
      `AIGES_ENV_NUMA: expected the number of a NUMA node such as 0 but found ${JSON.stringify(node)}`,
    ]);
  });

  test.each([
    ['1', 1],
    [' 0 ', 0],
    ['', null],
  ])('%j chooses a NUMA node', (node, chosen) => {
    expect(parse('', env({ AIGES_ENV_NUMA: node })).config.numaNode).toBe(chosen);
  });
});

describe('the command line', () => {
  test.each([
    ['fc.max', 'command line: fc.max: expected table.key=value such as fc.max=8'],
    ['', 'command line: "": expected table.key=value such as fc.max=8'],
    ['max=8', 'command line: max: names no table; did you mean fc.max?'],
    ['fc_max=8', 'command line: fc_max: names no table; did you mean fc.max?'],
    ['quux=8', 'command line: quux: names no table; expected table.key with one of svcName, plugin, '],
    ['fc.mx=8', 'command line: fc.mx: unknown key; did you mean fc.max?'],
    ['fcc.max=8', 'command line: fcc.max: unknown table; did you mean fc.max?'],
    ['fc.max=0', 'command line: fc.max: expected an integer from 1 to 1000000 but found "0"'],
    ['a\nb=1', 'command line: "a\\nb": names no table'],
  ])('%j is refused', (override, message) => {
    expect(fail('', { overrides: [override] })[0]).toContain(message);
  });

  test('wins over the environment; the last one wins; values may hold "="', () => {
    const { config } = parse('[fc]\nmax = 1', {
      ...env({ AIGES__FC__MAX: '2' }),
      overrides: ['fc.max=3', 'FC.Max=4', 'wrapper.common.lic=a=b'],
    });
    expect(config.services[0]?.maxConcurrent).toBe(4);
    expect(config.services[0]?.pluginConfig).toEqual(new Map([['common.lic', 'a=b']]));
  });
});
