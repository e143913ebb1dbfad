import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config.js';
import { nameTables } from '../../../src/config/schema.js';
import { earlyRelease, originalDefaults } from './fixtures/original.js';
import { fail, parse } from './parsing.js';

describe('what cannot be served is refused with the key, the fault and the fix', () => {
  test.each<[string, string]>([
    // Syntax
    ['[svcName]\nport = ', 'aiges.toml:2:8: '],
    ['[svcName]\nport = 1\nport = 2', 'aiges.toml:3:1: trying to redefine an already defined table or value: port = 2'],
    ['a = 1\n[a.b]', 'aiges.toml:2:'],
    // Wrong values
    ['[svcName]\nport = 65536', 'aiges.toml: svcName.port: expected an integer from 0 to 65535 but found 65536'],
    ['[svcName]\nport = -1', 'aiges.toml: svcName.port: expected an integer from 0 to 65535 but found -1'],
    ['[svcName]\nport = 5090.0', 'aiges.toml: svcName.port: expected an integer from 0 to 65535 but found 5090'],
    ['[svcName]\nport = "http"', 'aiges.toml: svcName.port: expected an integer from 0 to 65535 but found "http"'],
    ['[svcName]\nport = true', 'aiges.toml: svcName.port: expected an integer from 0 to 65535 but found true'],
    [
      '[svcName]\nhost = "a:1"',
      'aiges.toml: svcName.host: expected an IP address or host name without port or brackets such as "0.0.0.0" but found "a:1"',
    ],
    [
      '[svcName]\nhost = ["a"]',
      'aiges.toml: svcName.host: expected an IP address or host name without port or brackets such as "0.0.0.0" but found an array',
    ],
    [
      '[svcName]\nnetcard = "eth9"',
      'aiges.toml: svcName.netcard: expected a network interface with an IPv4 address but found "eth9"; this machine has lo, eth0',
    ],
    [
      '[svcName]\nadvertise = "0.0.0.0:5090"',
      'aiges.toml: svcName.advertise: expected an IPv4 address and port that clients can dial such as "10.0.0.5:5090" but found "0.0.0.0:5090"',
    ],
    [
      '[svcName]\nmaxreceive = 0',
      'aiges.toml: svcName.maxreceive: expected an integer from 1 to 2047 (MiB) but found 0',
    ],
    ['[aiges]\nasyncMode = 1', 'aiges.toml: aiges.asyncMode: expected true or false but found 1'],
    ['[aiges]\nasyncMode = "true"', 'aiges.toml: aiges.asyncMode: expected true or false but found "true"'],
    ['[fc]\nmax = 0', 'aiges.toml: fc.max: expected an integer from 1 to 1000000 but found 0'],
    ['[fc]\nmax = {}', 'aiges.toml: fc.max: expected an integer from 1 to 1000000 but found a table'],
    ['[fc]\nmax = 2024-01-01', 'aiges.toml: fc.max: expected an integer from 1 to 1000000 but found a date'],
    [
      '[fc]\nrouter = "qpsLimiter"',
      'aiges.toml: fc.router: "qpsLimiter" is not available: it never worked; write "sessionManager", and put a rate limit in front of the loader',
    ],
    ['[fc]\nrouter = "x"', 'aiges.toml: fc.router: expected "sessionManager" but found "x"'],
    [
      '[log]\nlevel = "loud"',
      'aiges.toml: log.level: expected "debug", "info", "warn", "error" or "silent" but found "loud"',
    ],
    [
      '[http]\nlisten = "1888"',
      'aiges.toml: http.listen: expected "host:port" such as "127.0.0.1:1888", ":port" for all interfaces, or "off" but found "1888"',
    ],
    [
      '[http]\nlisten = 1888',
      'aiges.toml: http.listen: expected "host:port" such as "127.0.0.1:1888", ":port" for all interfaces, or "off" but found 1888',
    ],
    [
      '[http]\nmaxBody = "64MB"',
      'aiges.toml: http.maxBody: expected a size from 1B to 511MiB such as "64MiB", "512KiB" or 4096 (bytes) but found "64MB"',
    ],
    [
      '[http]\nmaxBody = 0',
      'aiges.toml: http.maxBody: expected a size from 1B to 511MiB such as "64MiB", "512KiB" or 4096 (bytes) but found 0',
    ],
    ['[http]\ncors = true', 'aiges.toml: http.cors: expected a list of origins but found true'],
    ['[http]\ncors = [1]', 'aiges.toml: http.cors: expected a list of origins but found an array'],
    ...['https://app.example.com/', 'app.example.com', 'ftp://a', 'https://*.example.com', 'null'].map(
      (text): [string, string] => [
        `[http]\ncors = ["https://a", "${text}"]`,
        `aiges.toml: http.cors: expected "*" or an origin such as "https://app.example.com", without a path but found "${text}"`,
      ],
    ),
    [
      '[http]\nheadersTimeout = "0s"',
      'aiges.toml: http.headersTimeout: expected a duration from 1ms to 86400s such as "60s", "500ms" or "2m" but found "0s"',
    ],
    [
      '[limits]\nonceTimeout = 60',
      'aiges.toml: limits.onceTimeout: expected a duration from 1ms to 2147483647ms such as "60s", "500ms" or "2m" but found 60',
    ],
    [
      '[limits]\nleaseTime = "0s"',
      'aiges.toml: limits.leaseTime: expected a duration from 1ms to 2147483647ms such as "60s", "500ms" or "2m" but found "0s"',
    ],
    [
      '[limits]\nonceTimeout = "0s"',
      'aiges.toml: limits.onceTimeout: expected a duration from 1ms to 2147483647ms such as "60s", "500ms" or "2m" but found "0s"',
    ],
    [
      '[svcName]\nmaxreceive = 64\n[grpc]\nconnectionMemory = "63MiB"',
      'aiges.toml: grpc.connectionMemory: 63MiB is less than maxreceive, 64MiB; choose at least that',
    ],
    ['[http]\nmemory = "63MiB"', 'aiges.toml: http.memory: 63MiB is less than maxBody, 64MiB; choose at least that'],
    [
      '[plugin]\nkind = "python"',
      'aiges.toml: plugin.kind: "python" is not available: Python plugins come with a later version; this one serves C engines and TypeScript',
    ],
    ['[plugin]\nkind = "wasm"', 'aiges.toml: plugin.kind: expected "native" or "node" but found "wasm"'],
    ['[plugin]\npath = " "', 'aiges.toml: plugin.path: expected the path of a plugin but found " "'],
    ['[plugin]\npath = "a\\u0000"', 'aiges.toml: plugin.path: expected the path of a plugin but found "a\\u0000"'],
    [
      '[plugin]\nkind = "native"\npath = "./wrapper.ts"',
      'aiges.toml: plugin.kind: a C engine is a shared library, but path is "./wrapper.ts"; write kind = "node", or leave it out',
    ],
    [
      '[plugin]\npath = "wrapper.py"',
      'aiges.toml: plugin.path: Python plugins come with a later version; expected a shared library or a TypeScript module but found "wrapper.py"',
    ],
    ['[metrics]\nwinSize = 0', 'aiges.toml: metrics.winSize: expected an integer from 1 to 86400 but found 0'],
    [
      '[metrics]\ntimePerSlice = "1s"',
      'aiges.toml: metrics.timePerSlice: expected an integer from 1 to 2147483647 (ms) but found "1s"',
    ],
    ['[log]\nsize = -1', 'aiges.toml: log.size: expected an integer from 0 to 2147483647 (MiB) but found -1'],
    ['[log]\nfile = "a\\u0000"', 'aiges.toml: log.file: expected text but found "a\\u0000"'],
    ['[plugin]\noutput = "leaze"', 'aiges.toml: plugin.output: expected "copy" or "lease" but found "leaze"'],
    [
      '[plugin]\nservice = "a/b"',
      'aiges.toml: plugin.service: expected letters, digits, ".", "_", "~" or "-" but found "a/b"',
    ],
    [
      '[plugin]\nservice = ".."',
      'aiges.toml: plugin.service: expected letters, digits, ".", "_", "~" or "-" but found ".."',
    ],
    [
      '[plugin]\nroute = "/:x"',
      'aiges.toml: plugin.route: expected a path such as "/v1/private/{service}" without blanks, ":", "*", "?" or a "/" at its end but found "/:x"',
    ],
    ['[plugin]\ninputs = 1', 'aiges.toml: plugin.inputs: expected a list of strings but found 1'],
    ['[plugin]\ninputs = ["a", ""]', 'aiges.toml: plugin.inputs: expected each input by its name, once, but found ""'],
    [
      '[plugin]\ninputs = ["a", "b", "a"]',
      'aiges.toml: plugin.inputs: expected each input by its name, once, but found "a" twice',
    ],
    [
      '[plugin]\ntagGrace = 60',
      'aiges.toml: plugin.tagGrace: expected a duration from 0s to 86400s such as "60s", "500ms" or "2m" but found 60',
    ],
    [
      '[limits]\noutputBytes = "2GiB"',
      'aiges.toml: limits.outputBytes: expected a size from 1B to 2047MiB such as "64MiB", "512KiB" or 4096 (bytes) but found "2GiB"',
    ],
    ['[limits]\nresults = 0', 'aiges.toml: limits.results: expected an integer from 1 to 10000000 but found 0'],
    ['[plugin]\nroute = "/ping"', 'aiges.toml: plugin.route: /ping belongs to the loader itself; choose another'],
    ['[plugin]\nroute = "/healthz"', 'aiges.toml: plugin.route: /healthz belongs to the loader itself; choose another'],
    [
      `[grpc]\nunix = "/${'x'.repeat(107)}"`,
      `aiges.toml: grpc.unix: expected the path of a socket file, of at most 107 bytes but found "/${'x'.repeat(59)}…"`,
    ],
    // Keys and tables that do not exist
    ['[svcName]\nprot = 1', 'aiges.toml: svcName.prot: unknown key; did you mean port?'],
    ['[svcName]\nPort = 1', 'aiges.toml: svcName.Port: unknown key; did you mean port?'],
    ['[svcName]\nmax = 1', 'aiges.toml: svcName.max: unknown key; max belongs to [fc]'],
    ['[fc]\nhttp_listen = ":1"', 'aiges.toml: fc.http_listen: unknown key; http_listen belongs to [wrapper]'],
    [
      '[http]\nquux = 1',
      'aiges.toml: http.quux: unknown key; [http] takes listen, maxBody, memory, ui, cors, legacyErrors, connections, headersTimeout, bodyTimeout, sendTimeout, keepAlive, unknownFields',
    ],
    [
      '[ws]\nquux = 1',
      'aiges.toml: ws.quux: unknown key; [ws] takes readTimeout, sessionTimeout, ping, maxFrame, frames, frameBytes, sendBuffer, maxConnections, origins',
    ],
    ['[fc]\n__proto__ = 1', 'aiges.toml: fc.__proto__: unknown key; [fc] takes max, able, router, ttl, roll'],
    ['[fc]\nconstructor = 1', 'aiges.toml: fc.constructor: unknown key; [fc] takes max, able, router, ttl, roll'],
    ['[fc]\n"a\\nb" = 1', 'aiges.toml: fc."a\\nb": unknown key; [fc] takes max, able, router, ttl, roll'],
    ['fc = 3', 'aiges.toml: fc: expected a table, [fc], but found an integer'],
    ['[[fc]]\nmax = 1', 'aiges.toml: fc: expected a table, [fc], but found an array'],
    ['port = 5090', 'aiges.toml: port: stands outside of any table; move it below [svcName]'],
    ['[digits]\nhost = ""', 'aiges.toml: [svcName]: no such table; did you mean -s digits?'],
    ['[svcname]', 'aiges.toml: [svcName]: no such table; did you mean -s svcname?'],
    ['[a]\nport = 1\n[b]\nport = 2', 'aiges.toml: [svcName]: no such table; did you mean -s a or -s b?'],
    // Keys that do not fit each other
    [
      '[svcName]\nport = 1888',
      'aiges.toml: http.listen: 127.0.0.1:1888 meets the gRPC address 127.0.0.1:1888; choose another port',
    ],
    [
      '[wrapper]\nhttp_listen = ":5090"',
      'aiges.toml: wrapper.http_listen: 0.0.0.0:5090 meets the gRPC address 127.0.0.1:5090; choose another port',
    ],
  ])('%j', (text, message) => {
    const faults = fail(text);
    expect(faults).toHaveLength(1);
    // Positions come with the parser's own words, which are not ours to pin.
    if (/^aiges\.toml:\d+:/.test(message)) expect(faults[0]).toContain(message);
    else expect(faults[0]).toBe(message);
  });

  test.each<[string, string, string]>([
    ['', 'digits', 'aiges.toml: [digits]: no such table; add it (it may be empty) or choose another with -s'],
    ['[svcName]\nport = 1', 'digits', 'aiges.toml: [digits]: no such table; did you mean -s svcName?'],
    ['', 'fc', '-s fc: not the name of a service; choose the table with its host and port'],
    [
      '["a b"]',
      'a b',
      'aiges.toml: plugin.service: the service table\'s name "a b" cannot be a public name; set one of letters, digits, ".", "_", "~" or "-"',
    ],
  ])('%j with -s %s', (text, section, message) => {
    expect(fail(text, { section })).toEqual([message]);
  });

  test('all faults are told at once, one line each', () => {
    try {
      parse('[fc]\nmax = 0\nmx = 1\n[svcName]\nport = -1', { env: { AIGES__X__Y: '1' } });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).message.split('\n')).toHaveLength(4);
    }
  });

  test('control characters of a broken line do not reach a terminal', () => {
    expect(fail('a = \u001b[31m"')[0]).toMatch(/^aiges\.toml:1:\d+: .*\\u001b/);
  });
});

