import { dead, type Key, later, live, platform, table, type Table } from './key.js';
import { boolean, choice, dialable, duration, host, integer, list, listener, mebibytes, size, text } from './kind.js';
import { KiB, MiB } from './units.js';

/** The service section of a file that does not name another. */
export const defaultSection = 'svcName';

// Timers of Node end here.
const longest = 2 ** 31 - 1;
const day = 24 * 60 * 60 * 1000;
const count = { min: 0, max: longest };
const onOff = { min: -longest, max: longest };

/** Whether a name can be a piece of a URL without being encoded. */
export function isSegment(name: string): boolean {
  return /^[\w.~-]+$/.test(name) && !/^\.+$/.test(name);
}

const segment = { expected: 'letters, digits, ".", "_", "~" or "-"', accepts: isSegment };

const routeShape = {
  name: 'path',
  expected: 'a path such as "/v1/private/{service}" without blanks, ":", "*", "?" or a "/" at its end',
  accepts: (route: string) =>
    route.startsWith('/') &&
    route
      .slice(1)
      .split('/')
      .every((piece) => isSegment(piece.replace(/\{(version|service)\}/g, 'x'))),
};

function early(): Key<null> {
  return dead('A key of early releases.', { note: 'of an early release, ignored; remove it' });
}

const switched = { able: platform('0 says that the table is not used.') };

