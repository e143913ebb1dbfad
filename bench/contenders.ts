import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Destination, openCaller, type Protocol, requestOf } from './callers.js';
import type { ClientArguments } from './client-process.js';
import { h2loadArguments, readLog, readSummary } from './h2load.js';
import { compiled, echoEngine, echoWrapper, loaderMain, printable, root } from './places.js';
import { inFlight, type Row, sizes } from './rows.js';
import type { Actor, Stage } from './stage.js';

/** Names of the contenders that the targets are measured against. */
export const bareGrpcJs = 'bare grpc-js';
export const nghttpd = 'nghttpd';

/** The servers that a loader may have, the default first. One that the configuration refuses is reported as absent. */
export const grpcServers = ['wire', 'grpc-js'] as const;

export function loaderName(server: string): string {
  return `loader ${server}`;
}

const inTypeScript = ', TypeScript';

/** What a loader is called when it has no engine but one worker that runs the echo in TypeScript. */
export function workerNameOf(loader: string): string {
  return `${loader}${inTypeScript}`;
}

/** The loader with the C engine that a worker is compared with; null for everything that is no worker. */
export function engineRivalOf(contender: string): string | null {
  return contender.endsWith(inTypeScript) ? contender.slice(0, -inTypeScript.length) : null;
}

/** What a loader serves: the echo as an engine, as one that answers through a callback, or in a worker thread. */
type Echo = 'engine' | 'async engine' | 'worker';

/** A run takes seconds; h2load itself would wait for ever. */
const runLimitMs = 600_000;

/** Something that does the work of a row. */
export interface Contender {
  readonly name: string;
  /** Whether it can do this row at all. */
  suits(row: Row): boolean;
  start(row: Row, stage: Stage): Promise<Target>;
}

export interface Run {
  readonly seconds: number;
  /** Microseconds, ascending; null when they were not asked for. */
  readonly latencies: Float64Array | null;
}

/** A contender that is running, and its client. */
export interface Target {
  readonly server: Pick<Actor, 'pid' | 'command' | 'errors'>;
  /** The client of `run`, as one would type it. */
  readonly client: string;
  /**
   * Makes one call and checks the answer byte by byte.
   * @throws Error that says what is wrong with it
   */
  prove(): Promise<void>;
  /**
   * Makes so many calls. Every answer is checked, if only by its length.
   * @throws Error if a single one is not right
   */
  run(calls: number, withLatencies: boolean): Promise<Run>;
  close(): Promise<void>;
}

/** Everything that may run, in the order of the tables. `asynchronous` adds engines that answer through a callback. */
export function contenders(servers: readonly string[], asynchronous: boolean): Contender[] {
  const once = (row: Row): boolean => row.mode === 'once';
  const loaders = servers.flatMap((server): Contender[] => [
    loader(loaderName(server), server, 'engine'),
    ...(asynchronous ? [loader(`${loaderName(server)}, async engine`, server, 'async engine')] : []),
    loader(workerNameOf(loaderName(server)), server, 'worker'),
  ]);
  return [
    ...loaders,
    {
      name: 'loader HTTP',
      suits: once,
      start: async (row, stage) => {
        const { actor, http } = await startLoader(stage, 'grpc-js', 'engine');
        return network(stage, row, actor, { protocol: 'json', port: http, path: '/v1/private/svcName' });
      },
    },
    {
      name: bareGrpcJs,
      suits: once,
      start: async (row, stage) => {
        const actor = stage.start('server', [process.execPath, compiled('echo-process.js')]);
        const { port } = await actor.ask<{ port: number }>(null);
        return network(stage, row, actor, { protocol: 'grpc-echo', port, path: '' });
      },
    },
    {
      name: nghttpd,
      suits: once,
      start: async (row, stage) => {
        const port = await freePort();
        // Windows as large as they come, so that round trips are not what is measured.
        const options = ['--no-tls', '--echo-upload', '-w', '30', '-W', '30', '-a', '127.0.0.1'];
        const actor = stage.start('server', ['nghttpd', ...options, String(port)]);
        await actor.until('it listened', () => accepts(port));
        return network(stage, row, actor, { protocol: 'echo', port, path: '' });
      },
    },
    { name: 'engine, in process', suits: once, start: (row, stage) => Promise.resolve(direct(row, stage)) },
  ];
}

