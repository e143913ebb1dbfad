import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call } from '../../../../src/core/call.js';
import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType, type Frame } from '../../../../src/core/frame.js';
import type { Output } from '../../../../src/core/runtime.js';
import { loadAddon } from '../../../../src/runtimes/native/addon.js';
import { createWorkerRuntime, type WorkerOptions } from '../../../../src/runtimes/worker/index.js';
import type { WorkerRuntime } from '../../../../src/runtimes/worker/worker-runtime.js';
import { eventually } from '../../../fixtures/eventually.js';
import { textFrame } from '../../../fixtures/fake-runtime.js';
import { FileGate } from '../../../fixtures/file-gate.js';

const path = new URL('../../../fixtures/wrappers/scripted.ts', import.meta.url).pathname;
const entry = new URL('../../../../dist/runtimes/worker/entry.js', import.meta.url);

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

interface Started {
  readonly runtime: WorkerRuntime;
  readonly lines: Line[];
  readonly meters: unknown[];
  readonly traces: unknown[];
}

let running: WorkerRuntime | null = null;

function make(changes: Partial<WorkerOptions> = {}): Started {
  const lines: Line[] = [];
  const meters: unknown[] = [];
  const traces: unknown[] = [];
  const runtime = createWorkerRuntime({
    path,
    entry,
    instances: 1,
    heapMiB: 64,
    execLimitMs: 200,
    onLog: (level, message, fields) => lines.push({ level, message, fields }),
    onMeter: (...meter) => meters.push(meter),
    onTrace: (...trace) => traces.push(trace),
    ...changes,
  });
  running = runtime;
  return { runtime, lines, meters, traces };
}

async function start(changes: Partial<WorkerOptions> = {}): Promise<Started> {
  const started = make(changes);
  await started.runtime.start(new Map());
  return started;
}

afterEach(async () => {
  vi.useRealTimers();
  await running?.stop();
  running = null;
  // Loans end when the thread's heap has gone.
  await vi.waitFor(() => {
    expect(loadAddon().counters()).toMatchObject({ loans: 0, pins: 0 });
  }, 10_000);
});

let tags = 0;

function callOf(what: string, changes: Partial<Call> & { readonly path?: string } = {}): Call {
  const { path: file = '', ...rest } = changes;
  return {
    sid: 's',
    tag: `t${++tags}`,
    params: new Map([
      ['do', what],
      ['path', file],
    ]),
    resourceIds: [],
    expect: null,
    signal: new AbortController().signal,
    deadline: Infinity,
    ...rest,
  };
}

function dataFrame(size: number, fill = 1): Frame {
  return { key: 'data', data: new Uint8Array(size).fill(fill), type: DataType.image, status: 3, desc: new Map() };
}

const textOf = (output: Output): string => output.frames.map(({ data }) => Buffer.from(data).toString()).join('+');
const run = async ({ runtime }: Started, what: string, ...frames: Frame[]): Promise<string> =>
  textOf(await runtime.once(callOf(what), frames));

async function failure(call: Promise<unknown>): Promise<AigesError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof AigesError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Longer than any machine keeps a thread from answering: it passes only where a test says so. */
const longLimitMs = 30_000;

/** From here on limits pass by `pass` only. */
function stopTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
}

/** Lets the long limit pass for calls that were left, in a thread that has answered what it was asked about them. */
async function pass(started: Started): Promise<void> {
  // The thread is asked in this turn, and answers in order.
  await new Promise((resolve) => setImmediate(resolve));
  await run(started, 'echo');
  vi.advanceTimersByTime(longLimitMs);
}