describe('what has no effect is warned of once', () => {
  test.each<[string, readonly string[]]>([
    [
      '[svcName]\nhttp_listen = ":1"',
      [
        'svcName.http_listen: was never read here; write listen = "host:port" into [http], or http_listen into [wrapper]',
      ],
    ],
    ['[svcName]\nkeepalive = 1', ['svcName.keepalive: never had an effect; remove it']],
    ['[svcName]\nrate = 0\nburst = "0"\nfinder = 0\nreuseport = 0', []],
    ['[svcName]\nrate = 5', []],
    ['[svcName]\nfinder = 1\nvcpu = 1', ['[svcName]: finder, vcpu: for the platform of the original, ignored; remove']],
    [
      '[fc]\nable = 0',
      ['fc.able: ignored: the limit is always on; remove it, and set fc.max to what the engine bears'],
    ],
    ['[fc]\nable = 1000\nttl = 10000\nbest = "x"', ['[fc]: best: for the platform of the original, ignored; remove']],
    ['[metrics]\nable = 0\nidc = "dz"', []],
    ['[metrics]\nidc = "dz"', []],
    ['[metrics]\nable = 1\nidc = "dz"', []],
    ['[metrics]\nable = false', []],
    ['[metrics]\nable = 2', ['metrics.able: metrics stay off: only 1 turns them on, not 2']],
    [
      '[metrics]\nable = true',
      ['metrics.able: expected an integer from -2147483647 to 2147483647 but found true; the default is used, 0'],
    ],
    ['[pprof]\nable = false\nport = 1', []],
    [
      '[pprof]\nable = true',
      [
        'pprof.able: has no effect: to profile this loader start it with node --cpu-prof (docs/observability.md); remove it',
      ],
    ],
    ['[svcName]\nconn-rbuf = 0\nconn-wbuf = 2', []],
    [
      '[svcName]\nconn-rbuf = 1\nconn-wbuf = 1',
      [
        'svcName.conn-rbuf: has no effect: buffers of connections size themselves',
        'svcName.conn-wbuf: has no effect: buffers of connections size themselves',
      ],
    ],
    [
      '[log]\nasync = 0\ncaller = 0',
      ['log.async: has no effect: lines are written in the background, as soon as the disk takes them'],
    ],
    ['[log]\ncaller = 1', ['log.caller: has no effect: lines name what happened, with its code and its cause']],
    ['[aiges]\nstorageData = 0\ngray = false', []],
    ['[aiges]\nstorageData = 1', ['aiges.storageData: expected true or false but found 1; the default is used, false']],
    ['[aiges]\ngray = true', ['[aiges]: gray: for the platform of the original, ignored; remove']],
    ['[trace]\nable = 0\nhost = "h"', []],
    ['[trace]\nable = "0"', []],
    ['[sonar]\nable = false', []],
    [
      '[trace]\nhost = "h"\nanything = [1]',
      ['[trace]: talks to the platform of the original, ignored; remove it or write able = 0'],
    ],
    ['[lb]\nable = {}', ['[lb]: talks to the platform of the original, ignored; remove it or write able = 0']],
    ['[auth]\na = 1\nb = 2', ['[auth]: was never read, ignored; remove it']],
    [
      '[aiges]\npythonPluginCmd = ["secret"]',
      ['aiges.pythonPluginCmd: has no effect in this version yet; its type is string, not an array'],
    ],
    ['[plugins]\npath = "x"', ['[plugins]: unknown table, ignored; did you mean [plugin]?']],
    ['[quux]', ['[quux]: unknown table, ignored']],
    ['[__proto__]\na = 1', ['[__proto__]: unknown table, ignored']],
    ['title = "x"', ['title: stands outside of any table, ignored']],
    [
      '[http]\nlisten = ":1"\n[wrapper]\nhttp_listen = ":2"',
      ['wrapper.http_listen: ignored, because [http].listen is set to "0.0.0.0:1"; remove it'],
    ],
    ['[http]\nlisten = ":1"\n[wrapper]\nhttp_listen = "0.0.0.0:1"', []],
    [
      '[limits]\nthreads = 2\n[fc]\nmax = 8',
      ['limits.threads: below fc.max: 2 of 8 requests can be in the engine at once'],
    ],
  ])('%j', (text, warnings) => {
    expect(parse(text).warnings).toEqual(warnings.map((line) => `aiges.toml: ${line}`));
  });
});

