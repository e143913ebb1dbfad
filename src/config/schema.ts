import { dead, type Key, later, live, platform, table, type Table } from './key.js';
import {
  boolean,
  choice,
  dialable,
  duration,
  host,
  integer,
  list,
  listener,
  mebibytes,
  secret,
  size,
  text,
  url,
} from './kind.js';
import { KiB, MiB } from './units.js';

/** The service section of a file that does not name another. */
export const defaultSection = 'svcName';

// Timers of Node end here.
const longest = 2 ** 31 - 1;
const longestSeconds = Math.floor(longest / 1000);
const day = 24 * 60 * 60 * 1000;
const count = { min: 0, max: longest };
const onOff = { min: -longest, max: longest };

/** Whether a name can be a piece of a URL without being encoded. */
export function isSegment(name: string): boolean {
  return /^[\w.~-]+$/.test(name) && !/^\.+$/.test(name);
}

/** The value of `[plugin].schema` for none. */
export const noSchema = 'off';

const segment = { expected: 'letters, digits, ".", "_", "~" or "-"', accepts: isSegment };

export const routeShape = {
  name: 'path',
  expected: 'a path such as "/v1/private/{service}" without blanks, ":", "*", "?" or a "/" at its end',
  accepts: (route: string) =>
    route.startsWith('/') &&
    route
      .slice(1)
      .split('/')
      .every((piece) => isSegment(piece.replace(/\{(version|service)\}/g, 'x'))),
};

const origin = {
  name: 'origin',
  expected: '"*" or an origin such as "https://app.example.com", without a path',
  accepts: (text: string) =>
    text === '*' || (/^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text),
};

function early(): Key<null> {
  return dead('A key of early releases.', { note: 'of an early release, ignored; remove it' });
}

const selfSized = 'has no effect: buffers of connections size themselves';

const background = 'has no effect: lines are written in the background, as soon as the disk takes them';