describe('a wrapper that cannot start', () => {
  it.each([
    ['throw', 'no weights;code=30001'],
    ['exit', 'its thread ended with exit code 3'],
    ['never', 'its module or init awaits a promise that nothing can settle any more'],
  ])('init: %s', async (what, text) => {
    const error = await failure(make().runtime.start(new Map([['init', what]])));
    expect(error.code).toBe(10901);
    expect(error.message).toContain(text);
  });

  it.each([
    ['a file that is not there', '/nonexistent/wrapper.ts', /nonexistent/],
    [
      'a module without a wrapper',
      new URL('../../../fixtures/fake-runtime.ts', import.meta.url).pathname,
      /extends WrapperBase/,
    ],
  ])('%s', async (_name, file, text) => {
    const error = await failure(make({ path: file }).runtime.start(new Map()));
    expect(error.code).toBe(10901);
    expect(error.message).toMatch(text);
  });

  it('is told about again and again while it hangs', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { runtime, lines } = make();
      const starting = failure(runtime.start(new Map([['init', 'hang']])));
      expect(runtime.ready).toBe(false);
      vi.advanceTimersByTime(20_000);
      expect(lines).toEqual(
        [10, 20].map((seconds) => ({
          level: 'warn',
          message: `a thread of the plugin has been starting for ${seconds} s: its init has not returned, or a loadResource after it`,
          fields: {},
        })),
      );
      await runtime.stop();
      await starting;
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('can be stopped while it hangs', async () => {
    const { runtime } = make();
    const starting = failure(runtime.start(new Map([['init', 'hang']])));
    await runtime.stop();
    expect((await starting).code).toBe(10901);
  });
});

describe('a call', () => {
  it('fails with the code of the wrapper', async () => {
    const started = await start();
    expect(await failure(run(started, 'fail'))).toMatchObject({ code: 10909, message: 'seven;code=7', pluginCode: 7 });
  });

  it('that throws says no more than that to the client, and all to the log', async () => {
    const started = await start();
    expect(await failure(run(started, 'throw'))).toMatchObject({ code: 10909, message: 'plugin failed;code=30003' });
    expect(JSON.stringify(started.lines)).toContain('a mistake');
    expect(JSON.stringify(started.lines)).toMatch(/scripted\.ts:\d+/);
  });

  it('is answered, and what it says goes to the log', async () => {
    const started = await start();
    expect(await run(started, 'echo', textFrame('text', 'häh'))).toBe('häh');
    expect(await run(started, 'print')).toBe('printed');
    await eventually(() => started.lines.map(({ level, message }) => `${level} ${message}`).sort()).toEqual([
      'info to stdout',
      'warn to stderr',
      'warn to the log',
    ]);
    expect(started.meters).toEqual([[`t${tags}`, 'units', 3, 's']]);
    expect(started.traces).toEqual([[`t${tags}`, 'step', 'one', 's']]);
  });

  it('logs every field that can leave its thread', async () => {
    const started = await start();
    await run(started, 'logOddly');
    expect(started.lines).toEqual([
      {
        level: 'info',
        message: 'odd',
        fields: { sid: 's', tag: `t${tags}`, answer: 42, callback: 'it cannot leave the thread' },
      },
    ]);
  });

  it('that counts what is no number fails alone', async () => {
    const started = await start({ execLimitMs: longLimitMs });
    const client = new AbortController();
    const other = started.runtime.once(callOf('wait', { signal: client.signal }), []);
    const error = await failure(started.runtime.once(callOf('meter', { path: 'Infinity' }), []));
    expect(error).toMatchObject({ code: 10909, message: 'plugin failed;code=30003' });
    expect(started.meters).toEqual([]);
    client.abort(new AigesError('cancelled'));
    expect(textOf(await other)).toContain('told');
  });

  it('goes on when what it says cannot be written down', async () => {
    const full = (): never => {
      throw new Error('no space left');
    };
    const started = await start({ onMeter: full });
    const said = started.runtime.once(callOf('meter', { path: '3' }), []);
    expect(textOf(await said)).toBe('metered');
    expect(await run(started, 'echo', textFrame('text', 'still there'))).toBe('still there');
  });

  it('learns that nobody waits any more, and may still answer', async () => {
    const { runtime } = await start({ execLimitMs: longLimitMs });
    const client = new AbortController();
    const answer = runtime.once(callOf('wait', { signal: client.signal }), []);
    client.abort(new AigesError('cancelled'));
    expect(textOf(await answer)).toBe('told: the client has left');
  });

  it('ends in order when the plugin is stopped', async () => {
    const started = await start();
    await started.runtime.stop();
    await eventually(() => started.lines).toMatchObject([{ message: 'finished' }]);
    expect(await failure(run(started, 'echo'))).toMatchObject({ code: 10109 });
  });
});

describe('large buffers', () => {
  const size = 10 << 20;

  it('are read in place and handed back without a copy', async () => {
    const started = await start();
    expect(await run(started, 'sum', dataFrame(size))).toBe(String(size));
    const output = await started.runtime.once(callOf('own'), [dataFrame(size, 7)]);
    expect(output.frames[0]?.data.length).toBe(size);
    expect(output.frames[0]?.data.every((byte) => byte === 7)).toBe(true);
    expect(started.runtime.counters.copiedOut).toBe(0);
  });

  it('cannot be given twice, and the log says why', async () => {
    const started = await start();
    expect((await started.runtime.once(callOf('cached'), [])).frames[0]?.data.length).toBe(1 << 20);
    expect(await failure(run(started, 'cached'))).toMatchObject({ code: 10909, message: 'plugin failed;code=30003' });
    expect(started.lines.map(({ message }) => message)).toEqual([
      'the wrapper failed: output data: its buffer was handed over with an earlier answer; give a copy of what is kept: data.slice()',
    ]);
  });

  it('cannot be given by two calls at once, and the log says why', async () => {
    const started = await start();
    const outcomes = await Promise.allSettled([run(started, 'cachedTogether'), run(started, 'cachedTogether')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(started.lines).toMatchObject([
      {
        level: 'error',
        message: expect.stringContaining('output data: its buffer was handed over with an earlier answer') as unknown,
        fields: { stack: expect.stringContaining('at ') as unknown },
      },
    ]);
  });

  it('a part of something larger is copied on the way back, and counted', async () => {
    const started = await start();
    const output = await started.runtime.once(callOf('part'), []);
    expect(output.frames[0]?.data.length).toBe(1 << 19);
    expect(started.runtime.counters.copiedOut).toBe(1 << 19);
  });

  it('the request itself goes back where it lies, until the answer is released', async () => {
    const started = await start();
    const output = await started.runtime.once(callOf('back'), [dataFrame(1 << 20, 3)]);
    const data = output.frames[0]?.data;
    expect(data?.length).toBe(1 << 20);
    expect(data?.every((byte) => byte === 3)).toBe(true);
    expect(started.runtime.counters.copiedOut).toBe(0);
    output.release();
    output.release();
    expect(data?.length).toBe(0);
  });

  it('memory of WebAssembly stays where it is', async () => {
    const output = await (await start()).runtime.once(callOf('wasm'), []);
    expect(output.frames[0]?.data.length).toBe(2 * 65536);
  });

  it('may be kept by the wrapper after its answer', async () => {
    const started = await start();
    for (let n = 1; n <= 5; n++) await run(started, 'keep', dataFrame(size, n));
    expect(await run(started, 'kept')).toBe('1:1,2:2,3:3,4:4,5:5');
  });

  it('may be kept by the wrapper while threads beside it are replaced', async () => {
    const started = await start({ instances: 2, execLimitMs: longLimitMs });
    const { runtime } = started;
    // Calls that follow one another go to the first thread.
    for (let n = 1; n <= 3; n++) await run(started, 'keep', dataFrame(size, n));
    const client = new AbortController();
    const busy = runtime.once(callOf('wait', { signal: client.signal }), []);
    expect((await failure(run(started, 'exit'))).code).toBe(10109);
    await eventually(() => runtime.counters.ready).toBe(2);
    client.abort(new AigesError('cancelled'));
    await busy;
    for (let n = 0; n < 10; n++) await run(started, 'sum', dataFrame(size, 99));
    expect(await run(started, 'kept')).toBe('1:1,2:2,3:3');
  });

  it('may be written to a file that nobody waits for', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'worker-'));
    const file = join(dir, 'out');
    const { runtime } = await start();
    await runtime.once(callOf('file', { path: file }), [dataFrame(size, 9)]);
    await vi.waitFor(async () => {
      const written = await readFile(file);
      expect(written.length).toBe(size);
      expect(written.every((byte) => byte === 9)).toBe(true);
    }, 20_000);
    await rm(dir, { recursive: true });
  });
});