describe('memory for messages', () => {
  test('grows with the longest message when nobody chose it', () => {
    const { wire } = parse('[svcName]\nmaxreceive = 1024').config.grpc;
    expect(wire).toMatchObject({ connectionMemory: 2 * 2 ** 30, totalMemory: 4 * 2 ** 30 });
  });

  test('grows with the longest body when nobody chose it', () => {
    expect(parse('[http]\nmaxBody = "500MiB"').config.http?.memoryBytes).toBe(2000 * 2 ** 20);
  });

  test('has room for the longest body', () => {
    expect(parse('[http]\nmaxBody = "2MiB"\nmemory = "2MiB"').config.http?.memoryBytes).toBe(2 * 2 ** 20);
  });
});

describe('[ws]', () => {
  test('is read', () => {
    const text = '[ws]\nreadTimeout = "20"\nsessionTimeout = 0\nping = "0s"\norigins = ["https://a.example.com"]';
    const { config, warnings } = parse(text);
    expect(warnings).toEqual([]);
    const origins = ['https://a.example.com'];
    expect(config.ws).toMatchObject({ idleTimeoutMs: 20_000, sessionTimeoutMs: 0, pingMs: 0, origins });
  });

  test('lets no more frames wait than a stream takes packets', () => {
    expect(parse('[ws]\nframes = 100\n[limits]\npackets = 10').config.ws.maxFrames).toBe(10);
  });

  test('needs no sessMode: both are served', () => {
    expect(parse('[aiges]\nsessMode = true').warnings).toEqual([
      'aiges.toml: aiges.sessMode: has no effect: single requests and streams are served at the same time; remove it',
    ]);
  });
});

