import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { AigesError } from '../../../../src/core/errors.js';
import type { Frame } from '../../../../src/core/frame.js';
import { DataStatus } from '../../../../src/core/frame.js';
import type { PluginRuntime, RuntimeSession } from '../../../../src/core/runtime.js';
import type { Addon, Answer, StreamRef } from '../../../../src/runtimes/native/addon.js';
import { counters, createNativeRuntime } from '../../../../src/runtimes/native/index.js';
import { NativeSession } from '../../../../src/runtimes/native/native-session.js';
import { FileGate } from '../../../fixtures/file-gate.js';
import { ask, bytes, call, expectNothingAlive, fixture, frame, sameBytes, start, stat, until } from './engines.js';

const inPlace = 64 * 1024;
const modes = [
  ['read', {}],
  ['calling back', { asyncMode: true }],
] as const;

const gates: FileGate[] = [];

afterEach(async () => {
  for (const gate of gates.splice(0)) gate.remove();
  await expectNothingAlive();
});

function fileGate(): FileGate {
  const gate = new FileGate();
  gates.push(gate);
  return gate;
}

const piece = (data: Uint8Array | string, status: number = DataStatus.continue): Frame[] => [frame(data, { status })];
const end = (data: Uint8Array | string = ''): Frame[] => piece(data, DataStatus.end);

/** Everything that a stream gives, as texts. */
async function collect(session: RuntimeSession, into: string[] = []): Promise<string[]> {
  for await (const output of session.results()) {
    into.push(output.frames.map(({ data }) => Buffer.from(data).toString()).join('+'));
    output.release();
  }
  return into;
}

/** Of the scripted engine: what has changed since this was made. */
async function since(runtime: PluginRuntime): Promise<(name: string) => Promise<number>> {
  const names = ['create', 'write', 'read', 'destroy', 'refused'];
  const before = new Map<string, number>();
  for (const name of names) before.set(name, await stat(runtime, name));
  return async (name) => (await stat(runtime, name)) - (before.get(name) ?? 0);
}

/** No call came while another one was inside, or after the end; every stream has been destroyed. */
async function expectInOrder(runtime: PluginRuntime): Promise<void> {
  expect(await stat(runtime, 'overlap')).toBe(0);
  expect(await stat(runtime, 'handles')).toBe(0);
}

