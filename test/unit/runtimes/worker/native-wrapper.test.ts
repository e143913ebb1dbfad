import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Call } from '../../../../src/core/call.js';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType, type Frame } from '../../../../src/core/frame.js';
import type { Output } from '../../../../src/core/runtime.js';
import { type Counters, counters, createNativeRuntime } from '../../../../src/runtimes/native/index.js';
import { createWorkerRuntime } from '../../../../src/runtimes/worker/index.js';
import type { WorkerRuntime } from '../../../../src/runtimes/worker/worker-runtime.js';
import { fixtureEngine } from '../../../fixtures/engines.js';

// Wrappers around C engines, in their threads.

const entry = new URL('../../../../dist/runtimes/worker/entry.js', import.meta.url);
const wrapper = (name: string): string => new URL(`../../../fixtures/wrappers/${name}.ts`, import.meta.url).pathname;

const kinds = [
  ['a blocking engine', 'native'],
  ['an asynchronous engine', 'native-async'],
] as const;

let running: WorkerRuntime | null = null;
const meters: unknown[][] = [];
const traces: unknown[][] = [];

async function start(
  name = 'native',
  config: Readonly<Record<string, string>> = {},
  instances = 1,
): Promise<WorkerRuntime> {
  running = createWorkerRuntime({
    path: wrapper(name),
    entry,
    instances,
    heapMiB: null,
    execLimitMs: 20_000,
    onLog: () => undefined,
    onMeter: (...meter) => meters.push(meter),
    onTrace: (...trace) => traces.push(trace),
  });
  await running.start(new Map(Object.entries(config)));
  return running;
}

/** Opens a gate that the engine waits at, from another user of the same engine. */
async function openGate(gate: string): Promise<void> {
  const other = createNativeRuntime({ path: fixtureEngine('scripted') });
  await other.start(new Map());
  (await other.once(callOf({ do: 'open', gate }), [])).release();
  await other.stop();
}

const patience = { timeout: 20_000, interval: 5 } as const;

afterEach(async () => {
  await running?.stop();
  running = null;
  meters.length = 0;
  traces.length = 0;
  await vi.waitFor(() => {
    expect(counters()).toMatchObject({
      jobsQueued: 0,
      jobsRunning: 0,
      pins: 0,
      sessions: 0,
      asyncWaiting: 0,
      engines: 0,
      threads: 0,
      loans: 0,
    });
  }, patience);
});

let tags = 0;

function callOf(params: Readonly<Record<string, string | number>>, changes: Partial<Call> = {}): Call {
  return {
    sid: 's',
    tag: `t${++tags}`,
    params: new Map(Object.entries(params).map(([name, value]) => [name, String(value)])),
    resourceIds: [],
    expect: null,
    signal: new AbortController().signal,
    deadline: Infinity,
    ...changes,
  };
}

function frame(data: Uint8Array | string, status: number = DataStatus.once): Frame {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  return { key: 'in', data: bytes, type: DataType.image, status, desc: new Map() };
}

function textOf(output: Output): string {
  const text = output.frames.map(({ data }) => Buffer.from(data).toString()).join('+');
  output.release();
  return text;
}

async function failure(call: Promise<unknown>): Promise<AigesError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof AigesError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** What has been copied since a moment before. */
function copies(): () => Pick<Counters, 'bytesIn' | 'bytesOut' | 'unalignedCopies'> {
  const before = counters();
  return () => {
    const { bytesIn, bytesOut, unalignedCopies } = counters();
    return {
      bytesIn: bytesIn - before.bytesIn,
      bytesOut: bytesOut - before.bytesOut,
      unalignedCopies: unalignedCopies - before.unalignedCopies,
    };
  };
}

describe('a wrapper whose engine cannot start', () => {
  it('says what wrapperInit said', async () => {
    const error = await failure(start('native', { initFail: '9' }));
    expect(error.code).toBe(10901);
    expect(error.message).toMatch(/scripted\.so: wrapperInit failed: .*;code=9/);
  });
});

