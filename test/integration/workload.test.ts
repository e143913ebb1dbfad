import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureEngine } from '../fixtures/engines.js';
import { testConfig } from '../fixtures/host.js';
import { LoaderProcess } from '../fixtures/loader-process.js';
import { encodeInput, type InputShape, type RequestShape } from '../fixtures/protocol.js';
import { RawClient } from '../fixtures/raw-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, type XsfAnswer } from '../fixtures/xsf-client.js';

// One pass is 3,000 streams of an asynchronous engine that are aborted before their final callback (and some of a blocking
// one), and on both engines in turn 10,000 streams that come to their end and 100,000 operations at random. What it
// leaves behind is nothing, so that the third pass is no heavier than the second. The whole of it keeps two cores busy for
// minutes (npm run workload); npm test does a quarter.
const passes = 3;
const share = process.env['AIGES_WORKLOAD'] === 'whole' ? 1 : 0.25;
const aborted = 3000 * share;
const complete = 10_000 * share;
const operations = 100_000 * share;

const permits = 32;
/** Handles of a client that operations at one time may name. */
const window = 48;
/** Long enough for 3,000 streams to be aborted, short enough to wait for it. */
const tagGraceMs = 10_000;
const allowedGrowth = 20 * 1024 * 1024;
/** Machines are slow when they are busy. */
const patience = 30 * 60_000;

interface Side {
  readonly asyncMode: boolean;
  readonly clients: readonly RawClient[];
}

let loader: LoaderProcess;
let sides: readonly [Side, Side];

beforeAll(async () => {
  loader = new LoaderProcess();
  const side = async (asyncMode: boolean): Promise<Side> => {
    const config = testConfig({
      plugin: { path: fixtureEngine('scripted'), asyncMode, tagGraceMs },
      service: {
        maxConcurrent: permits,
        // Sessions end because somebody ends them, not because the machine is busy.
        streams: { ttlMs: patience, rollMs: 1000, realTime: true, gapMs: 20, maxPackets: 1000 },
      },
      limits: { resize: true },
    });
    const port = await loader.start(config);
    return { asyncMode, clients: Array.from({ length: 4 }, () => new RawClient(port)) };
  };
  sides = [await side(false), await side(true)];
});

afterAll(() => {
  loader.kill();
  for (const { clients } of sides) for (const client of clients) client.close();
});

describe('a long day of a loader', () => {
  it(
    'leaves nothing behind',
    async () => {
      const sizes: number[] = [];
      for (let pass = 1; pass <= passes; pass++) {
        await abortStreams(sides[0], aborted / 10);
        await abortStreams(sides[1], aborted);
        await inLanes(complete, (n) => completeStream(sides[n % 2] ?? sides[0], n));
        await operateAtRandom(pass);
        for (const side of sides) await expectEveryPermit(side);
        await expectNothingLeft();
        sizes.push(await loader.residentBytes());
      }
      for (const side of sides) await expectBoundedHistory(side);
      expect((sizes[2] ?? Infinity) - (sizes[1] ?? 0)).toBeLessThan(allowedGrowth);
      expect(await loader.stop()).toEqual(sides.map(() => ({ stuck: 0, ended: true })));
    },
    patience,
  );
});

/** Opens them all, hands input over, and aborts them before there is a final result. */
async function abortStreams(side: Side, count: number): Promise<void> {
  await resize(side, count);
  const streams = Array.from({ length: count }, (_, n) => new StreamClient(clientOf(side, n)));
  await inLanes(count, async (n) => {
    const stream = streams[n];
    expect((await stream?.create({ params: { callback: 'never' } }))?.output?.code).toBe(0);
    expect((await stream?.write(1, 'x'))?.output?.code).toBe(0);
  });
  expect(await loader.counters()).toMatchObject({ sessions: count });
  const since = performance.now();
  await inLanes(count, async (n) => {
    expect((await streams[n]?.abort())?.output?.code).toBe(0);
  });
  const left = await loader.counters();
  expect(left).toMatchObject({ sessions: 0, asyncWaiting: 0 });
  const tombstones = side.asyncMode ? count : 0;
  // On a busy machine the time of the first may be up before the last is aborted.
  if (performance.now() - since < tagGraceMs) expect(left.tombstones).toBe(tombstones);
  else expect(left.tombstones).toBeLessThanOrEqual(tombstones);
  await resize(side, permits);
}