describe('a thread that ends', () => {
  it.each([
    ['an exception that nobody catches', 'crash', 'its thread crashed'],
    ['process.exit', 'exit', 'its thread ended with exit code 5'],
    ['all memory used', 'memory', 'its thread ran out of memory'],
  ])('%s: fails its own calls only, and is replaced', async (_name, what, detail) => {
    const started = await start();
    const other = failure(run(started, 'never'));
    const error = await failure(run(started, what));
    expect(error).toMatchObject({ code: 10109, detail });
    expect(await other).toMatchObject({ code: 10109, detail });
    // Waits for the replacement.
    expect(await run(started, 'echo', textFrame('text', 'again'))).toBe('again');
    expect(started.runtime.counters).toMatchObject({ ready: 1, replaced: 1, stuck: 0 });
  });

  it('leaves the plugin unready until its replacement has started', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const gate = new FileGate();
    try {
      const started = make();
      const { runtime, lines } = started;
      await runtime.start(new Map([['hangFile', gate.file]]));
      expect(runtime.ready).toBe(true);
      gate.open();
      expect((await failure(run(started, 'exit'))).code).toBe(10109);
      expect(runtime.ready).toBe(false);
      // Once the replacement has begun to start: its timer is the only one.
      vi.advanceTimersByTime(20_000);
      while (vi.getTimerCount() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      vi.advanceTimersByTime(10_000);
      expect(lines.at(-1)?.message).toContain('has been starting for 10 s');
      expect(runtime.ready).toBe(false);
    } finally {
      vi.useRealTimers();
      gate.remove();
    }
  });

  it('leaves the calls in other threads alone', async () => {
    const started = await start({ instances: 2, execLimitMs: longLimitMs });
    const client = new AbortController();
    const waiting = started.runtime.once(callOf('wait', { signal: client.signal }), []);
    expect((await failure(run(started, 'exit'))).code).toBe(10109);
    client.abort(new AigesError('cancelled'));
    expect(textOf(await waiting)).toContain('told');
  });

  it('is replaced when it goes on with a call that nobody waits for', async () => {
    const started = await start();
    const client = new AbortController();
    const spinning = failure(started.runtime.once(callOf('spin', { signal: client.signal }), [dataFrame(1 << 20)]));
    client.abort(new AigesError('timeout'));
    expect(await spinning).toMatchObject({ code: 10109 });
    expect(await run(started, 'echo', textFrame('text', 'again'))).toBe('again');
    expect(started.runtime.counters).toMatchObject({ replaced: 1, stuck: 0 });
  });

  describe('with a call in it that nobody waits for and somebody else there', () => {
    const execLimitMs = longLimitMs;
    const left = /a call goes on, and nobody waits for it any more: hand request\.signal on/;

    beforeEach(stopTime);

    /** Two calls in one thread, and the end of the first one's patience. */
    async function leave(
      started: Started,
      what: string,
      file = '',
    ): Promise<{
      readonly given: Promise<PromiseSettledResult<string>>;
      readonly other: Promise<PromiseSettledResult<string>>;
      readonly endOther: () => void;
    }> {
      const settled = async (call: Promise<Output>): Promise<PromiseSettledResult<string>> => {
        const [outcome] = await Promise.allSettled([call.then(textOf)]);
        return outcome;
      };
      const client = new AbortController();
      const another = new AbortController();
      const given = settled(started.runtime.once(callOf(what, { signal: client.signal, path: file }), []));
      const tag = `t${tags}`;
      const other = settled(started.runtime.once(callOf('wait', { signal: another.signal }), []));
      client.abort(new AigesError('cancelled'));
      await pass(started);
      await eventually(() => started.lines).toEqual([
        { level: 'warn', message: expect.stringMatching(left) as unknown, fields: { sid: 's', tag } },
      ]);
      return {
        given,
        other,
        endOther: () => {
          another.abort(new AigesError('cancelled'));
        },
      };
    }

    it('goes on until the call ends', async () => {
      const gate = new FileGate();
      const started = await start({ execLimitMs });
      const { given, other, endOther } = await leave(started, 'waitFile', gate.file);
      gate.open();
      expect(await given).toMatchObject({ status: 'fulfilled', value: 'done' });
      endOther();
      expect(await other).toMatchObject({ status: 'fulfilled' });
      expect(started.runtime.counters).toMatchObject({ ready: 1, replaced: 0 });
      gate.remove();
    });

    it('goes on until nobody else is there, when the call does not end', async () => {
      const started = await start({ execLimitMs });
      const { given, other, endOther } = await leave(started, 'never');
      endOther();
      expect(await other).toMatchObject({ status: 'fulfilled', value: 'told: the client has left' });
      await pass(started);
      vi.useRealTimers();
      expect(await given).toMatchObject({ status: 'rejected', reason: { code: 10109 } });
      expect(await run(started, 'echo', textFrame('text', 'again'))).toBe('again');
      expect(started.runtime.counters).toMatchObject({ replaced: 1 });
    });

    it('is replaced when the call begins to loop', async () => {
      const gate = new FileGate();
      const started = await start({ execLimitMs });
      const { given, other } = await leave(started, 'spinLater', gate.file);
      gate.open();
      await eventually(() => existsSync(`${gate.file}.spins`)).toBe(true);
      // It may have answered once more before it began.
      vi.advanceTimersByTime(execLimitMs);
      await new Promise((resolve) => setImmediate(resolve));
      vi.advanceTimersByTime(execLimitMs);
      vi.useRealTimers();
      for (const outcome of [given, other]) {
        expect(await outcome).toMatchObject({ status: 'rejected', reason: { code: 10109 } });
      }
      expect(await run(started, 'echo', textFrame('text', 'again'))).toBe('again');
      gate.remove();
    });
  });

  it('gives up waiting for a replacement with the client', async () => {
    const started = await start();
    await failure(run(started, 'exit'));
    const client = new AbortController();
    const waiting = failure(started.runtime.once(callOf('echo', { signal: client.signal }), []));
    client.abort(new AigesError('timeout'));
    expect((await waiting).code).toBe(10102);
  });
});