describe.each(kinds)('%s', (_kind, name) => {
  it('fails a call with its code and text', async () => {
    const runtime = await start(name);
    const error = await failure(runtime.once(callOf({ do: 'fail', code: 12 }), []));
    expect(error).toMatchObject({ code: 10909, pluginCode: 12 });
    expect(error.message).toMatch(/^[^;]+;code=12$/);
  });

  it('fails a stream with its code', async () => {
    const runtime = await start(name);
    const session = await runtime.open(callOf({ write: 'fail', code: 13 }));
    void session.write([frame('a', DataStatus.begin)], { last: false }).catch(() => undefined);
    const error = await failure(session.results()[Symbol.asyncIterator]().next());
    expect(error).toMatchObject({ code: 10908, pluginCode: 13 });
    await session.close();
  });

  it('is passed what the client sent, with defaults, and its answer is passed on', async () => {
    const runtime = await start(name);
    expect(textOf(await runtime.once(callOf({ do: 'reply' }), []))).toBe('preset');
    expect(textOf(await runtime.once(callOf({ do: 'describe' }), [frame('abc')]))).toContain('in 2 3 3 ');
  });

  it('gets what the wrapper prepared, and the wrapper works on what it gave', async () => {
    const runtime = await start(name);
    expect(textOf(await runtime.once(callOf({ wrap: 'prepare' }), [frame('abc')]))).toBe('ABC+3 characters');
  });

  it('may be called several times for one request, with what it gave before', async () => {
    const runtime = await start(name);
    const moved = copies();
    const output = await runtime.once(callOf({ wrap: 'twice', do: 'fill', bytes: 1 << 20 }), []);
    expect(output.frames[0]?.data.length).toBe(1 << 20);
    expect(Buffer.from(output.frames[1]?.data ?? []).toString()).toMatch(/^result 0 3 1048576 /);
    output.release();
    // Two answers were copied out of the engine; nothing was copied on its way in.
    expect(moved().bytesIn).toBe(0);
  });

  it('reads a request where it was received and gives an answer of the same size, with one copy in all', async () => {
    const size = 10 << 20;
    const runtime = await start(name);
    const sent = new Uint8Array(size).map((_, i) => i % 253);
    const moved = copies();
    const output = await runtime.once(callOf({ do: 'echo' }), [frame(sent)]);
    expect(Buffer.compare(output.frames[0]?.data ?? new Uint8Array(0), sent)).toBe(0);
    expect(moved()).toEqual({ bytesIn: 0, bytesOut: size, unalignedCopies: 0 });
    expect(runtime.counters.copiedOut).toBe(0);
    output.release();
    expect(output.frames[0]?.data.length).toBe(0);
  });

  it('gets a copy of memory that belongs to the thread', async () => {
    const runtime = await start(name);
    const moved = copies();
    const output = await runtime.once(callOf({ wrap: 'own' }), []);
    expect(output.frames[0]?.data.every((byte) => byte === 4)).toBe(true);
    expect(moved().bytesIn).toBe(1 << 20);
    output.release();
  });

  it('gives an answer that outlives its thread', async () => {
    const runtime = await start(name);
    const output = await runtime.once(callOf({ do: 'fill', bytes: 4 << 20 }), []);
    await failure(runtime.once(callOf({ wrap: 'exit', do: 'reply' }), []));
    await runtime.stop();
    expect(output.frames[0]?.data.every((byte, i) => byte === i % 251)).toBe(true);
    output.release();
  });

  it('counts and traces for the request that is running', async () => {
    const runtime = await start(name);
    (await runtime.once(callOf({ do: 'control' }), [])).release();
    await vi.waitFor(() => {
      expect(meters).toEqual([[`t${tags}`, 'm', 1, 's']]);
      expect(traces).toEqual([[`t${tags}`, 'k', 'preset', 's']]);
    }, patience);
  });

  it('passes the packets and results of a stream on, as they are', async () => {
    const runtime = await start(name);
    const session = await runtime.open(callOf({}));
    const moved = copies();
    const large = new Uint8Array(1 << 20).fill(6);
    const writing = (async (): Promise<void> => {
      await session.write([frame(large, DataStatus.begin)], { last: false });
      await session.write([frame('end', DataStatus.end)], { last: true });
    })();
    const results: { length: number; status: number | undefined }[] = [];
    for await (const output of session.results()) {
      results.push({ length: output.frames[0]?.data.length ?? 0, status: output.frames[0]?.status });
      output.release();
    }
    await writing;
    await session.close();
    expect(results).toEqual([
      { length: 1 << 20, status: DataStatus.continue },
      { length: 3, status: DataStatus.end },
    ]);
    expect(moved().bytesIn).toBe(3);
    expect(runtime.counters.copiedOut).toBe(0);
  });

  it('lets a wrapper work on both sides of a stream', async () => {
    const runtime = await start(name);
    const session = await runtime.open(callOf({ wrap: 'prepare' }));
    const writing = (async (): Promise<void> => {
      await session.write([frame('a', DataStatus.begin)], { last: false });
      await session.write([frame('b', DataStatus.end)], { last: true });
    })();
    const results: string[] = [];
    for await (const output of session.results()) results.push(textOf(output));
    await writing;
    await session.close();
    expect(results).toEqual(['<A>', '<B>', '']);
  });

  it('ends its stream when the wrapper fails to prepare a packet', async () => {
    const runtime = await start(name);
    const session = await runtime.open(callOf({ wrap: 'prepare' }));
    void session.write([frame('throw', DataStatus.begin)], { last: false }).catch(() => undefined);
    expect(await failure(session.results()[Symbol.asyncIterator]().next())).toMatchObject({
      message: 'plugin failed;code=30003',
    });
    await vi.waitFor(() => {
      expect(counters().sessions).toBe(0);
    }, patience);
    await session.close();
  });

  it('ends its stream when the client leaves', async () => {
    const runtime = await start(name);
    const session = await runtime.open(callOf({}));
    const reading = session.results()[Symbol.asyncIterator]().next();
    await session.write([frame('a', DataStatus.begin)], { last: false });
    textOf((await reading).value as Output);
    await session.close();
    expect(counters().sessions).toBe(0);
  });

  it('is one for all threads, and ends after every wrapper has', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'native-wrapper-'));
    const finiLog = join(folder, 'fini');
    const runtime = await start(name, { finiLog }, 2);
    expect(counters().engines).toBe(1);
    await runtime.stop();
    expect(readFileSync(finiLog, 'utf8')).toMatch(/^(wrapper with engine scripted 1\.0\n){2}fini\n$/);
    rmSync(folder, { recursive: true });
  });
});