describe('defaults', () => {
  test('are complete', () => {
    const { config, warnings } = parse('', { source: '<defaults>' });
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      source: '<defaults>',
      grpc: {
        host: '127.0.0.1',
        port: 5090,
        advertise: null,
        maxReceiveBytes: 4194304,
        maxSendBytes: 4194304,
        rateLimit: null,
        hostConfigured: false,
        server: 'wire',
        unix: null,
        wire: {
          reusePort: false,
          connectionMemory: 268_435_456,
          totalMemory: 1_073_741_824,
          streamWindow: 8_388_608,
          connectionWindow: 16_777_216,
          maxConnections: 10_000,
          maxStreams: 1000,
          handshakeTimeoutMs: 120_000,
          idleTimeoutMs: 0,
          maxAgeMs: 0,
          maxAgeGraceMs: 0,
          leaseTimeMs: 1000,
          keepaliveIntervalMs: 7_200_000,
          keepaliveTimeoutMs: 20_000,
        },
      },
      http: {
        host: '127.0.0.1',
        port: 1888,
        maxBodyBytes: 67108864,
        memoryBytes: 1_073_741_824,
        unknownFields: 'warn',
        ui: true,
        cors: [],
        legacyErrors: false,
        maxConnections: 10_000,
        headersTimeoutMs: 30_000,
        bodyTimeoutMs: 300_000,
        sendTimeoutMs: 60_000,
        keepAliveMs: 72_000,
      },
      ws: {
        idleTimeoutMs: 15_000,
        sessionTimeoutMs: 180_000,
        pingMs: 30_000,
        maxFrame: 16_777_216,
        maxFrames: 64,
        maxFrameBytes: 4_194_304,
        maxUnsentBytes: 1_048_576,
        maxConnections: 10_000,
        origins: [],
      },
      limits: {
        queue: 256,
        onceTimeoutMs: 120000,
        drainTimeoutMs: 10000,
        resize: false,
        abandoned: 10000,
        results: 10000,
        resultBytes: 268435456,
        outputBytes: 1073741824,
        resources: 10000,
        leasedBytes: 268435456,
        threads: 12,
      },
      data: {
        allow: [],
        retries: 1,
        timeoutMs: 30_000,
        maxBytes: 67_108_864,
        maxTotalBytes: 268_435_456,
        maxRedirects: 3,
        parallel: 4,
      },
      log: { level: 'info', file: null },
      metrics: null,
      numaNode: null,
      delivery: null,
      services: [
        {
          name: 'svcName',
          table: 'plugin',
          route: '/v1/private/svcName',
          aliases: [],
          version: 'v1',
          plugin: {
            kind: 'native',
            path: './libwrapper.so',
            asyncMode: false,
            input: 'auto',
            output: 'copy',
            emptyList: 'sentinel',
            abandon: 'release',
            tagGraceMs: 60_000,
          },
          schema: null,
          resources: false,
          pluginConfig: new Map(),
          maxConcurrent: 8,
          headerPass: ['sid'],
          streams: { ttlMs: 15000, rollMs: 5000, realTime: true, gapMs: 5000, maxPackets: 1000 },
          storeInput: false,
          inputs: null,
        },
      ],
    });
  });

  test('a name given without a file is the name of the service', () => {
    expect(parse('', { source: '<defaults>', section: 'digits' }).config.services[0]?.name).toBe('digits');
  });

  test('cannot be changed by accident', () => {
    const { config } = parse('');
    expect(Object.isFrozen(config) && Object.isFrozen(config.grpc) && Object.isFrozen(config.services[0]?.plugin)).toBe(
      true,
    );
  });

  test('threads follow the permits to a point', () => {
    expect(parse('[fc]\nmax = 100').config.limits.threads).toBe(104);
    expect(parse('[fc]\nmax = 1000000').config.limits.threads).toBe(4100);
    expect(parse('[limits]\nthreads = 64').config.limits.threads).toBe(64);
    // Clients may ask for more permits later.
    expect(parse('[fc]\nmax = 1\n[limits]\nresize = true').config.limits.threads).toBe(4100);
    expect(parse('[limits]\nresize = true\nthreads = 64').config.limits.threads).toBe(64);
  });
});