describe('open', () => {
  it('should reject before start, after stop and once the signal has aborted', async () => {
    const runtime = createNativeRuntime({ path: fixture('scripted') });
    await expect(runtime.open(call())).rejects.toMatchObject({ kind: 'internal' });
    await runtime.stop();
    await expect(runtime.open(call())).rejects.toMatchObject({ kind: 'internal' });
    const reason = new AigesError('timeout');
    await expect((await start()).open(call({}, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  });

  it('should reject for an engine without streams, and name it', async () => {
    const runtime = await start({ path: fixture('no_stream') });
    await expect(runtime.open(call())).rejects.toMatchObject({
      kind: 'unsupported',
      detail: `${fixture('no_stream')} offers no streams`,
    });
  });

  describe.each(modes)('of an engine that is %s', (_, options) => {
    it.each(['fail', 'both'])('should reject with text and code when wrapperCreate fails (%s)', async (create) => {
      const runtime = await start(options);
      const count = await since(runtime);
      const failing = call({ create, code: 42 });
      await expect(runtime.open(failing)).rejects.toMatchObject({
        kind: 'createFailed',
        code: 10905,
        message: 'scripted error 42;code=42',
        pluginCode: 42,
      });
      expect(await count('create')).toBe(1);
      expect(await count('destroy')).toBe(0);
      expect(counters()).toMatchObject({ sessions: 0, asyncWaiting: 0, tombstones: 0 });
      const again = await runtime.open(call({ destroy: 'final' }, { tag: failing.tag }));
      await again.close();
    });

    it('should reject when wrapperCreate gives no handle and no code', async () => {
      const runtime = await start(options);
      const count = await since(runtime);
      await expect(runtime.open(call({ create: 'null' }))).rejects.toMatchObject({
        kind: 'createFailed',
        message: 'scripted error 0;code=0',
      });
      expect(await count('destroy')).toBe(0);
    });

    it('should reject a tag that is in use', async () => {
      const runtime = await start(options);
      const first = call({ destroy: 'final' });
      const session = await runtime.open(first);
      await expect(runtime.open(call({}, { tag: first.tag }))).rejects.toMatchObject({
        kind: 'duplicateTag',
        code: 10105,
      });
      await session.close();
      await (await runtime.open(call({ destroy: 'final' }, { tag: first.tag }))).close();
    });

    it('should reject names that a C string cannot carry', async () => {
      const runtime = await start(options);
      for (const attempt of [runtime.open(call({}, { tag: 'a\0b' })), runtime.open(call({ 'a\0b': '' }))]) {
        await expect(attempt).rejects.toMatchObject({ kind: 'invalidInput' });
      }
    });

    it('should settle when wrapperCreate has returned, not when the signal aborts', async () => {
      const runtime = await start(options);
      const gate = fileGate();
      const abort = new AbortController();
      const { file } = gate.params;
      const opening = runtime.open(call({ create: 'waitFile', file, destroy: 'final' }, { signal: abort.signal }));
      await gate.entered();
      abort.abort(new AigesError('cancelled'));
      gate.open();
      const session = await opening;
      expect(counters().sessions).toBe(1);
      await session.close();
      await expectInOrder(runtime);
    });
  });
});

describe.each(modes)('a stream of an engine that is %s', (_, options) => {
  it('should reject a failed write with text and code', async () => {
    const runtime = await start(options);
    const count = await since(runtime);
    const session = await runtime.open(call({ write: 'fail', code: 43, destroy: 'final' }));
    await expect(session.write(piece('a'), { last: false })).rejects.toMatchObject({
      kind: 'writeFailed',
      code: 10907,
      message: 'scripted error 43;code=43',
    });
    await session.close();
    expect(await count('destroy')).toBe(1);
    await expectInOrder(runtime);
  });

  it('should reject frames that a C string cannot carry', async () => {
    const runtime = await start(options);
    const session = await runtime.open(call({ destroy: 'final' }));
    const bad = session.write([frame('', { key: 'a\0b' })], { last: false });
    await expect(bad).rejects.toMatchObject({ kind: 'invalidInput' });
    await session.write(end('a'), { last: true });
    expect(await collect(session)).toEqual(['a']);
    await session.close();
  });

  it('should give the results, also when wrapperDestroy fails', async () => {
    const runtime = await start(options);
    const before = counters().destroyFailures;
    const session = await runtime.open(call({ destroy: 'fail', code: 45 }));
    await session.write(end('a'), { last: true });
    expect(await collect(session)).toEqual(['a']);
    await session.close();
    expect(counters().destroyFailures).toBe(before + 1);
    await expectInOrder(runtime);
  });

  it('should give results while input is still coming, in order, and end after the final one', async () => {
    const runtime = await start(options);
    const count = await since(runtime);
    const session = await runtime.open(call({ 'desc.encoding': 'raw' }));
    const results = session.results()[Symbol.asyncIterator]();
    for (const text of ['one', 'two']) {
      await session.write(piece(text), { last: false });
      const { value } = (await results.next()) as IteratorYieldResult<{ frames: Frame[]; release: () => void }>;
      expect(value.frames.map((f) => [f.key, Buffer.from(f.data).toString(), f.status, [...f.desc]])).toEqual([
        ['result', text, DataStatus.continue, [['encoding', 'raw']]],
      ]);
      value.release();
    }
    await session.write(end('three'), { last: true });
    expect(await results.next()).toMatchObject({ value: { frames: [{ status: DataStatus.end }] } });
    expect(await results.next()).toEqual({ done: true, value: undefined });
    await session.close();
    expect(await count('create')).toBe(1);
    expect(await count('write')).toBe(3);
    expect(await count('destroy')).toBe(1);
    await expectInOrder(runtime);
  });

  it('should give what came before anybody asked', async () => {
    const runtime = await start(options);
    const session = await runtime.open(call({ results: 2, read: 'count' }));
    for (let i = 0; i < 9; i++) await session.write(piece('x'), { last: false });
    await session.write(end('x'), { last: true });
    expect(await collect(session)).toEqual(Array.from({ length: 20 }, (_, i) => String(Math.floor(i / 2) + 1)));
    await session.close();
  });

  it('should hand over frames as once does, without copying large aligned ones', async () => {
    const runtime = await start(options);
    const session = await runtime.open(call({ write: 'describe' }));
    const before = counters();
    const large = frame(bytes(inPlace), { key: 'large', status: DataStatus.end });
    await session.write([frame('abc', { status: 1, desc: new Map([['a', 'b']]) }), large], { last: true });
    expect(counters().bytesIn - before.bytesIn).toBe(3);
    const [text] = await collect(session);
    expect(text).toMatch(/^in 0 1 3 aligned=64 nul=yes desc=a=b\nlarge 0 2 65536 aligned=\d+ nul=unknown desc=/);
    await session.close();
    await until(() => {
      expect(counters().pins).toBe(0);
    });
  });

  it('should echo every size', async () => {
    const runtime = await start(options);
    for (const size of [0, 1, inPlace - 1, inPlace, 1024 * 1024]) {
      for (const offset of [0, 1]) {
        const session = await runtime.open(call());
        const data = bytes(size, offset);
        await session.write(end(data), { last: true });
        for await (const output of session.results()) {
          expect(sameBytes(output.frames[0]?.data, data)).toBe(true);
          output.release();
          output.release();
        }
        await session.close();
      }
    }
  });

  it('should pass an output beyond the byte limit for a failure', async () => {
    const runtime = await start({ ...options, outputBytes: 1000 });
    const session = await runtime.open(call());
    await session.write(end(bytes(1001)), { last: true });
    await expect(collect(session)).rejects.toMatchObject({
      kind: 'asyncMode' in options ? 'callbackFailed' : 'readFailed',
      message: expect.stringContaining('more than 1000 bytes') as string,
    });
    await session.close();
    await runtime.stop();
  });

  it('should end its results when it is closed, and destroy once however often', async () => {
    const runtime = await start(options);
    const count = await since(runtime);
    const session = await runtime.open(call({ read: 'null', destroy: 'final' }));
    const collecting = collect(session);
    await session.write(piece('a'), { last: true });
    await Promise.all([session.close(), session.close(), collecting]);
    await session.close();
    expect(await collecting).toEqual([]);
    expect(await collect(session)).toEqual([]);
    await expect(session.write(piece('a'), { last: false })).rejects.toMatchObject({ kind: 'writeFailed' });
    expect(await count('write')).toBe(1);
    expect(await count('destroy')).toBe(1);
    await expectInOrder(runtime);
  });

  it('should destroy after a write that is running, and make no call that waits behind it', async () => {
    const runtime = await start(options);
    const count = await since(runtime);
    const gate = fileGate();
    const session = await runtime.open(call({ write: 'waitFile', file: gate.params.file, destroy: 'final' }));
    const collecting = collect(session);
    let closed = false;
    const writing = session.write([frame(bytes(inPlace), { status: 1 })], { last: false });
    const behind = expect(session.write(piece('b'), { last: true })).rejects.toMatchObject({ kind: 'writeFailed' });
    await gate.entered();
    const closing = session.close().then(() => (closed = true));
    await ask(runtime, { do: 'reply' });
    expect(closed).toBe(false);
    expect(await count('destroy')).toBe(0);
    gate.open();
    await Promise.all([writing, behind, closing, collecting]);
    expect(await count('write')).toBe(1);
    expect(await count('destroy')).toBe(1);
    await expectInOrder(runtime);
  });

  it('should end the engine only after the last stream', async () => {
    const log = join(await mkdtemp(join(tmpdir(), 'aiges-')), 'log');
    const runtime = await start(options, new Map([['finiLog', log]]));
    const session = await runtime.open(call({ destroyLog: log }));
    const stopping = runtime.stop();
    await session.write(end('a'), { last: true });
    expect(await collect(session)).toEqual(['a']);
    await session.close();
    await stopping;
    expect(await readFile(log, 'utf8')).toBe('destroy\nfini\n');
  });

  it('should record meters and traces of its tag', async () => {
    const seen: unknown[] = [];
    const runtime = await start({
      ...options,
      onMeter: (...record) => seen.push(record),
      onTrace: (...record) => seen.push(record),
    });
    const { tag, ...rest } = call({ write: 'control', text: 'v' }, { sid: 'the sid' });
    const session = await runtime.open({ tag, ...rest });
    await session.write(end('a'), { last: true });
    await session.close();
    await until(() => {
      expect(seen).toEqual([
        [tag, 'm', 1, 'the sid'],
        [tag, 'k', 'v', 'the sid'],
      ]);
    });
  });

  it('should leave nothing behind, two thousand times', async () => {
    const runtime = await start(options);
    const count = await since(runtime);
    const one = async (i: number): Promise<void> => {
      const session = await runtime.open(call({ results: 1 + (i % 3) }));
      const collecting = collect(session);
      await session.write(piece(`a${i}`), { last: false });
      await session.write(end(i % 50 === 0 ? bytes(inPlace) : `b${i}`), { last: true });
      expect((await collecting).length).toBe(2 * (1 + (i % 3)));
      await session.close();
    };
    for (let i = 0; i < 2000; i += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => one(i + k)));
    expect(await count('create')).toBe(2000);
    expect(await count('destroy')).toBe(2000);
    expect(counters()).toMatchObject({ sessions: 0, asyncWaiting: 0, tombstones: 0 });
    await expectInOrder(runtime);
  });
});

describe('an engine that is read', () => {
  it('should reject with text and code when wrapperRead fails', async () => {
    const runtime = await start();
    const count = await since(runtime);
    const session = await runtime.open(call({ read: 'fail', code: 44 }));
    await session.write(piece('a'), { last: false });
    await expect(collect(session)).rejects.toMatchObject({
      kind: 'readFailed',
      code: 10908,
      message: 'scripted error 44;code=44',
    });
    await session.close();
    expect(await count('destroy')).toBe(1);
    await expectInOrder(runtime);
  });

  it('should be read once after each write while its input lasts, and not before', async () => {
    const runtime = await start();
    const count = await since(runtime);
    const session = await runtime.open(call({ read: 'null' }));
    const collecting = collect(session);
    await ask(runtime, { do: 'reply' });
    expect(await count('read')).toBe(0);
    for (let i = 1; i <= 3; i++) {
      await session.write(piece('a'), { last: false });
      await until(async () => {
        expect(await count('read')).toBe(i);
      });
    }
    await ask(runtime, { do: 'reply' });
    expect(await count('read')).toBe(3);
    await session.close();
    await collecting;
  });

  it('should be read again after pauses once its input has ended', async () => {
    const runtime = await start();
    const session = await runtime.open(call({ lag: 3 }));
    await session.write(end('late'), { last: true });
    expect(await collect(session)).toEqual(['late']);
    await session.close();
  });

  it('should be read every 50 ms once its input has ended, less often later, and until it gives something', async () => {
    vi.useFakeTimers();
    try {
      const readAt: number[] = [];
      const reads = 2000;
      const answer: Answer = {
        frames: [{ key: 'result', data: Buffer.from('at last'), type: 0, status: DataStatus.end, desc: [] }],
        memory: null,
        leased: false,
      };
      const addon: Pick<Addon, 'writeStream' | 'readStream' | 'closeStream'> = {
        writeStream: () => Promise.resolve(),
        readStream: () => Promise.resolve(readAt.push(Date.now()) < reads ? null : answer),
        closeStream: () => Promise.resolve(),
      };
      const session = new NativeSession(addon as Addon, {} as StreamRef, false, () => undefined);
      const collecting = collect(session);
      await session.write(end('patience'), { last: true });
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(await collecting).toEqual(['at last']);
      const pauses = readAt.slice(1).map((at, index) => at - (readAt[index] ?? 0));
      expect(new Set(pauses.slice(0, 100))).toEqual(new Set([50]));
      expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
      expect(pauses.at(-1)).toBe(500);
      await session.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('should not be read before the last result has been taken', async () => {
    const runtime = await start();
    const count = await since(runtime);
    const session = await runtime.open(call());
    const results = session.results()[Symbol.asyncIterator]();
    const first = results.next();
    for (const text of ['a', 'b', 'c']) await session.write(piece(text), { last: false });
    expect(await first).toMatchObject({ done: false });
    await ask(runtime, { do: 'reply' });
    expect(await count('read')).toBe(1);
    await results.return?.();
    await session.close();
    expect(await count('read')).toBe(1);
  });

  it('should keep results whose memory the next call overwrites', async () => {
    const runtime = await start();
    const session = await runtime.open(call({ read: 'static' }));
    await session.write(piece('first'), { last: false });
    await session.write(end('second'), { last: true });
    expect(await collect(session)).toEqual(['first', 'second']);
    await session.close();
  });

  it('should destroy after a read that is running', async () => {
    const runtime = await start();
    const count = await since(runtime);
    const session = await runtime.open(call({ read: 'wait', gate: 'a running read' }));
    const collecting = collect(session);
    await session.write(end('a'), { last: true });
    await until(async () => {
      expect(await stat(runtime, 'waiting')).toBe(1);
    });
    const closing = session.close();
    await ask(runtime, { do: 'reply' });
    expect(await count('destroy')).toBe(0);
    await ask(runtime, { do: 'open', gate: 'a running read' });
    await closing;
    expect(await collecting).toEqual([]);
    expect(await count('read')).toBe(1);
    expect(await count('destroy')).toBe(1);
    await expectInOrder(runtime);
  });
});

describe('an engine that calls back', () => {
  const asyncMode = true;

  it.each(['sync', 'thread'])('should fail with the code of a callback (%s)', async (callback) => {
    const runtime = await start({ asyncMode });
    const session = await runtime.open(call({ callback, callbackFail: 78 }));
    await session.write(piece('a'), { last: false });
    await expect(collect(session)).rejects.toMatchObject({
      kind: 'callbackFailed',
      code: 10910,
      message: 'scripted error 78;code=78',
      pluginCode: 78,
    });
    await session.close();
    expect(counters().tombstones).toBe(0);
    await expectInOrder(runtime);
  });

  it.each([
    ['count', { streamResults: 100 }],
    ['bytes', { streamBytes: 20_000 }],
  ])('should fail when its results are not taken, by %s', async (_, limit) => {
    const runtime = await start({ asyncMode, ...limit });
    const session = await runtime.open(call({ callback: 'sync', results: 1000, destroy: 'final' }));
    await session.write(piece('some text'), { last: false });
    await expect(collect(session)).rejects.toMatchObject({
      kind: 'callbackFailed',
      message: expect.stringContaining('faster than they were taken') as string,
    });
    await session.close();
    await expectInOrder(runtime);
  });

  it('should be refused when it calls back after the final result', async () => {
    const runtime = await start({ asyncMode });
    const count = await since(runtime);
    const session = await runtime.open(call({ callback: 'twice' }));
    await session.write(end('a'), { last: true });
    expect(await collect(session)).toEqual(['a']);
    await session.close();
    expect(await count('refused')).toBe(1);
  });

  it('should count as waited for until the final result', async () => {
    const runtime = await start({ asyncMode });
    const session = await runtime.open(call({ callback: 'sync' }));
    await session.write(piece('a'), { last: false });
    expect(counters()).toMatchObject({ sessions: 1, asyncWaiting: 1 });
    await session.write(end('b'), { last: true });
    expect(counters()).toMatchObject({ sessions: 1, asyncWaiting: 0 });
    await session.close();
    expect(counters()).toMatchObject({ sessions: 0, asyncWaiting: 0, tombstones: 0 });
  });

  it('should have its tag remembered until a final callback that comes after the end', async () => {
    const runtime = await start({ asyncMode });
    const count = await since(runtime);
    const late = call({ callback: 'late', gate: 'after the end' });
    const session = await runtime.open(late);
    await session.write(end('a'), { last: true });
    await until(async () => {
      expect(await stat(runtime, 'waiting')).toBe(1);
    });
    await session.close();
    expect(counters().tombstones).toBe(1);
    await expect(runtime.open(call({}, { tag: late.tag }))).rejects.toMatchObject({ kind: 'duplicateTag' });
    await ask(runtime, { do: 'open', gate: 'after the end' });
    await until(async () => {
      expect(await count('refused')).toBe(1);
    });
    expect(counters().tombstones).toBe(0);
    const again = await runtime.open(call({ destroy: 'final' }, { tag: late.tag }));
    await again.close();
  });

  it('should leave a thousand tombstones after as many aborted streams, for their grace', async () => {
    const abort = async (runtime: PluginRuntime): Promise<void> => {
      for (let i = 0; i < 1000; i += 100) {
        await Promise.all(
          Array.from({ length: 100 }, async () => {
            const session = await runtime.open(call({ callback: 'never' }));
            const collecting = collect(session);
            await session.write(piece('a'), { last: false });
            await session.close();
            expect(await collecting).toEqual([]);
          }),
        );
      }
    };
    const patient = await start({ asyncMode, tagGraceMs: 3_600_000 });
    await abort(patient);
    expect(counters()).toMatchObject({ sessions: 0, asyncWaiting: 0, tombstones: 1000 });
    await patient.stop();
    expect(counters().tombstones).toBe(0);

    const hasty = await start({ asyncMode, tagGraceMs: 1 });
    await abort(hasty);
    await until(() => {
      expect(counters().tombstones).toBe(0);
    });
    await expectInOrder(hasty);
  });
});