/** Linux has room for so much in the address of a Unix socket. */
const longestSocketPath = 107;

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
      'conn-rbuf': dead('Read buffer of a connection.', { inert: [0], note: selfSized }),
      'conn-wbuf': dead('Write buffer of a connection.', { inert: [2], note: selfSized }),
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
      choice(['native', 'node'], {
        refused: {
          python: 'Python plugins come with a later version; this one serves C engines and TypeScript',
        },
      }),
      null,
      'Kind of plugin: "native" is a C engine, a shared library with the wrapper functions; "node" is a wrapper in TypeScript or JavaScript (docs/authoring.md).',
      { defaultText: 'from the ending of path', sample: '"native"' },
    ),
    path: live(
      text({ name: 'path', expected: 'the path of a plugin', accepts: (s) => s.trim() !== '' }),
      './libwrapper.so',
      'The library, or the module that exports the wrapper. A relative path starts at the working directory.',
      { active: true },
    ),
    instances: live(
      integer({ min: 1, max: 256 }),
      1,
      'Threads that run a wrapper, each with an instance of its own. For kind = "node".',
    ),
    execLimit: live(
      duration({ min: 0, max: day }),
      5_000,
      'When nobody waits for a call of a wrapper any more, how long it may go on. Then its thread is replaced: at once when it loops, else when nobody waits for anything in it.',
    ),
    heap: live(
      integer({ min: 8, max: 1_048_576, unit: 'MiB' }),
      null,
      'Most memory for the objects of one thread of a wrapper; a thread that needs more is replaced. Buffers do not count.',
      { defaultText: 'left to Node.js', sample: '512' },
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
    schema: live(
      text({ name: 'path', expected: 'the path of a schema file, or "off"', accepts: (s) => s.trim() !== '' }),
      null,
      'What a C engine takes and gives, as JSON (docs/schema.md): requests are checked against it. Only a file that is named here also says when streams end and, in the original\'s form, which paths there are. A relative path starts at the working directory; "off" reads none. A wrapper declares that itself.',
      { defaultText: 'schema.json beside the library, if there is one', sample: '"./schema.json"' },
    ),
    input: live(
      choice(['auto', 'copy']),
      'auto',
      'How inputs reach the engine: "auto" passes large ones in place, "copy" always copies (for engines that write into their input or keep it).',
    ),
    output: live(
      choice(['copy', 'lease']),
      'copy',
      'How outputs leave the engine: "copy" frees them at once, "lease" sends from the engine\'s memory (only for engines whose outputs are independent of each other) for [limits].leaseTime at most.',
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
    tagGrace: live(
      duration({ min: 0, max: day }),
      60_000,
      'How long the handle of a stream that ended before the final callback of an asynchronous engine is refused, so that a late callback meets no other stream.',
    ),
    inputs: live(
      list(),
      [],
      'Names of the inputs of the service. The input of a stream has ended when each of them has; a packet with another one is refused. Without names those that were seen count.',
      { sample: '["audio", "text"]' },
    ),
    resources: live(
      boolean(),
      false,
      'Let clients load personalised resources (AILoad, AIUnLoad, AIHotword) and name them in calls (psrIds). Off, these operations do nothing.',
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
      'Idle time after which a stream session over gRPC ends. Requests of its client and results of the engine count as activity.',
    ),
    roll: live(integer({ min: 1, max: longest, unit: 'ms' }), 5000, 'Interval of the search for idle stream sessions.'),
    best: platform('Best number of sessions, for load reports.'),
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
    memory: live(
      size({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      null,
      'Most memory for the bodies of all requests together, from their first byte to the end of the answer; beyond it requests are answered 503. At least maxBody.',
      { defaultText: '1GiB, or 4 times maxBody', sample: '"1GiB"' },
    ),
    ui: live(boolean(), true, 'Serve the pages for people: the playground at /, and the API documentation at /docs.'),
    cors: live(
      list(origin),
      [],
      'Origins of web pages that may call from a browser; "*" for all of them. Without any, only pages of the loader itself can.',
      { sample: '["https://app.example.com"]' },
    ),
    legacyErrors: live(
      boolean(),
      false,
      'Answer every failed request with status 500, as the original did. The code is in the body either way.',
    ),
    connections: live(
      integer({ min: 1, max: 1_000_000 }),
      10_000,
      'Connections at the same time; further ones are closed at once.',
    ),
    headersTimeout: live(duration({ min: 1, max: day }), 30_000, 'Time for the headers of a request to arrive.'),
    bodyTimeout: live(duration({ min: 1, max: day }), 300_000, 'Time for the body of a request to arrive after that.'),
    sendTimeout: live(
      duration({ min: 1, max: day }),
      60_000,
      'Time that a client may take nothing of its answer; then its connection is closed.',
    ),
    keepAlive: live(
      duration({ min: 1, max: day }),
      72_000,
      'Time that a connection stays open without a request. Longer than that of a proxy in front.',
    ),
    unknownFields: live(
      choice(['ignore', 'warn', 'refuse']),
      'warn',
      'What becomes of a field of a request that its service does not know: nothing, a line in the log the first time, or error 400.',
    ),
  }),
  grpc: table('grpc', 'The gRPC server. All keys but server and unix are for "wire".', {
    server: live(
      choice(['wire', 'grpc-js']),
      'wire',
      'Implementation: "wire" is native and runs in a thread of its own, "grpc-js" is JavaScript. Where "wire" cannot run, "grpc-js" takes its place with a warning.',
    ),
    unix: live(
      text({
        name: 'path',
        expected: `the path of a socket file, of at most ${longestSocketPath} bytes`,
        accepts: (path) => Buffer.byteLength(path) <= longestSocketPath,
      }),
      '',
      'Unix socket to listen on as well as on host and port. The file is made at the start and removed at the end; one that a dead process left is replaced. Whoever may write to it can connect: the umask and the folder decide that.',
      { defaultText: 'none', sample: '"/run/aiges/xsf.sock"' },
    ),
    memory: live(
      size({ min: MiB, max: Number.MAX_SAFE_INTEGER }),
      null,
      'Most memory for messages, received and to be sent, of all connections together. Connections are not read beyond it. Compressed messages are inflated into as much as a quarter of it besides, and wait their turn when that is full. At least maxreceive.',
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
      'HTTP requests, and single requests over WebSocket, that wait for a place when [fc].max are running.',
    ),
    onceTimeout: live(duration({ min: 1, max: longest }), 120_000, 'Time for one request where the client gives none.'),
    drainTimeout: live(
      duration({ min: 0, max: day }),
      10_000,
      'Time for requests that run or wait when the loader stops.',
    ),
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
    leaseTime: live(
      duration({ min: 1, max: longest }),
      1000,
      'Time that an answer in engine memory may wait for its client to read it. Then what is left of it is copied, and the engine gets its memory back.',
    ),
    abandoned: live(
      integer({ min: 0, max: 10_000_000 }),
      10_000,
      'Calls that were given up before an asynchronous engine called back, and whose handles are refused until it does. Beyond it the oldest are forgotten.',
    ),
    results: live(
      integer({ min: 1, max: 10_000_000 }),
      10_000,
      'Results of one stream that may wait: of an asynchronous engine for a client, of a wrapper for the end of the input. One more and the stream fails.',
    ),
    resultBytes: live(
      size({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      256 * MiB,
      'Bytes of such results in one stream. More and the stream fails.',
    ),
    outputBytes: live(
      size({ min: 1, max: 2047 * MiB }),
      1024 * MiB,
      'Largest answer taken from an engine: one that claims more is taken for a mistake of the engine and fails.',
    ),
    resources: live(
      integer({ min: 1, max: 10_000_000 }),
      10_000,
      'Personalised resources that may be loaded at the same time, for [plugin].resources = true.',
    ),
    threads: live(
      integer({ min: 0, max: 65536 }),
      0,
      'Most threads that call the engine. 0 derives it: [fc].max up to 4096 (4096 with [limits].resize), and 4 for everything else. They start on demand.',
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
    file: live(
      text(),
      '',
      'Log file; directories are created. Without one the log goes to standard error. docs/observability.md',
      { defaultText: 'none', sample: '"./log/aiges.log"' },
    ),
    size: live(integer({ ...count, unit: 'MiB' }), 10, 'Size at which the file is rotated; 0 for never.'),
    count: live(integer(count), 10, 'Rotated files that are kept; 0 for all.'),
    die: live(
      integer({ min: 0, max: 36_500, unit: 'days' }),
      10,
      'Age at which rotated files are deleted; 0 for never.',
    ),
    async: dead('Write from a queue.', { note: background }),
    cache: dead('Length of the queue.', { note: background }),
    batch: dead('Lines per write.', { note: background }),
    wash: dead('Interval of writes.', { note: background }),
    caller: dead('Name the line of code.', {
      inert: [0],
      note: 'has no effect: lines name what happened, with its code and its cause',
    }),
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
    storageData: live(
      boolean(),
      false,
      'Store the input of one-shot requests: one file per payload in the working directory, named after the payload. For debugging: docs/observability.md',
      { tolerant: true, inert: [0] },
    ),
    gray: platform('Label of a metric of the platform.', { inert: [false] }),
    sessMode: dead('Served streams over WebSocket instead of single HTTP requests.', {
      inert: [false],
      note: 'has no effect: single requests and streams are served at the same time; remove it',
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
  ws: table('ws', 'WebSocket, at the address of HTTP: docs/websocket.md.', {
    readTimeout: live(
      integer({ min: 0, max: longestSeconds, unit: 's' }),
      15,
      'Time without a frame, or a part of one, after which a connection ends, while the client is the one to go on. 0 for no limit.',
    ),
    sessionTimeout: live(
      integer({ min: 0, max: longestSeconds, unit: 's' }),
      180,
      'Longest session, from the handshake on. 0 for no limit.',
    ),
    ping: live(
      duration({ min: 0, max: longest }),
      30_000,
      'Interval of pings; a connection from which nothing came between two of them is cut. "0s" never pings.',
    ),
    maxFrame: live(size({ min: 1, max: 511 * MiB }), 16 * MiB, 'Largest frame taken.'),
    frames: live(
      integer({ min: 1, max: 1_000_000 }),
      64,
      'Frames of one connection that the engine has not taken; the connection is not read beyond. At most [limits].packets.',
    ),
    frameBytes: live(
      size({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      4 * MiB,
      'Bytes of such frames, with the same effect. One frame is taken whatever its size.',
    ),
    sendBuffer: live(
      size({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      MiB,
      'Bytes of results that a client has not read beyond which none are fetched from the engine.',
    ),
    maxConnections: live(
      integer({ min: 1, max: 1_000_000 }),
      10_000,
      'Connections at the same time; further ones are refused (503).',
    ),
    origins: live(list(), [], 'Origins whose pages may connect, as browsers name them. Without any, every page may.', {
      sample: '["https://app.example.com"]',
    }),
  }),
  dataProcess: table('dataProcess', 'Audio conversion, which never worked.', {
    rsable: dead('Was read and not used.'),
  }),
  downAsync: table(
    'downAsync',
    'Delivery of results through RabbitMQ, for requests with the header downMethod = "async": docs/async-delivery.md.',
    {
      rabHost: live(
        url(['amqp', 'amqps'], 'amqp://rabbit.example.com:5672'),
        null,
        'The server, with the virtual host as path. Without it such requests are refused.',
        { defaultText: 'none', sample: '"amqp://127.0.0.1:5672"' },
      ),
      rabUser: live(text(), null, 'Its user.', { defaultText: "the server's guest", sample: '"aiges"' }),
      rabPass: live(secret(), null, 'The password of the user.', { defaultText: 'none', sample: '""' }),
      rabQueue: live(
        text({
          name: 'name',
          expected: 'the name of a queue, at most 255 bytes',
          accepts: (name) => Buffer.byteLength(name) <= 255,
        }),
        null,
        'Queue that gets the results; it is declared durable. Needed with rabHost.',
        { defaultText: 'none', sample: '"results"' },
      ),
      retry: live(
        integer({ min: 1, max: 100 }),
        3,
        'How often a result is sent that the server does not take. While there is no server, results wait.',
      ),
      waiting: live(
        integer({ min: 1, max: 10_000_000 }),
        10_000,
        'Results that may wait for the server. With more of them new requests are refused (10110).',
      ),
      waitingBytes: live(
        size({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        256 * MiB,
        'Bytes of results that may wait for the server, with the same effect.',
      ),
      nrtDBUrl: live(
        url(['http', 'https'], 'http://tasks.example.com/nrt'),
        null,
        'Service that keeps the status of tasks: told about requests with the header task_id.',
        { defaultText: 'none', sample: '"http://127.0.0.1:8080/tasks"' },
      ),
    },
  ),
  metrics: table('metrics', 'Metrics, which ToolBox.cmdserver answers with (cmd = metrics): docs/observability.md.', {
    able: live(integer(onOff), 0, '1 turns metrics on.', { tolerant: true, inert: [false] }),
    idc: live(text(), 'dx', 'Label of every metric.'),
    sub: live(text(), 'xxx', 'Label of every metric.'),
    cs: live(text(), '3s', 'Label of every metric.'),
    timePerSlice: live(integer({ min: 1, max: longest, unit: 'ms' }), 1000, 'Length of a slice of the delay window.'),
    winSize: live(integer({ min: 1, max: 86_400 }), 60, 'Slices per window.'),
  }),
  pprof: table(
    'pprof',
    'Profiling of Go programs over HTTP.',
    {
      able: dead('Turned it on.', {
        inert: [false, 0],
        note: 'has no effect: to profile this loader start it with node --cpu-prof (docs/observability.md); remove it',
      }),
      host: dead('Address to listen on.', { note: 'has no effect without profiling over HTTP; remove it' }),
      port: dead('Port to listen on.', { note: 'has no effect without profiling over HTTP; remove it' }),
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

/** The table that the services have theirs in. */
export const servicesTable = 'services';

/** Keys of `[services.NAME]`: those of `[plugin]`, and some of other tables. */
export const serviceKeys = {
  ...schema.plugin.keys,
  usrCfg: schema.aiges.keys.usrCfg,
  max: schema.fc.keys.max,
  ttl: schema.fc.keys.ttl,
  gap: schema.limits.keys.gap,
  packets: schema.limits.keys.packets,
  asyncMode: schema.aiges.keys.asyncMode,
  realTimeRlt: schema.aiges.keys.realTimeRlt,
  headerPass: schema.aiges.keys.headerPass,
} as const;

/** For the reference and the default file. */
export const servicesText =
  'More services in the same process, each with its own plugin, name, route and limits. NAME is made of letters, digits, "_" and "-".';

/** Those that say what a service is: without them it has the default. For the rest it has what their own table says. */
export const ownServiceKeys: readonly Key[] = [...Object.values(schema.plugin.keys), schema.aiges.keys.usrCfg];

/** The name of a service's table, and of the one with the config of its plugin. */
export function serviceTable(name: string): string {
  return `${servicesTable}.${name}`;
}

export function serviceWrapperTable(name: string): string {
  return `${serviceTable(name)}.${schema.wrapper.name}`;
}

/** Tables by the name they have in a file whose service section is `section`, and which has these `services`. */
export function nameTables(section: string, services: readonly string[] = []): ReadonlyMap<string, Table> {
  const tables: readonly Table[] = [
    ...Object.values(schema),
    ...services.flatMap((name) => [
      table(serviceTable(name), '', serviceKeys),
      table(serviceWrapperTable(name), '', {}, { open: 'live' }),
    ]),
  ];
  return new Map(tables.map((each) => [each === schema.service ? section : each.name, each]));
}

/** Environment variables of the original. Any key can be set with `AIGES__TABLE__KEY` besides. */
export const environment = {
  mode: {
    name: 'AIGES_PLUGIN_MODE',
    class: 'live',
    text: 'Kind of plugin where nothing else says it: `c` (the default) or `node`; `python` comes with a later version.',
  },
  version: {
    name: 'AIGES_WRAPPER_VERSION',
    class: 'live',
    text: 'Version of the service that is reported instead of `[plugin].version`. The HTTP route keeps the configured version, so that a rebuilt image does not move its address.',
  },
  numa: {
    name: 'AIGES_ENV_NUMA',
    class: 'live',
    text: 'NUMA node to run on: every thread stays on its CPUs. Memory is not bound.',
  },
} as const;

/** Prefix of the variables that set any key. */
export const overridePrefix = 'AIGES__';