describe('a stream', () => {
  const packet = (text: string): Frame[] => [textFrame('text', text, { status: DataStatus.continue })];

  it('gives its results in order and ends', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    const writing = (async (): Promise<void> => {
      await session.write(packet('a'), { last: false });
      await session.write(packet('many'), { last: true });
    })();
    const results: string[] = [];
    for await (const output of session.results()) results.push(textOf(output));
    await writing;
    await session.close();
    expect(results).toEqual(['A', ...Array.from({ length: 50 }, (_, n) => String(n)), '']);
  });

  it('fails with the code of the wrapper', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    void session.write(packet('throw'), { last: false }).catch(() => undefined);
    await expect(session.results()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 10908,
      message: 'eight;code=8',
    });
    await session.close();
  });

  it('ends with its thread', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    await expect(session.write(packet('exit'), { last: false })).rejects.toMatchObject({ code: 10109 });
    await expect(session.results()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 10109 });
    await session.close();
  });

  it('costs its thread when it does not come to an end', async () => {
    const started = await start({ execLimitMs: longLimitMs });
    const session = await started.runtime.open(callOf('echo'));
    const results = session.results()[Symbol.asyncIterator]();
    const reading = results.next();
    const writing = session.write([...packet('hang'), dataFrame(1 << 20)], { last: false });
    stopTime();
    const closing = session.close();
    await Promise.all([writing, reading]);
    vi.advanceTimersByTime(longLimitMs);
    vi.useRealTimers();
    await closing;
    expect(await run(started, 'echo', textFrame('text', 'again'))).toBe('again');
    expect(started.runtime.counters).toMatchObject({ replaced: 1 });
  });

  it('takes nothing after it is closed, and keeps no memory of it', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    await session.close();
    await expect(session.write([dataFrame(1 << 20)], { last: true })).rejects.toMatchObject({ code: 10907 });
  });

  it('hands large packets over in place', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    const writing = session.write([dataFrame(4 << 20, 3)], { last: true });
    for await (const output of session.results()) {
      const [frame] = output.frames;
      if (frame?.key === 'data' && frame.data.length > 0) expect(frame.data.every((byte) => byte === 3)).toBe(true);
    }
    await writing;
    await session.close();
    expect(runtime.counters.copiedOut).toBe(0);
  });

  it('takes its whole input before anybody reads a result', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    const texts = Array.from({ length: 30 }, (_, n) => `p${n}`);
    for (const [n, text] of texts.entries()) await session.write(packet(text), { last: n === texts.length - 1 });
    const results: string[] = [];
    for await (const output of session.results()) results.push(textOf(output));
    await session.close();
    expect(results).toEqual([...texts.map((text) => text.toUpperCase()), '']);
  });

  it.each([
    ['results', { streamResults: 20 }],
    ['bytes of results', { streamBytes: 20 }],
  ])('fails when more %s than allowed wait for the end of the input', async (_name, engineLimits) => {
    const { runtime } = await start({ engineLimits });
    const session = await runtime.open(callOf('echo'));
    await session.write(packet('many'), { last: false });
    await expect(session.write(packet('a'), { last: true })).rejects.toMatchObject({
      code: 10908,
      detail: expect.stringContaining('[limits].resultBytes') as unknown,
    });
    await expect(session.results()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 10908 });
    await session.close();
    expect(await run({ runtime } as Started, 'echo', textFrame('text', 'still there'))).toBe('still there');
  });

  it('can be closed while the wrapper has more to say', async () => {
    const { runtime } = await start();
    const session = await runtime.open(callOf('echo'));
    void session.write(packet('many'), { last: true }).catch(() => undefined);
    const results = session.results()[Symbol.asyncIterator]();
    await results.next();
    await session.close();
    await session.close();
    expect(await run({ runtime } as Started, 'echo', textFrame('text', 'still there'))).toBe('still there');
  });
});