/** As the reference client does it: create, write, read until the end, and end it once more to be sure. */
async function completeStream(side: Side, n: number): Promise<void> {
  const stream = new StreamClient(clientOf(side, n));
  expect((await stream.create({ params: { results: String(1 + (n % 3)) } })).output?.code).toBe(0);
  let answer = await stream.write(1, 'x', 2);
  while (answer.output?.code === 0 && answer.output.status !== 2) answer = await stream.poll();
  expect(answer.output).toMatchObject({ code: 0, status: 2 });
  expect((await stream.abort()).output?.code).toBe(10101);
}

/** What an engine is told to do, one of these for each request. */
const scripts: readonly Readonly<Record<string, string>>[] = [
  {},
  {},
  { results: '3' },
  { create: 'fail', code: '5' },
  { write: 'fail', code: '6' },
  { read: 'fail', callbackFail: '7', code: '7' },
  { read: 'null', callback: 'never' },
  { callback: 'twice', lag: '1' },
  { callback: 'sync', destroy: 'final' },
  { destroy: 'fail' },
  { write: 'sleep', ms: '1' },
  { outKey: 'other' },
];

/** The same for one-shot calls. All of them call back: a tag whose callback never comes is kept for an hour. */
const onceScripts: readonly Readonly<Record<string, string>>[] = [
  { do: 'echo' },
  { do: 'fail' },
  { do: 'refuse' },
  { do: 'fill', bytes: '70000' },
  { do: 'sleep', ms: '3' },
  { do: 'nullData' },
  { do: 'echo', outKey: 'other' },
  { do: 'echo', callback: 'twice' },
];

/** Everything that an operation may be answered with, valid or not; anything else is a fault of the loader. */
const known = new Set([
  'ok/none', // ping
  ...[0, 10003, 10008, 10009, 10101, 10102, 10105, 10106, 10110, 10401, 10905, 10907, 10908, 10909, 10910].map(
    (code) => `ok/${code}`,
  ),
  'failed/1', // the client cancelled
  'failed/4', // or was out of time
  'failed/13', // no message at all
]);

/** What has to have happened, or the operations were not as random as they are meant to be. */
const wanted = ['ok/0', 'ok/10008', 'ok/10101', 'ok/10110', 'ok/10401', 'ok/10907', 'ok/10909', 'failed/13'];

async function operateAtRandom(pass: number): Promise<void> {
  const random = randomNumbers(pass);
  const seen = new Set<string>();
  // Handles come into use and go out of it: an operation meets any of a few dozen.
  const perHandle = 40;
  const handle = (n: number): string => `pass-${pass}-handle-${n}-of-the-client`;
  await inLanes(operations, async (n) => {
    const oldest = Math.floor(n / perHandle);
    const side = sides[random(2)] ?? sides[0];
    const answer =
      n % perHandle === 0 && oldest > 0
        ? await end(side, n, handle(oldest - 1))
        : await operate(side, n, handle(oldest + random(window)), random);
    seen.add(`${answer.status === 0 ? 'ok' : 'failed'}/${answer.status || (answer.output?.code ?? 'none')}`);
  });
  expect([...seen].filter((outcome) => !known.has(outcome))).toEqual([]);
  expect(wanted.filter((outcome) => !seen.has(outcome))).toEqual([]);
  // An operation may have opened a session again after the one that ended it.
  await inLanes(operations / perHandle + window, async (n) => {
    for (const side of sides) await end(side, n, handle(n));
  });
}

