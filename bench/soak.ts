// npm run soak: many small requests through one loader, and nothing may be left behind.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import type { Protocol } from './callers.js';
import type { ClientArguments } from './client-process.js';
import { emptyConfig, grpcServers, loaderSettings } from './contenders.js';
import type { Driven } from './drive.js';
import { compiled, requireBuild, root } from './places.js';
import { residentMemory } from './proc.js';
import {
  judgeLatency,
  judgeMemory,
  liveWhenEnded,
  liveWhenIdle,
  nonZero,
  type Tenth,
  type Verdict,
} from './soak-verdict.js';
import { type Actor, Stage } from './stage.js';
import { median, percentile } from './statistics.js';
import { mebibytes, number } from './tables.js';

const usage = `npm run soak -- [--requests N] [--server ${grpcServers.join('|')}]
  --requests N   default 10000000, 100 at least
  --server NAME  [grpc].server of the loader; its default otherwise
`;

const tenths = 10;
const fewest = 100;
const shape = { connections: 4, streams: 8 } as const;
/** A bare server gets one request for so many of the loader's, and a few at least, so many times in each tenth. */
const bareShare = 20;
const bareLeast = 200;
const turns = 4;
const samplingMs = 250;
/** What runs on an engine's threads settles a moment after the answer. */
const settlingMs = 10_000;

type Counters = Readonly<Record<string, number>>;

try {
  await main();
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '10000000' },
      server: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const requests = Number(values.requests);
  if (!(Number.isSafeInteger(requests) && requests >= fewest)) {
    throw new Error(`--requests ${values.requests}: expected a whole number, ${fewest} at least`);
  }
  requireBuild();
  const stage = new Stage();
  const onSignal = (): void => {
    void stage.close().then(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const verdicts = await soak(stage, requests, values.server ?? null);
    for (const { ok, text } of verdicts) process.stdout.write(`${ok ? 'ok    ' : 'FAILED'}  ${text}\n`);
    if (!verdicts.every(({ ok }) => ok)) process.exitCode = 1;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await stage.close();
  }
}

async function soak(stage: Stage, requests: number, server: string | null): Promise<Verdict[]> {
  const settings = loaderSettings(server, 'engine');
  const script = join(root, 'bench/soak-process.mjs');
  const loader = stage.start('server', [process.execPath, script, emptyConfig(stage), JSON.stringify(settings)]);
  const { port } = await loader.ask<{ port: number }>(null);
  const client = startClient(stage, 'xsf', port);
  const bare = stage.start('server', [process.execPath, compiled('echo-process.js')]);
  const bareClient = startClient(stage, 'grpc-echo', (await bare.ask<{ port: number }>(null)).port);

  const measured: Tenth[] = [];
  for (const [index, calls] of parts(requests, tenths).entries()) {
    const one = await measure(client, bareClient, loader, calls).catch((error: unknown) => (error as Error).message);
    if (typeof one === 'string') return [{ ok: false, text: `requests: one of tenth ${index + 1} failed: ${one}` }];
    measured.push(one);
    const counters = await loader.ask<Counters>({ question: 'counters' });
    process.stdout.write(`${describe(index + 1, one, counters)}\n`);
  }
  await client.end();
  const idle = await settled(loader, liveWhenIdle);
  const drained = await loader.ask<{ stuck: number; ended: boolean }>({ question: 'drain' });
  const ended = await settled(loader, liveWhenEnded);
  const done = drained.stuck === 0 && drained.ended;
  return [
    { ok: true, text: `requests: ${requests} answered, every byte right` },
    { ok: idle.length === 0, text: `live counters when idle: ${idle.join(' ') || 'all zero'}` },
    { ok: ended.length === 0, text: `live counters when ended: ${ended.join(' ') || 'all zero'}` },
    { ok: done, text: `end: ${drained.stuck} calls stuck, the engine ${drained.ended ? 'ended' : 'did not end'}` },
    judgeMemory(measured),
    judgeLatency(measured),
  ];
}

function startClient(stage: Stage, protocol: Protocol, port: number): Actor {
  const options: ClientArguments = { destination: { protocol, port, path: '', size: 32 }, ...shape };
  return stage.start('client', [process.execPath, compiled('client-process.js'), JSON.stringify(options)]);
}

/** @throws Error when a request fails */
async function measure(client: Actor, bareClient: Actor, loader: Actor, calls: number): Promise<Tenth> {
  const samples: number[] = [];
  const sample = (): void => {
    samples.push(residentMemory(loader.pid).now);
  };
  const timer = setInterval(sample, samplingMs);
  const ours: Driven[] = [];
  const bares: Driven[] = [];
  try {
    for (const part of parts(calls, turns)) {
      ours.push(await client.work(part));
      bares.push(await bareClient.work(Math.max(bareLeast, Math.ceil(part / bareShare))));
    }
    sample();
  } finally {
    clearInterval(timer);
  }
  const latencies = latenciesOf(ours);
  return {
    requests: calls,
    seconds: ours.reduce((sum, { seconds }) => sum + seconds, 0),
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    bare: percentile(latenciesOf(bares), 0.5),
    rss: median(samples),
  };
}

function latenciesOf(driven: readonly Driven[]): Float64Array {
  return Float64Array.from(driven.flatMap(({ latencies }) => [...latencies])).sort();
}

/** Splits a number into as many whole ones that are about the same. */
function parts(whole: number, count: number): number[] {
  const upTo = (part: number): number => Math.floor((whole * part) / count);
  return Array.from({ length: count }, (_, part) => upTo(part + 1) - upTo(part));
}

/** Which counters are still not zero when they had time to get there. */
async function settled(loader: Actor, names: readonly string[]): Promise<string[]> {
  const start = performance.now();
  for (;;) {
    const left = nonZero(await loader.ask<Counters>({ question: 'counters' }), names);
    if (left.length === 0 || performance.now() - start > settlingMs) return left;
    await delay(50);
  }
}

function describe(tenth: number, measured: Tenth, counters: Counters): string {
  const { requests, seconds, p50, p99, bare, rss } = measured;
  const live = nonZero(counters, liveWhenIdle).join(' ') || 'none';
  return (
    `${String(tenth).padStart(2)}/${tenths}  ${number(requests / seconds)} requests/s  p50 ${number(p50)} µs  ` +
    `p99 ${number(p99)} µs  (bare p50 ${number(bare)} µs)  RSS ${mebibytes(rss)} MiB  live: ${live}`
  );
}