describe('values', () => {
  test('reach the config', () => {
    const { config, warnings } = parse(`
      [svcName]
      host = "0.0.0.0"
      port = "6000"
      advertise = "10.0.0.5:6000"
      maxreceive = 16
      maxsend = "8"
      [plugin]
      path = "/opt/engine.so"
      service = "digits"
      version = "v2"
      route = "/{version}/{service}/run"
      input = "copy"
      output = "lease"
      emptyList = "null"
      abandon = "hold"
      tagGrace = "2s"
      inputs = ["audio", "text"]
      resources = true
      [fc]
      max = 3
      [http]
      listen = "[::1]:0"
      maxBody = "1KiB"
      ui = false
      cors = ["https://app.example.com", "http://localhost:8080"]
      legacyErrors = true
      connections = 7
      headersTimeout = "1s"
      bodyTimeout = "2s"
      sendTimeout = "3s"
      keepAlive = "4s"
      [limits]
      queue = 0
      onceTimeout = "500ms"
      drainTimeout = "0s"
      leasedBytes = 1024
      leaseTime = "250ms"
      results = 5
      resultBytes = "1KiB"
      outputBytes = "2047MiB"
      resources = 20
      [aiges]
      asyncMode = true
      [log]
      level = "none"`);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      grpc: {
        host: '0.0.0.0',
        port: 6000,
        advertise: '10.0.0.5:6000',
        maxReceiveBytes: 16777216,
        maxSendBytes: 8388608,
        hostConfigured: true,
        wire: { leaseTimeMs: 250 },
      },
      http: {
        host: '::1',
        port: 0,
        maxBodyBytes: 1024,
        ui: false,
        cors: ['https://app.example.com', 'http://localhost:8080'],
        legacyErrors: true,
        maxConnections: 7,
        headersTimeoutMs: 1000,
        bodyTimeoutMs: 2000,
        sendTimeoutMs: 3000,
        keepAliveMs: 4000,
      },
      limits: {
        queue: 0,
        onceTimeoutMs: 500,
        drainTimeoutMs: 0,
        resize: false,
        abandoned: 10000,
        resources: 20,
        leasedBytes: 1024,
        results: 5,
        resultBytes: 1024,
        outputBytes: 2146435072,
        threads: 7,
      },
      log: { level: 'silent' },
      services: [
        {
          name: 'digits',
          route: '/v2/digits/run',
          version: 'v2',
          plugin: {
            path: '/opt/engine.so',
            asyncMode: true,
            input: 'copy',
            output: 'lease',
            emptyList: 'null',
            abandon: 'hold',
            tagGraceMs: 2000,
          },
          resources: true,
          maxConcurrent: 3,
          inputs: ['audio', 'text'],
        },
      ],
    });
  });

  test('an empty host leaves the choice to netcard, then to the default', () => {
    expect(parse('[svcName]\nhost = ""\nnetcard = "eth0"').config.grpc).toMatchObject({
      host: '10.0.0.5',
      hostConfigured: true,
    });
    expect(parse('[svcName]\nhost = "::1"\nnetcard = "eth0"').config.grpc.host).toBe('::1');
    expect(parse('[svcName]\nhost = ""\nnetcard = ""').config.grpc).toMatchObject({
      host: '127.0.0.1',
      hostConfigured: false,
    });
  });

  test.each([
    ['', null],
    ['/run/aiges/xsf.sock', '/run/aiges/xsf.sock'],
  ])('unix = %j listens on a socket besides: %j', (path, unix) => {
    expect(parse(`[grpc]\nunix = "${path}"`).config.grpc.unix).toBe(unix);
  });

  test('metrics have the name of the service section and the labels of the config', () => {
    const text =
      '[digits]\n[plugin]\nservice = "public"\n[metrics]\nable = 1\nidc = "dz"\nsub = 7\ntimePerSlice = 100\nwinSize = 3';
    expect(parse(text, { section: 'digits' }).config.metrics).toEqual({
      labels: { sub: '7', name: 'digits', idc: 'dz', cs: '3s' },
      slices: 3,
      sliceMs: 100,
    });
  });

  test.each([
    ['[log]\nfile = ""', null],
    ['[log]\nsize = 5', null],
    ['[log]\nfile = "a.log"', { path: 'a.log', maxBytes: 10 << 20, keep: 10, maxAgeMs: 864_000_000 }],
    [
      '[log]\nfile = "a.log"\nsize = 0\ncount = 0\ndie = 0',
      { path: 'a.log', maxBytes: null, keep: null, maxAgeMs: null },
    ],
  ])('%j chooses where the log goes', (text, file) => {
    expect(parse(text).config.log.file).toEqual(file);
  });

  test.each([
    ['[wrapper]\nhttp_listen = "0.0.0.0:9000"', { host: '0.0.0.0', port: 9000 }],
    ['[wrapper]\nhttp_listen = ":"', { host: '0.0.0.0', port: 0 }],
    ['[wrapper]\nhttp_listen = ""', null],
    ['[http]\nlisten = ""', null],
    ['[http]\nlisten = "off"', null],
    ['[http]\nlisten = "off"\n[wrapper]\nhttp_listen = ":9000"', null],
  ])('%j chooses where HTTP is served', (text, address) => {
    const { http } = parse(text).config;
    if (address === null) expect(http).toBeNull();
    else expect(http).toMatchObject(address);
  });

  test.each([
    ['[plugin]\npath = "./wrapper.ts"', {}, './wrapper.ts'],
    ['[plugin]\npath = "plugin.mjs"', {}, 'plugin.mjs'],
    ['[plugin]\nkind = "node"', {}, './wrapper.ts'],
    ['', { AIGES_PLUGIN_MODE: 'node' }, './wrapper.ts'],
  ])('%s with %o is a wrapper in worker threads', (text, env, path) => {
    const { config } = parse(text, { env });
    expect(config.services[0]?.plugin).toEqual({ kind: 'node', path, instances: 1, execLimitMs: 5000, heapMiB: null });
  });

  test('headers to pass come from the config and from the list file, once each', () => {
    const readFile = (path: string): string | null =>
      path === 'headerPass.wrapper' ? 'appid\r\ntrace\n\nsid\n' : null;
    const { config } = parse('[aiges]\nheaderPass = "appid; uid;;"', { readFile });
    expect(config.services[0]?.headerPass).toEqual(['sid', 'appid', 'uid', 'trace']);
  });
});