describe('a thread that ends while the engine runs', () => {
  it('takes no memory away from it', async () => {
    const runtime = await start('native');
    const gate = `exit-${++tags}`;
    const request = callOf({ wrap: 'exit', do: 'wait', gate });
    expect(await failure(runtime.once(request, [frame(new Uint8Array(4 << 20))]))).toMatchObject({ code: 10109 });
    // The engine is at the gate, with the request's memory; the next thread shares the engine.
    expect(textOf(await runtime.once(callOf({ do: 'reply', text: 'again' }), []))).toBe('again');
    await vi.waitFor(() => {
      expect(counters()).toMatchObject({ jobsRunning: 1, loans: 1 });
    }, patience);
    expect(runtime.counters).toMatchObject({ replaced: 1, stuck: 0 });
    await openGate(gate);
  });

  it('is not there for the callback any more', async () => {
    const runtime = await start('native-async');
    const gate = `exit-${++tags}`;
    const late = counters().lateCallbacks;
    const request = callOf({ wrap: 'exit', do: 'reply', callback: 'late', gate });
    expect(await failure(runtime.once(request, [frame(new Uint8Array(4 << 20))]))).toMatchObject({ code: 10109 });
    expect(textOf(await runtime.once(callOf({ do: 'reply', text: 'again' }), []))).toBe('again');
    expect(counters().asyncWaiting).toBe(0);
    await openGate(gate);
    await vi.waitFor(() => {
      expect(counters().lateCallbacks).toBe(late + 1);
    }, patience);
  });
});

describe('a client that leaves', () => {
  it('lets go of an asynchronous engine', async () => {
    const runtime = await start('native-async');
    const client = new AbortController();
    const waiting = failure(
      runtime.once(callOf({ do: 'reply', callback: 'never' }, { signal: client.signal }), [frame('a')]),
    );
    await vi.waitFor(() => {
      expect(counters().asyncWaiting).toBe(1);
    }, patience);
    client.abort(new AigesError('cancelled'));
    expect(await waiting).toMatchObject({ code: 10102, message: 'the client has left' });
    expect(counters().asyncWaiting).toBe(0);
    expect(runtime.counters.replaced).toBe(0);
  });

  it('does not end a blocking engine, whose answer is waited for', async () => {
    const runtime = await start('native');
    const client = new AbortController();
    const gate = `leave-${++tags}`;
    const answer = runtime.once(callOf({ do: 'wait', gate, text: 'late' }, { signal: client.signal }), []);
    await vi.waitFor(() => {
      expect(counters().jobsRunning).toBe(1);
    }, patience);
    client.abort(new AigesError('cancelled'));
    await openGate(gate);
    expect(textOf(await answer)).toBe('late');
  });

  it('leaves its deadline with an asynchronous engine', async () => {
    const runtime = await start('native-async');
    const deadline = performance.now() + 30_000;
    const stats = textOf(await runtime.once(callOf({ do: 'stats' }, { deadline }), []));
    const timeout = Number(/timeout=(\d+)/.exec(stats)?.[1]);
    expect(timeout).toBeGreaterThan(0);
    expect(timeout).toBeLessThanOrEqual(30_000);
  });
});