/** Every key. Defaults, checks, warnings, the default file and the reference all come from here. */
export const schema = {
  service: table(
    defaultSection,
    'The gRPC address. The name of this table is the name of the service; another one is chosen with -s.',
    {
      host: live(host(), null, 'Address to listen on. "0.0.0.0" for all interfaces.', {
        defaultText: '"127.0.0.1"',
        sample: '"127.0.0.1"',
        active: true,
      }),
      netcard: live(text(), null, 'Listen on the IPv4 address of this network interface. Used when host is empty.', {
        defaultText: 'none',
        sample: '"eth0"',
      }),
      port: live(integer({ min: 0, max: 65535 }), 5090, 'Port to listen on; 0 takes a free one.', { active: true }),
      advertise: live(
        dialable(),
        null,
        'Address that handles and answers give to clients, where it is not the one listened on.',
        {
          defaultText: 'derived',
          sample: '"10.0.0.5:5090"',
        },
      ),
      maxreceive: live(mebibytes({ min: 1, max: 2047 }), 4 * MiB, 'Largest message taken.'),
      maxsend: live(mebibytes({ min: 1, max: 2047 }), 4 * MiB, 'Largest message sent.'),
      reuseport: live(
        integer(onOff),
        0,
        'Any number but 0 lets several processes share the port. Not with [grpc].server = "grpc-js".',
      ),
      grpctimeout: live(
        integer({ min: 1, max: 86_400, unit: 's' }),
        120,
        'Time for the handshake of a connection. Not with [grpc].server = "grpc-js".',
      ),
      'conn-rbuf': later(integer({ ...count, unit: 'MiB' }), 0, 'Read buffer of a connection.', { inert: [0] }),
      'conn-wbuf': later(integer({ ...count, unit: 'MiB' }), 2, 'Write buffer of a connection.', { inert: [2] }),
      rate: live(integer({ ...count, unit: 'ms' }), 0, 'Rate limit of gRPC calls: time per call. 0 for no limit.'),
      burst: live(integer(count), 0, 'Rate limit of gRPC calls: how many may come at once after a pause.'),
      http_listen: dead('Was never read in this table.', {
        note: 'was never read here; write listen = "host:port" into [http], or http_listen into [wrapper]',
      }),
      keepalive: dead('Was never read.'),
      'keepalive-timeout': dead('Was never read.'),
      finder: platform('Registers the service with the platform.', { inert: [0, false] }),
      vcpu: platform('Load report.', { inert: [0, false] }),
      'vcpu-g': platform('Load report.'),
      'vcpu-s': platform('Load report.'),
      'vcpu-v': platform('Load report.'),
      'vcpu-i': platform('Load report.'),
    },
  ),
  plugin: table('plugin', 'What is served.', {
    kind: live(
      choice(['native'], {
        refused: {
          node: 'TypeScript plugins come with a later version; this one serves C engines (kind = "native")',
          python: 'Python plugins come with a later version; this one serves C engines (kind = "native")',
        },
      }),
      'native',
      'Kind of plugin: "native" is a C engine, a shared library with the wrapper functions.',
    ),
    path: live(
      text({ name: 'path', expected: 'the path of a shared library', accepts: (s) => s.trim() !== '' }),
      './libwrapper.so',
      'The library. A relative path starts at the working directory.',
      { active: true },
    ),
    service: live(
      text({ name: 'name', ...segment }),
      null,
      'Public name of the service, in HTTP routes and as serviceId.',
      {
        defaultText: 'the name of the service table',
        sample: '"digits"',
      },
    ),
    version: live(text({ name: 'name', ...segment }), 'v1', 'Public version of the service.'),
    route: live(
      text(routeShape),
      '/{version}/private/{service}',
      'HTTP route of the service. {version} and {service} stand for the keys above.',
    ),
    input: live(
      choice(['auto', 'copy']),
      'auto',
      'How inputs reach the engine: "auto" passes large ones in place, "copy" always copies (for engines that write into their input or keep it).',
    ),
    output: live(
      choice(['copy', 'lease']),
      'copy',
      'How outputs leave the engine: "copy" frees them at once, "lease" sends from the engine\'s memory (only for engines whose outputs are independent of each other).',
    ),
    emptyList: live(
      choice(['sentinel', 'null']),
      'sentinel',
      'What an engine gets for an empty list: "sentinel" is one node with a NULL key, as ever; "null" is a NULL pointer.',
    ),
    abandon: live(
      choice(['release', 'hold']),
      'release',
      'When an asynchronous engine lets a deadline pass: "release" frees its place at the deadline, "hold" when it calls back.',
    ),
  }),
  wrapper: table(
    'wrapper',
    'Config of the plugin: every key is passed to wrapperInit as text. Text, numbers and booleans only.',
    {
      http_listen: live(listener(), null, 'HTTP address of older files. [http].listen wins over it.', {
        defaultText: 'none',
        superseded: true,
      }),
    },
    { open: 'live', example: 'model = "./model.bin"' },
  ),
  fc: table('fc', 'Flow control.', {
    max: live(integer({ min: 1, max: 1_000_000 }), null, 'Requests and sessions that run at the same time.', {
      defaultText: '2 per CPU core',
      sample: '8',
    }),
    able: live(integer(onOff), 1, 'The limit is always on; 0 is answered with a warning.', { superseded: true }),
    router: live(
      choice(['sessionManager'], {
        refused: { qpslimiter: 'it never worked; write "sessionManager", and put a rate limit in front of the loader' },
      }),
      'sessionManager',
      'Kind of limit; there is one.',
      { superseded: true },
    ),
    ttl: live(
      integer({ min: 1, max: longest, unit: 'ms' }),
      15000,
      'Idle time after which a stream session ends. Requests of its client and results of the engine count as activity.',
    ),
    roll: live(integer({ min: 1, max: longest, unit: 'ms' }), 5000, 'Interval of the search for idle stream sessions.'),
    best: later(integer(count), null, 'Best number of sessions, for load reports.', { defaultText: 'fc.max' }),
    strategy: platform('Load report.'),
    wave: platform('Load report.'),
    report: platform('Load report.'),
    filterwin: platform('Load report.'),
    tasksize: dead('Size of a queue that was never used.'),
    taskchsize: dead('Size of a queue that was never used.'),
  }),
  http: table('http', 'The HTTP gateway.', {
    listen: live(
      listener(),
      { host: '127.0.0.1', port: 1888 },
      'Address to listen on. ":1888" means all interfaces, port 0 takes a free one, "off" serves no HTTP.',
      { active: true },
    ),
    maxBody: live(size({ min: 1, max: 511 * MiB }), 64 * MiB, 'Largest request body taken.'),
  }),
  grpc: table('grpc', 'The gRPC server. All keys but the first are for "wire".', {
    server: live(
      choice(['wire', 'grpc-js']),
      'wire',
      'Implementation: "wire" is native and runs in a thread of its own, "grpc-js" is JavaScript. Where "wire" cannot run, "grpc-js" takes its place with a warning.',
    ),
    memory: live(
      size({ min: MiB, max: Number.MAX_SAFE_INTEGER }),
      null,
      'Most memory for messages, received and to be sent, of all connections together. Connections are not read beyond it. At least maxreceive.',
      { defaultText: '1GiB, or 4 times maxreceive', sample: '"1GiB"' },
    ),
    connectionMemory: live(
      size({ min: MiB, max: Number.MAX_SAFE_INTEGER }),
      null,
      'The same for one connection. At least maxreceive.',
      { defaultText: '256MiB, or twice maxreceive', sample: '"256MiB"' },
    ),
    streamWindow: live(
      size({ min: 64 * KiB, max: longest }),
      8 * MiB,
      'Bytes that a client may send ahead for one call (HTTP/2 window).',
    ),
    connectionWindow: live(
      size({ min: 64 * KiB, max: longest }),
      16 * MiB,
      'Bytes that a client may send ahead on one connection.',
    ),
    maxConnections: live(
      integer({ min: 1, max: 1_000_000 }),
      10_000,
      'Connections at the same time; further ones are closed at once.',
    ),
    maxStreams: live(
      integer({ min: 1, max: longest }),
      1000,
      'Calls at the same time on one connection; clients let further ones wait.',
    ),
    keepalive: live(
      duration({ min: 0, max: longest }),
      7_200_000,
      'Silence on a connection after which it is pinged. "0s" never pings.',
    ),
    keepaliveTimeout: live(
      duration({ min: 1, max: longest }),
      20_000,
      'Time for the answer to a ping; a connection without one is closed.',
    ),
    idleTimeout: live(
      duration({ min: 0, max: longest }),
      0,
      'Time without a call after which a connection is closed. "0s" for no limit.',
    ),
    maxAge: live(
      duration({ min: 0, max: longest }),
      0,
      'Age at which a connection takes no new calls, so that its client opens another one. "0s" for no limit.',
    ),
    maxAgeGrace: live(
      duration({ min: 0, max: longest }),
      0,
      'Time for the calls of such a connection. "0s" for no limit.',
    ),
  }),
  limits: table('limits', 'How much at once, and for how long.', {
    queue: live(
      integer({ min: 0, max: 1_000_000 }),
      256,
      'HTTP requests that wait for a place when [fc].max are running.',
    ),
    onceTimeout: live(duration({ min: 1, max: longest }), 120_000, 'Time for one request where the client gives none.'),
    drainTimeout: live(duration({ min: 0, max: day }), 10_000, 'Time for running requests when the loader stops.'),
    resize: live(
      boolean(),
      false,
      'Let clients change [fc].max while the loader runs (AILBType). Anyone who reaches the port can.',
    ),
    gap: live(
      duration({ min: 0, max: longest }),
      5_000,
      'Time that a stream waits for an input packet that is missing before it goes on with the next one.',
    ),
    packets: live(
      integer({ min: 1, max: 1_000_000 }),
      1000,
      'Input packets of one stream that may wait: for a missing one, or for the engine.',
    ),
    leasedBytes: live(
      size({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      256 * MiB,
      'Engine memory that may be waiting to be sent, for [plugin].output = "lease".',
    ),
    abandoned: live(
      integer({ min: 0, max: 10_000_000 }),
      10_000,
      'Calls that were given up before an asynchronous engine called back, and whose handles are refused until it does. Beyond it the oldest are forgotten.',
    ),
    threads: live(
      integer({ min: 0, max: 65536 }),
      0,
      'Most threads that call the engine. 0 derives it: [fc].max up to 4096, and 4 for everything else. They start on demand.',
    ),
  }),
  data: table('data', 'Input that lies elsewhere (payload attribute dataSrc): docs/remote-data.md.', {
    allow: live(
      list(),
      [],
      'Where input may be fetched from: host names, "*.example.com", addresses, ranges, each with a port or without. Nothing is fetched from anywhere else.',
      { sample: '["media.example.com"]' },
    ),
    timeout: live(
      duration({ min: 1, max: longest }),
      30_000,
      'Time for one download, with its attempts and redirects.',
    ),
    maxBytes: live(size({ min: 1, max: Number.MAX_SAFE_INTEGER }), 64 * MiB, 'Largest download.'),
    maxTotal: live(size({ min: 1, max: Number.MAX_SAFE_INTEGER }), 256 * MiB, 'Most bytes that one request may fetch.'),
    maxRedirects: live(integer({ min: 0, max: 20 }), 3, 'Redirects that are followed.'),
    parallel: live(integer({ min: 1, max: 64 }), 4, 'Downloads for one request at the same time.'),
  }),
  log: table('log', 'The log.', {
    level: live(
      choice(['debug', 'info', 'warn', 'error', 'silent'], { aliases: { none: 'silent', warning: 'warn' } }),
      'info',
      'Least level that is written. "none" of older files means "silent".',
      { active: true },
    ),
    file: later(text(), 'xrpcs.log', 'Log file.'),
    size: later(integer({ ...count, unit: 'MB' }), 10, 'Size at which the file is rotated.'),
    count: later(integer(count), 10, 'Rotated files that are kept.'),
    die: later(integer({ ...count, unit: 'days' }), 10, 'Age at which rotated files go.'),
    async: later(integer(onOff), 1, 'Write from a queue.'),
    cache: later(integer({ min: -1, max: longest }), -1, 'Length of the queue; -1 for no limit.'),
    batch: later(integer(count), 16384, 'Lines per write.'),
    caller: later(integer(onOff), 0, 'Name the line of code.', { inert: [0] }),
    wash: later(integer({ ...count, unit: 's' }), 60, 'Interval of writes.'),
  }),
  aiges: table('aiges', 'General settings of the original.', {
    asyncMode: live(
      boolean(),
      false,
      'The engine answers through its callback (wrapperExecAsync), not by returning (wrapperExec).',
      {
        active: true,
      },
    ),
    headerPass: live(
      text(),
      '',
      'Request headers that the engine gets as parameters, separated by ";". sid is always passed. Every line of the file headerPass.wrapper in the working directory adds one.',
    ),
    usrCfg: live(
      text(),
      '',
      'A second TOML file whose keys are passed to wrapperInit as "table.key". [wrapper] is not passed then. Searched for next to this file, then in the working directory.',
      {
        sample: '"user.toml"',
      },
    ),
    realTimeRlt: live(
      boolean(),
      true,
      'Read results of a stream while it is being written, not only after its last input.',
      { tolerant: true },
    ),
    httpRetry: live(integer({ min: 1, max: 100 }), 1, 'Attempts to fetch input that lies elsewhere.'),
    storageData: later(boolean(), false, 'Store the input of requests.', { inert: [false] }),
    gray: later(boolean(), false, 'Metric label.', { inert: [false] }),
    sessMode: later(boolean(), false, 'Serve streams over WebSocket instead of single HTTP requests.', {
      inert: [false],
    }),
    pythonPluginCmd: later(text(), '', 'Command that starts a Python plugin.', { inert: [''] }),
    wrapperTrace: platform('Trace tags.', { inert: [false] }),
    sub: dead('Was read and not used.'),
    wrapperDelayDetectPeriod: dead('Was read and not used.'),
    gesMock: dead('Was never read.'),
    numaNode: dead('Was never read.', { note: 'was never read; AIGES_ENV_NUMA was what chose the node' }),
    sessDelGt: dead('Number of release workers.', { note: 'has no effect: releasing a session needs no worker here' }),
    asyncRelease: dead('Release through a queue.', {
      note: 'has no effect: releasing a session never delays its client here',
    }),
    libCodec: early(),
    catchOn: early(),
    catchDump: early(),
  }),
  ws: table('ws', 'WebSocket.', {
    readTimeout: later(integer({ ...count, unit: 's' }), 15, 'Time without a frame after which a connection ends.'),
    sessionTimeout: later(integer({ ...count, unit: 's' }), 180, 'Longest session.'),
  }),
  dataProcess: table('dataProcess', 'Audio conversion, which never worked.', {
    rsable: dead('Was read and not used.'),
  }),
  downAsync: table('downAsync', 'Delivery of results through a message queue.', {
    rabHost: later(text(), null, 'Message queue server.', { defaultText: 'none' }),
    rabUser: later(text(), null, 'Its user.', { defaultText: 'none' }),
    rabPass: later(text(), null, 'Its password.', { defaultText: 'none' }),
    rabQueue: later(text(), null, 'Queue.', { defaultText: 'none' }),
    retry: later(integer(count), 3, 'Attempts.'),
    nrtDBUrl: later(text(), null, 'Task status service.', { defaultText: 'none' }),
  }),
  metrics: table(
    'metrics',
    'Metrics.',
    {
      able: later(integer(onOff), 0, '1 turns metrics on.', { inert: [0, false] }),
      idc: later(text(), 'dx', 'Label.'),
      sub: later(text(), 'xxx', 'Label.'),
      cs: later(text(), '3s', 'Label.'),
      timePerSlice: later(integer({ ...count, unit: 'ms' }), 1000, 'Length of a slice.'),
      winSize: later(integer(count), 60, 'Slices per window.'),
    },
    { able: false },
  ),
  pprof: table(
    'pprof',
    'Profiling over HTTP.',
    {
      able: later(boolean(), false, 'Turns it on.', { inert: [false, 0] }),
      host: later(text(), null, 'Address to listen on.', { defaultText: 'first non-loopback IPv4' }),
      port: later(integer({ min: 0, max: 65535 }), 1234, 'Port to listen on.'),
    },
    { able: false },
  ),
  trace: table('trace', 'Tracing of the platform.', switched, { open: 'platform', able: true }),
  sonar: table('sonar', 'Monitoring of the platform.', switched, { open: 'platform', able: true }),
  lb: table('lb', 'Load balancer of the platform, version 1.', switched, { open: 'platform', able: true }),
  lbv2: table('lbv2', 'Load balancer of the platform, version 2.', switched, { open: 'platform', able: true }),
  bvt: table('bvt', 'Build verification of the platform.', switched, { open: 'platform', able: true }),
  auth: table('auth', 'Was never read.', {}, { open: 'dead' }),
  resource: table('resource', 'Was never read.', {}, { open: 'dead' }),
  elog: table('elog', 'Was never read.', {}, { open: 'dead' }),
} as const;

/** Tables by the name they have in a file whose service section is `section`. */
export function nameTables(section: string): ReadonlyMap<string, Table> {
  const tables: readonly Table[] = Object.values(schema);
  return new Map(tables.map((each) => [each === schema.service ? section : each.name, each]));
}

/** Environment variables of the original. Any key can be set with `AIGES__TABLE__KEY` besides. */
export const environment = {
  mode: {
    name: 'AIGES_PLUGIN_MODE',
    class: 'live',
    text: 'Kind of plugin: `c` (the default); `node` and `python` come with a later version.',
  },
  version: {
    name: 'AIGES_WRAPPER_VERSION',
    class: 'live',
    text: 'Version of the service that is reported instead of `[plugin].version`. The HTTP route keeps the configured version, so that a rebuilt image does not move its address.',
  },
  numa: { name: 'AIGES_ENV_NUMA', class: 'later', text: 'NUMA node to run on.' },
} as const;

/** Prefix of the variables that set any key. */
export const overridePrefix = 'AIGES__';