async function operate(side: Side, n: number, h: string, random: (below: number) => number): Promise<XsfAnswer> {
  const kind = random(100);
  const client = clientOf(side, n);
  if (kind === 0) return callXsf(client, Buffer.from([0x12, random(256), random(256)]));
  if (kind === 1) return callXsf(client, onceRequest(Buffer.from([0x3a, 0x7f, random(256)]), { s: { h } }));
  if (kind === 2) return callXsf(client, onceRequest(onceInput(), { op: 'nonsense', s: { h } }));
  if (kind === 3) return callXsf(client, onceRequest(onceInput(), { op: 'ping', s: { h } }));
  // One with a handle of the loader, which nobody else knows.
  if (kind < 10) return callXsf(client, onceRequest(onceInput({ params: onceScripts[random(8)] ?? {} })));
  const data = Buffer.alloc(random(50) === 0 ? 100_000 : 3, n % 251);
  const status = String(random(4) === 0 ? 2 : 1);
  const meta = random(100) === 0 ? null : { name: random(3) === 0 ? 'second' : 'input', attribute: { status } };
  const once = kind < 30;
  const input: InputShape = onceInput({
    state: once ? 1 : 0,
    sync_id: random(8) - 1,
    params: (once ? onceScripts[random(onceScripts.length)] : scripts[random(scripts.length)]) ?? {},
    pl: random(20) === 0 ? [] : [{ meta, data }],
  });
  const request: RequestShape = {
    op: kind < 70 ? 'AIIn' : kind < 92 ? 'AIOut' : 'AIExcp',
    s: { h },
    param: {
      waitTime: random(10) === 0 ? 'soon' : String(1 + random(20)),
      ...(once || random(3) === 0 ? { SeqNo: '1' } : {}),
    },
    data: random(50) === 0 ? [] : [{ data: encodeInput(input) }],
  };
  if (random(50) === 0) return callXsf(client, request, { deadlineMs: 1 + random(5) });
  if (random(50) === 0) return callXsf(client, request, { signal: AbortSignal.timeout(1 + random(3)) });
  return callXsf(client, request);
}

function end(side: Side, n: number, h: string): Promise<XsfAnswer> {
  return callXsf(clientOf(side, n), { op: 'AIExcp', s: { h }, param: { waitTime: '20000' } });
}

/** Every permit has come back: as many sessions as there are fit in, and not one more. */
async function expectEveryPermit(side: Side): Promise<void> {
  const streams = Array.from({ length: permits + 1 }, (_, n) => new StreamClient(clientOf(side, n)));
  const codes: unknown[] = [];
  for (const stream of streams) codes.push((await stream.create()).output?.code);
  expect(codes).toEqual([...Array.from({ length: permits }, () => 0), 10110]);
  for (const stream of streams) await stream.abort();
}

/** Waits for what runs on threads and for the time of the tags that were left behind. */
async function expectNothingLeft(): Promise<void> {
  const zero = {
    jobsQueued: 0,
    jobsRunning: 0,
    outputsAlive: 0,
    leasedBytes: 0,
    pins: 0,
    sessions: 0,
    asyncWaiting: 0,
    tombstones: 0,
  };
  await expect.poll(() => loader.counters(), { timeout: 10 * tagGraceMs, interval: 100 }).toMatchObject(zero);
}

/** The last 1,000 handles that ended are told from ones that never were, and no more than these. */
async function expectBoundedHistory(side: Side): Promise<void> {
  const handles: string[] = [];
  const [client] = side.clients;
  if (client === undefined) throw new Error('no client');
  for (let n = 0; n < 1001; n++) handles.push((await callXsf(client, onceRequest())).response?.s.h ?? '');
  const codes = await Promise.all(handles.map(async (h) => (await end(side, 0, h)).output?.code));
  expect(codes).toEqual([10008, ...Array.from({ length: 1000 }, () => 10101)]);
}

async function resize(side: Side, to: number): Promise<void> {
  const param = { authzNo: String(to), timeout: '60000' };
  const answer = await callXsf(clientOf(side, 0), onceRequest(onceInput(), { op: 'AILBType', param }));
  expect(answer.output?.code).toBe(0);
}

function clientOf({ clients }: Side, n: number): RawClient {
  const client = clients[n % clients.length];
  if (client === undefined) throw new Error('no client');
  return client;
}

async function inLanes(count: number, step: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < count) await step(next++);
  };
  // Not more sessions at a time than there are permits for, whichever side they are on.
  await Promise.all(Array.from({ length: permits }, run));
}

/** Mulberry32: the same numbers for the same seed, so that a failure can be had again. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