export interface Probed {
  readonly present: readonly string[];
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Which servers the configuration takes, and what it says about those that it does not.
 * A server that gives way to another one says so on stderr, which is kept with the results.
 */
export async function probeServers(stage: Stage): Promise<Probed> {
  const present: string[] = [];
  const absent: { name: string; reason: string }[] = [];
  for (const server of grpcServers) {
    const actor = stage.start('server', loaderCommand(stage, server, 'engine'));
    const listens = actor.until('it listened', () => addresses(actor.output));
    const refusal = await listens.then(
      () => null,
      () => actor.errors.split('\n').at(-1) ?? 'it did not start',
    );
    await actor.end();
    if (refusal === null) present.push(server);
    else absent.push({ name: loaderName(server), reason: refusal });
  }
  if (!stage.hasNghttpd) absent.push({ name: nghttpd, reason: 'not installed (Debian package nghttp2-server)' });
  return { present, absent };
}

function loader(name: string, server: string, echo: Echo): Contender {
  return {
    name,
    suits: () => true,
    start: async (row, stage) => {
      const { actor, grpc } = await startLoader(stage, server, echo);
      const protocol: Protocol = row.mode === 'once' ? 'xsf' : 'xsf-stream';
      return network(stage, row, actor, { protocol, port: grpc, path: '' });
    },
  };
}

/** The configuration of every loader here, for `--set`. No server takes the default one. */
export function loaderSettings(server: string | null, echo: Echo): string[] {
  const plugin =
    echo === 'worker'
      ? ['plugin.kind=node', `plugin.path=${echoWrapper()}`, 'plugin.instances=1']
      : [`plugin.path=${echoEngine()}`, `aiges.asyncMode=${echo === 'async engine'}`];
  return [
    'svcName.host=127.0.0.1',
    'svcName.port=0',
    'svcName.maxreceive=64',
    'svcName.maxsend=64',
    'http.listen=127.0.0.1:0',
    'http.maxBody=64MiB',
    ...plugin,
    'fc.max=128',
    'log.level=warn',
    ...(server === null ? [] : [`grpc.server=${server}`]),
  ];
}

/** Everything is set on the command line: a file that says nothing keeps that of the working directory out. */
export function emptyConfig(stage: Stage): string {
  const file = join(stage.folder, 'aiges.toml');
  writeFileSync(file, '[svcName]\n');
  return file;
}

function loaderCommand(stage: Stage, server: string, echo: Echo): string[] {
  const settings = loaderSettings(server, echo).flatMap((setting) => ['--set', setting]);
  return [process.execPath, loaderMain(), 'serve', '-c', emptyConfig(stage), ...settings];
}

async function startLoader(
  stage: Stage,
  server: string,
  echo: Echo,
): Promise<{ readonly actor: Actor; readonly grpc: number; readonly http: number }> {
  const actor = stage.start('server', loaderCommand(stage, server, echo));
  return { actor, ...(await actor.until('it listened', () => addresses(actor.output))) };
}

/** The ports that `aiges-ts serve` prints when it is ready. */
function addresses(output: string): { readonly grpc: number; readonly http: number } | null {
  const grpc = /^ {2}gRPC {2}127\.0\.0\.1:(\d+) /m.exec(output)?.[1];
  const http = /^ {2}HTTP {2}http:\/\/127\.0\.0\.1:(\d+)\//m.exec(output)?.[1];
  return grpc === undefined || http === undefined ? null : { grpc: Number(grpc), http: Number(http) };
}

function network(stage: Stage, row: Row, server: Actor, where: Omit<Destination, 'size'>): Promise<Target> {
  const destination: Destination = { ...where, size: sizes[row.size] };
  // h2load sends the same request over and over: a session is more than that.
  const target =
    stage.hasH2load && row.mode === 'once'
      ? h2loadTarget(stage, row, server, destination)
      : ownTarget(stage, row, server, destination);
  return Promise.resolve(target);
}

/** Proves a server with a caller of our own: returns the bytes of a right answer. */
async function proveOnce(destination: Destination): Promise<number> {
  const caller = openCaller(destination);
  try {
    return await caller.call();
  } finally {
    caller.close();
  }
}

function h2loadTarget(stage: Stage, row: Row, server: Actor, destination: Destination): Target {
  const { headers, body, path } = requestOf(destination);
  const bodyFile = join(stage.folder, `${destination.protocol}-${destination.size}.body`);
  const log = join(stage.folder, 'latencies.log');
  writeFileSync(bodyFile, body);
  const command = (calls: number, logged: boolean): string[] => [
    'h2load',
    ...h2loadArguments({
      url: `http://127.0.0.1:${destination.port}${path}`,
      protocol: destination.protocol === 'json' ? 'h1' : 'h2',
      connections: row.connections,
      streams: row.streams,
      requests: calls,
      headers,
      body: bodyFile,
      log: logged ? log : null,
    }),
  ];
  let answerBytes = 0;
  return {
    server,
    client: printable(stage.pinned('client', command(1, false))).replace('-n 1 ', '-n N '),
    prove: async () => {
      answerBytes = await proveOnce(destination);
    },
    run: async (calls, withLatencies) => {
      if (withLatencies) writeFileSync(log, '');
      const actor = stage.start('client', command(calls, withLatencies));
      const fate = await actor.wait(runLimitMs);
      const { seconds } = readSummary(`${actor.output}\n${actor.errors}\n${fate}`, {
        requests: calls,
        bytes: answerBytes,
      });
      return { seconds, latencies: withLatencies ? readLog(readFileSync(log, 'latin1'), calls) : null };
    },
    close: async () => {
      await server.end();
    },
  };
}

function ownTarget(stage: Stage, row: Row, server: Actor, destination: Destination): Target {
  const { connections, streams } = row;
  // HTTP/1.1 has one request at a time on a connection.
  const shape = destination.protocol === 'json' ? { connections: inFlight(row), streams: 1 } : { connections, streams };
  const options: ClientArguments = { destination, ...shape };
  const client = stage.start('client', [process.execPath, compiled('client-process.js'), JSON.stringify(options)]);
  return {
    server,
    client: client.command,
    prove: async () => {
      await proveOnce(destination);
    },
    run: (calls) => client.work(calls),
    close: async () => {
      await Promise.all([client.end(), server.end()]);
    },
  };
}

/** No network and no client: the process that calls the engine is the server. */
function direct(row: Row, stage: Stage): Target {
  const options = JSON.stringify({ engine: echoEngine(), size: sizes[row.size], lanes: inFlight(row) });
  const server = stage.start('server', [process.execPath, join(root, 'bench/direct-process.mjs'), options]);
  return {
    server,
    client: 'none: calls itself',
    prove: async () => {
      await server.work(1);
    },
    run: (calls) => server.work(calls),
    close: async () => {
      await server.end();
    },
  };
}

/** nghttpd cannot be asked for any free port. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function accepts(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(null);
    });
  });
}