const keeper = new URL('../../../fixtures/wrappers/keeper.ts', import.meta.url).pathname;

describe('a resource whose client has gone', () => {
  const content = (text: string): Frame[] => [textFrame('patch', text)];

  it.each(['load loop', 'load never'])('%s: costs its thread, and the next one does not get it', async (what) => {
    const started = await start({ path: keeper, instances: 2 });
    const { runtime } = started;
    const client = new AbortController();
    const loading = failure(runtime.loadResource(1, content(what), client.signal));
    client.abort(new AigesError('timeout'));
    expect((await loading).code).toBe(10109);
    await eventually(() => runtime.counters).toMatchObject({ ready: 2, replaced: 2 });
    expect(await run(started, 'list')).toBe('');
  });

  it.each(['unload loop', 'unload never'])('%s: costs its thread, and is unloaded', async (what) => {
    const started = await start({ path: keeper });
    const { runtime } = started;
    await runtime.loadResource(1, content(what));
    await runtime.loadResource(2, content('unload'));
    const client = new AbortController();
    const unloading = runtime.unloadResource(1, client.signal);
    client.abort(new AigesError('timeout'));
    await unloading;
    expect(await run(started, 'list')).toBe('2');
    expect(runtime.counters).toMatchObject({ replaced: 1 });
  });

  it('does not keep its place for good beside calls that go on', async () => {
    stopTime();
    const started = await start({ path: keeper, execLimitMs: longLimitMs });
    const { runtime, lines } = started;
    const other = failure(run(started, 'wait'));
    const client = new AbortController();
    const loading = failure(runtime.loadResource(7, content('load never'), client.signal));
    client.abort(new AigesError('timeout'));
    for (let limits = 0; limits < 10; limits++) await pass(started);
    vi.useRealTimers();
    expect((await loading).code).toBe(10109);
    expect((await other).code).toBe(10109);
    expect(lines[0]).toMatchObject({ level: 'warn', fields: { resource: 7 } });
    expect(await run(started, 'list')).toBe('');
  });
});

describe('a thread that is replaced while resources change', () => {
  it('has what the plugin has when it is ready', async () => {
    const gate = new FileGate();
    gate.open();
    const started = await start({ path: keeper });
    const { runtime } = started;
    for (const id of [1, 2]) await runtime.loadResource(id, [textFrame('patch', gate.file)]);
    expect(await run(started, 'list')).toBe('1,2');

    gate.close();
    expect((await failure(run(started, 'exit'))).code).toBe(10109);
    await gate.entered();
    await runtime.unloadResource(1);
    await runtime.unloadResource(2);
    await runtime.loadResource(2, [textFrame('patch', gate.file)]);
    await runtime.loadResource(3, [textFrame('patch', gate.file)]);
    gate.open();
    expect(await run(started, 'list')).toBe('2,3');
    gate.remove();
  });
});