describe('files of the original', () => {
  test('its own default file loads with warnings only, each naming a key', () => {
    const { config, warnings } = parse(originalDefaults);
    expect(config).toMatchObject({
      grpc: { host: '0.0.0.0', port: 5090 },
      http: { host: '0.0.0.0', port: 1888 },
      log: {
        level: 'debug',
        file: { path: './log/aiges.log', maxBytes: 3 << 20, keep: 3, maxAgeMs: 3 * 24 * 60 * 60 * 1000 },
      },
      services: [{ name: 'svcName', maxConcurrent: 1, plugin: { asyncMode: true } }],
    });
    expect(config.services[0]?.pluginConfig.get('resource./opt/models/graph.bin')).toBe('GRAPH');
    expect(warnings).toHaveLength(10);
    expect(new Set(warnings).size).toBe(10);
  });

  test('an early release with numbers for booleans loads too', () => {
    const { config, warnings } = parse(earlyRelease, { section: 'digits' });
    expect(config).toMatchObject({
      http: { port: 1888 },
      log: { level: 'silent' },
      services: [{ name: 'digits', maxConcurrent: 10, plugin: { asyncMode: false } }],
    });
    expect(warnings).toContain(
      'aiges.toml: aiges.realTimeRlt: expected true or false but found 0; the default is used, true',
    );
    expect(warnings).toContain('aiges.toml: aiges.libCodec: of an early release, ignored; remove it');
  });
});

describe('any text is a Config or a ConfigError', () => {
  const runs = { numRuns: 300 };

  const survive = (text: string, overrides: readonly string[] = [], env: Record<string, string> = {}): void => {
    try {
      const { config, warnings } = parse(text, { overrides, env });
      expect(config.limits.threads).toBeGreaterThan(0);
      for (const warning of warnings) expect(warning).not.toContain('\n');
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      expect(error.faults.length).toBeGreaterThan(0);
      for (const fault of error.faults) expect(fault).not.toContain('\n');
    }
  };

  const word = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('__proto__', 'constructor', 'able'),
  );
  const tableNames = [...nameTables('svcName', ['a']).keys(), 'services'];
  const keyNames = [...nameTables('svcName').values()].flatMap(({ keys }) => Object.keys(keys));
  const scalar = fc.oneof(
    word,
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double(),
    fc.boolean(),
    fc.constantFrom('off', ':1', '1s', '1MiB', 'native', 'user.toml'),
  );
  const value = fc.oneof(
    { weight: 5, arbitrary: scalar },
    fc.array(scalar, { maxLength: 3 }),
    fc.dictionary(word, scalar),
  );
  const name = (known: readonly string[]): fc.Arbitrary<string> =>
    fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...known) }, word);
  const document = fc.dictionary(
    name(tableNames),
    fc.oneof({ weight: 8, arbitrary: fc.dictionary(name(keyNames), value, { maxKeys: 6 }) }, value),
    { maxKeys: 6 },
  );
  const services = fc.dictionary(name(['a', 'b']), fc.dictionary(name([...keyNames, 'wrapper']), value), {
    maxKeys: 3,
  });

  test('documents made of known and unknown names', () => {
    fc.assert(
      fc.property(document, fc.option(services), (made, several) => {
        survive(stringify(several === null ? made : { ...made, services: several }));
      }),
      runs,
    );
  });

  test('arbitrary characters', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string({ unit: fc.constantFrom(...'[]{}"\'=.#,\n\r \\a1-'.split('')) }),
        ),
        (text) => {
          survive(text);
        },
      ),
      runs,
    );
  });

  test('arbitrary overrides', () => {
    const path = fc.tuple(name(tableNames), name(keyNames));
    fc.assert(
      fc.property(fc.array(fc.tuple(path, word)), (assignments) => {
        survive(
          '[services.a]',
          assignments.map(([[table, key], text]) => `${table}.${key}=${text}`),
          Object.fromEntries(assignments.map(([[table, key], text]) => [`AIGES__${table}__${key}`, text])),
        );
      }),
      runs,
    );
  });
});
