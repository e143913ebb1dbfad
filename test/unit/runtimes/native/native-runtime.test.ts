import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { AigesError } from '../../../../src/core/errors.js';
import { DataStatus, DataType, type Frame } from '../../../../src/core/frame.js';
import type { Output, PluginRuntime } from '../../../../src/core/runtime.js';
import { counters, createNativeRuntime } from '../../../../src/runtimes/native/index.js';
import {
  ask,
  bytes,
  call,
  expectNothingAlive,
  fixture,
  frame,
  noConfig,
  sameBytes,
  start,
  stat,
  text,
  until,
} from './engines.js';

const inPlace = 64 * 1024;

afterEach(expectNothingAlive);

async function startFailure(path: string, config = noConfig): Promise<AigesError> {
  const error: unknown = await createNativeRuntime({ path })
    .start(config)
    .catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AigesError);
  const failure = error as AigesError;
  expect(failure.kind).toBe('initFailed');
  expect(failure.message).not.toContain('\n');
  return failure;
}

/** Until wrapperExecAsync has returned from the only call. */
async function untilCalled(): Promise<void> {
  await until(() => {
    expect(counters()).toMatchObject({ jobsQueued: 0, jobsRunning: 0, asyncWaiting: 1 });
  });
}

describe('start', () => {
  it('should say that the file is missing and what to do', async () => {
    const { message } = await startFailure('/nowhere/libwrapper.so');
    expect(message).toMatch('cannot open engine /nowhere/libwrapper.so: No such file or directory');
    expect(message).toMatch('build the engine or correct the path');
  });

  it('should say that a file is no library', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'aiges-')), 'libwrapper.so');
    await writeFile(path, 'a text of more than twenty bytes');
    expect((await startFailure(path)).message).toMatch(`${path} is not a shared library`);
  });

  it('should say that a folder is no library', async () => {
    expect((await startFailure(tmpdir())).message).toMatch('is not a shared library');
  });

  it('should name every missing symbol and ask for extern "C"', async () => {
    const { message } = await startFailure(fixture('no_symbols'));
    for (const name of ['wrapperInit', 'wrapperFini', 'wrapperExec', 'wrapperExecFree', 'wrapperExecAsync']) {
      expect(message).toContain(name);
    }
    expect(message).toContain('are they declared extern "C"');
  });

  it('should name a group that is there in part', async () => {
    expect((await startFailure(fixture('partial'))).message).toContain('once (lacks wrapperExecFree)');
  });

  it('should name a symbol that no library defines', async () => {
    expect((await startFailure(fixture('unresolved'))).message).toContain('aiges_fixture_defined_nowhere');
  });

  it('should give the text and code of a failing wrapperInit', async () => {
    const error = await startFailure(fixture('scripted'), new Map([['initFail', '31']]));
    expect(error.message).toBe(`engine ${fixture('scripted')}: wrapperInit failed: scripted error 31;code=31`);
    expect(error.pluginCode).toBe(31);
  });

  it('should tolerate an engine without texts', async () => {
    const error = await startFailure(fixture('null_texts'), new Map([['initFail', '3']]));
    expect(error.message).toContain('wrapperInit failed: ;code=3');
  });

  it('should give the text of an exception', async () => {
    const error = await startFailure(fixture('throwing'), new Map([['throw', '1']]));
    expect(error.message).toContain('throwing.so: wrapperInit threw a C++ exception: no model');
  });

  it('should refuse another configuration of a running engine', async () => {
    await start({}, new Map([['a', '1']]));
    const { message } = await startFailure(fixture('scripted'), new Map([['a', '2']]));
    expect(message).toContain('already runs in this process with another configuration (different keys: a)');
    expect(message).toMatch(
      /; restart the loader, or "aiges-ts dev", with the new one; services that share an engine /,
    );
  });

  it('should tell what the plugin is', async () => {
    const runtime = createNativeRuntime({ path: fixture('scripted') });
    await expect(runtime.start(noConfig)).resolves.toEqual({
      kind: 'native',
      version: 'scripted 1.0',
      warnings: [],
      capabilities: { once: true, stream: true, resources: true },
      inputs: null,
      descriptor: null,
    });
    await runtime.stop();
  });

  it('should share a running engine with the same configuration', async () => {
    const first = await start();
    const inits = await stat(first, 'init');
    const second = await start();
    expect(await stat(second, 'init')).toBe(inits);
    await first.stop();
    expect(await ask(second, { do: 'reply' })).toBe('ok');
  });
});

describe('resources', () => {
  const per = { key: 'patch', type: DataType.other, status: DataStatus.end };
  const content = (data: Uint8Array | string, desc: Record<string, string> = {}): Frame =>
    frame(data, { ...per, desc: new Map(Object.entries(desc)) });

  it('should reject before start and after stop', async () => {
    const runtime = createNativeRuntime({ path: fixture('scripted') });
    await expect(runtime.loadResource(1, [content('a')])).rejects.toMatchObject({ kind: 'internal' });
    await runtime.start(noConfig);
    await runtime.stop();
    await expect(runtime.unloadResource(1)).rejects.toMatchObject({ kind: 'internal' });
  });

  it('should refuse them for an engine that takes none', async () => {
    const runtime = createNativeRuntime({ path: fixture('no_resources') });
    expect(await runtime.start(noConfig)).toMatchObject({ warnings: [], capabilities: { resources: false } });
    await expect(runtime.loadResource(1, [content('a')])).rejects.toMatchObject({ kind: 'unsupported' });
    await expect(runtime.unloadResource(1)).rejects.toMatchObject({ kind: 'unsupported' });
    await runtime.stop();
  });

  it('should give text and code of what the engine refuses', async () => {
    const runtime = await start();
    await expect(runtime.loadResource(1, [content('a', { load: 'fail', code: '3' })])).rejects.toMatchObject({
      kind: 'loadFailed',
      code: 10903,
      message: 'scripted error 3;code=3',
      pluginCode: 3,
    });
    await runtime.loadResource(1, [content('a', { unload: 'failOnce', code: '4' })]);
    await expect(runtime.unloadResource(1)).rejects.toMatchObject({
      kind: 'unloadFailed',
      code: 10904,
      message: 'scripted error 4;code=4',
      pluginCode: 4,
    });
    await runtime.unloadResource(1);
  });

  it('should refuse a name that a C string cannot carry', async () => {
    const runtime = await start();
    const named = { ...content('a'), key: 'a\0b' };
    await expect(runtime.loadResource(1, [named])).rejects.toMatchObject({ kind: 'invalidInput' });
    expect(counters().pins).toBe(0);
  });

  it.each([
    ['auto', 1],
    ['auto', inPlace],
    ['copy', inPlace],
  ] as const)('should hand content over with input = %s, %d bytes, and let go of it', async (input, length) => {
    const runtime = await start({ input });
    await runtime.loadResource(7, [content(bytes(length), { patch_id: 'p' }), content('more')]);
    expect(counters().pins).toBe(0);
    const described = text(await runtime.once(call({ do: 'described' }, { resourceIds: [7] }), [frame()]));
    expect(described).toMatch(
      new RegExp(`^7=patch 4 2 ${length} aligned=\\d+ nul=\\w+ desc=patch_id=p\npatch 4 2 4 aligned=64 nul=yes desc=`),
    );
    await runtime.unloadResource(7);
  });

  it.each([false, true])('should show calls and streams what is loaded, asyncMode = %s', async (asyncMode) => {
    const runtime = await start({ asyncMode });
    const before = await stat(runtime, 'badRes');
    await runtime.loadResource(4294967295, [content('one')]);
    await runtime.loadResource(2, [content('two')]);
    const resourceIds = [2, 4294967295];
    const answer = await runtime.once(call({ do: 'resources' }, { resourceIds }), [frame()]);
    expect(text(answer)).toBe('2=two\n4294967295=one');
    const stream = await runtime.open(call({ write: 'resources' }, { resourceIds }));
    await stream.write([frame('x', { status: DataStatus.end })], { last: true });
    for await (const output of stream.results()) expect(text(output)).toBe('2=two\n4294967295=one');
    await stream.close();
    for (const id of resourceIds) await runtime.unloadResource(id);
    expect(await stat(runtime, 'badRes')).toBe(before);
    expect(await stat(runtime, 'resources')).toBe(0);
  });
});

describe('a resource of a call that was given up', () => {
  const patch = frame('a', { key: 'patch', type: DataType.other, status: DataStatus.end });

  const giveUp = async (runtime: PluginRuntime, params: Record<string, string>): Promise<void> => {
    const client = new AbortController();
    const given = call({ do: 'reply', ...params }, { resourceIds: [1], signal: client.signal });
    const answer = runtime.once(given, [frame()]);
    await untilCalled();
    client.abort(new AigesError('timeout'));
    await expect(answer).rejects.toMatchObject({ kind: 'timeout' });
  };

  it('should stay until the engine has called back', async () => {
    const runtime = await start({ asyncMode: true });
    const bad = await stat(runtime, 'badRes');
    await runtime.loadResource(1, [patch]);
    await runtime.loadResource(2, [patch]);
    const gate = `resource-${process.pid}`;
    await giveUp(runtime, { callback: 'late', gate });
    let unused = false;
    const { signal } = new AbortController();
    const waiting = runtime.resourceUnused(1, signal).then(() => (unused = true));
    await expect(runtime.resourceUnused(1, AbortSignal.abort(new AigesError('timeout')))).rejects.toMatchObject({
      kind: 'timeout',
    });
    // Another one goes at once.
    await runtime.resourceUnused(2, signal);
    await runtime.unloadResource(2);
    expect(await stat(runtime, 'resources')).toBe(1);
    expect(unused).toBe(false);
    await ask(runtime, { do: 'open', gate });
    await waiting;
    await runtime.unloadResource(1);
    expect(await stat(runtime, 'badRes')).toBe(bad);
  });

  it('should not stay for ever when the callback never comes', async () => {
    const runtime = await start({ asyncMode: true, tagGraceMs: 30 });
    await runtime.loadResource(1, [patch]);
    await giveUp(runtime, { callback: 'never' });
    await runtime.resourceUnused(1, new AbortController().signal);
    await runtime.unloadResource(1);
    expect(await stat(runtime, 'resources')).toBe(0);
  });
});

describe('once', () => {
  it('should reject before start and after stop', async () => {
    const runtime = createNativeRuntime({ path: fixture('scripted') });
    await expect(runtime.once(call(), [])).rejects.toMatchObject({ kind: 'internal' });
    await runtime.start(noConfig);
    await runtime.stop();
    await expect(runtime.once(call(), [])).rejects.toMatchObject({ kind: 'internal' });
  });

  it('should reject with the reason of a signal that has aborted', async () => {
    const runtime = await start();
    const reason = new AigesError('timeout');
    await expect(runtime.once(call({}, { signal: AbortSignal.abort(reason) }), [])).rejects.toBe(reason);
  });

  it('should reject names that a C string cannot carry', async () => {
    const runtime = await start();
    for (const attempt of [
      runtime.once(call({}, { tag: 'a\0b' }), []),
      runtime.once(call({ 'a\0b': '' }), []),
      runtime.once(call(), [frame('', { key: 'a\0b' })]),
      runtime.once(call(), [frame('', { desc: new Map([['a\0b', '']]) })]),
    ]) {
      await expect(attempt).rejects.toMatchObject({ kind: 'invalidInput' });
    }
    expect(await ask(runtime, { do: 'reply' })).toBe('ok');
  });

  it('should reject with the text and code of the engine', async () => {
    const runtime = await start();
    await expect(runtime.once(call({ do: 'fail', code: 42 }), [frame()])).rejects.toMatchObject({
      kind: 'execFailed',
      code: 10909,
      message: 'scripted error 42;code=42',
      pluginCode: 42,
    });
    await expect(runtime.once(call({ do: 'fail', code: -7 }), [frame()])).rejects.toMatchObject({
      message: 'scripted error -7;code=-7',
      pluginCode: -7,
    });
  });

  it('should reject answers that cannot be read, and live on', async () => {
    const runtime = await start();
    for (const what of ['nullData', 'huge', 'cyclic', 'cyclicDesc']) {
      await expect(runtime.once(call({ do: what }), [frame()])).rejects.toMatchObject({
        kind: 'execFailed',
        pluginCode: null,
        message: expect.stringContaining('wrapperExec gave') as string,
      });
    }
    expect(await stat(runtime, 'live')).toBe(0);
    expect(await stat(runtime, 'badFree')).toBe(0);
  });

  it('should reject an answer beyond the byte limit', async () => {
    const runtime = await start({ outputBytes: 1000 });
    await expect(runtime.once(call({ do: 'fill', bytes: 1001 }), [])).rejects.toMatchObject({ kind: 'execFailed' });
    const output = await runtime.once(call({ do: 'fill', bytes: 1000 }), []);
    expect(output.frames[0]?.data).toHaveLength(1000);
    output.release();
  });

  it('should give no frames for no list and for an empty one', async () => {
    const runtime = await start();
    for (const what of ['null', 'sentinel']) {
      const output = await runtime.once(call({ do: what }), [frame()]);
      expect(output.frames).toEqual([]);
      output.release();
    }
  });

  it('should tolerate NULL keys, values and data', async () => {
    const runtime = await start();
    const output = await runtime.once(call({ do: 'nulls' }), [frame()]);
    expect(output.frames.map(({ key, data, desc }) => [key, data.length, [...desc]])).toEqual([
      [
        '',
        0,
        [
          ['', 'v'],
          ['k', ''],
        ],
      ],
      ['result', 0, []],
    ]);
    output.release();
  });

  it('should carry keys, types, states and descriptions both ways', async () => {
    const runtime = await start();
    const input = frame('abc', { key: 'schlüssel', type: 77, status: 5, desc: new Map([['sample_rate', '16000']]) });
    expect(text(await runtime.once(call({ do: 'describe' }), [input, frame('')]))).toBe(
      'schlüssel 77 5 3 aligned=64 nul=yes desc=sample_rate=16000\n' + 'in 0 3 0 aligned=64 nul=yes desc=(sentinel)\n',
    );
    const params = { outKey: 'aus', outType: 99, outStatus: 2, 'desc.encoding': 'jpg', 'desc.ä': 'ö' };
    const output = await runtime.once(call(params), [frame('abc'), frame('de')]);
    expect(output.frames.map((f) => ({ ...f, data: Buffer.from(f.data).toString(), desc: [...f.desc] }))).toEqual([
      {
        key: 'aus',
        data: 'abc',
        type: 99,
        status: 2,
        desc: [
          ['encoding', 'jpg'],
          ['ä', 'ö'],
        ],
      },
      {
        key: 'aus',
        data: 'de',
        type: 99,
        status: 2,
        desc: [
          ['encoding', 'jpg'],
          ['ä', 'ö'],
        ],
      },
    ]);
    output.release();
  });

  it('should keep the order of parameters and pass tag and resource ids', async () => {
    const runtime = await start();
    expect(await ask(runtime, { do: 'echoParams', b: 'x', a: 'y' })).toBe('do=echoParams\nb=x\na=y');
    expect(text(await runtime.once(call({ do: 'tag' }, { tag: 'the tag' }), []))).toBe('the tag');
    expect(text(await runtime.once(call({ do: 'ids' }, { resourceIds: [3, 4] }), []))).toBe('3,4');
    expect(await ask(runtime, { do: 'ids' })).toBe('(null)');
  });

  it('should show empty lists as NULL when told', async () => {
    const runtime = await start({ emptyList: 'null' });
    expect(text(await runtime.once(call({ do: 'describe' }), [frame('a')]))).toContain('desc=(null)');
    expect(text(await runtime.once(call({ do: 'describe' }), []))).toBe('(null)');
  });

  it('should settle when the engine has returned, not when the signal aborts', async () => {
    const runtime = await start();
    const abort = new AbortController();
    let settled = false;
    const waiting = runtime
      .once(call({ do: 'wait', gate: 'sync settles late' }, { signal: abort.signal }), [frame()])
      .finally(() => (settled = true));
    await until(async () => {
      expect(await stat(runtime, 'waiting')).toBe(1);
    });
    abort.abort(new AigesError('timeout'));
    expect(await ask(runtime, { do: 'reply' })).toBe('ok');
    expect(settled).toBe(false);
    await ask(runtime, { do: 'open', gate: 'sync settles late' });
    expect(text(await waiting)).toBe('ok');
  });
});

describe('buffers', () => {
  const sizes = [0, 1, inPlace - 1, inPlace, 1024 * 1024];

  it.each([
    ['copied out', {}],
    ['on lease', { output: 'lease' }],
    ['copied in', { input: 'copy' }],
    ['from a callback', { asyncMode: true }],
  ] as const)('should echo every size, %s', async (_, options) => {
    const runtime = await start(options);
    for (const size of sizes) {
      for (const offset of [0, 1]) {
        const data = bytes(size, offset);
        const output = await runtime.once(call(), [frame(data), frame('x'), frame(data)]);
        expect(output.frames.map((f) => f.data.length)).toEqual([size, 1, size]);
        expect(sameBytes(output.frames[0]?.data, data)).toBe(true);
        expect(sameBytes(output.frames[2]?.data, data)).toBe(true);
        output.release();
        output.release();
      }
    }
  });

  it('should copy nothing in for large aligned payloads', async () => {
    const runtime = await start();
    const before = counters();
    text(await runtime.once(call({ do: 'reply' }), [frame(bytes(inPlace)), frame(bytes(1024 * 1024, 16))]));
    expect(counters().bytesIn).toBe(before.bytesIn);
    expect(counters().unalignedCopies).toBe(before.unalignedCopies);
  });

  it('should copy and count large payloads that are not aligned', async () => {
    const runtime = await start();
    const before = counters();
    expect(text(await runtime.once(call({ do: 'describe' }), [frame(bytes(inPlace, 1))]))).toContain('aligned=64');
    expect(counters().bytesIn - before.bytesIn).toBe(inPlace);
    expect(counters().unalignedCopies - before.unalignedCopies).toBe(1);
  });

  it('should copy everything in when told', async () => {
    const runtime = await start({ input: 'copy' });
    const before = counters();
    text(await runtime.once(call({ do: 'reply' }), [frame(bytes(inPlace))]));
    expect(counters().bytesIn - before.bytesIn).toBe(inPlace);
    expect(counters().unalignedCopies).toBe(before.unalignedCopies);
  });

  it('should copy each output once', async () => {
    const runtime = await start();
    const before = counters();
    const output = await runtime.once(call({ do: 'fill', bytes: inPlace }), []);
    expect(counters().bytesOut - before.bytesOut).toBe(inPlace);
    expect(counters().outputsAlive).toBe(0);
    expect(sameBytes(output.frames[0]?.data, bytes(inPlace))).toBe(true);
    output.release();
    expect(output.frames[0]?.data).toHaveLength(0);
  });

  it('should copy input that comes back as output, and leave the input alone', async () => {
    for (const output of ['copy', 'lease'] as const) {
      const runtime = await start({ output });
      const data = bytes(inPlace);
      const answer = await runtime.once(call({ do: 'alias' }), [frame(data)]);
      expect(answer.frames[0]?.data.buffer).not.toBe(data.buffer);
      expect(sameBytes(answer.frames[0]?.data, data)).toBe(true);
      answer.release();
      expect(data).toHaveLength(inPlace);
      await runtime.stop();
    }
  });

  it('should leave leased outputs in the engine until they are released', async () => {
    const runtime = await start({ output: 'lease' });
    const before = counters();
    const output = await runtime.once(call({ do: 'fill', bytes: inPlace }), []);
    expect(output.leased).toBe(true);
    expect(counters().bytesOut).toBe(before.bytesOut);
    expect(counters()).toMatchObject({ outputsAlive: 1, leasedBytes: inPlace });
    expect(sameBytes(output.frames[0]?.data, bytes(inPlace))).toBe(true);
    output.release();
    expect(counters()).toMatchObject({ outputsAlive: 0, leasedBytes: 0 });
    expect(output.frames[0]?.data).toHaveLength(0);
    await until(async () => {
      expect(await stat(runtime, 'live')).toBe(0);
    });
    expect(await stat(runtime, 'badFree')).toBe(0);
  });

  it('should copy what would be leased beyond the limit', async () => {
    const runtime = await start({ output: 'lease', leasedBytes: inPlace });
    const outputs: Output[] = [];
    for (let i = 0; i < 3; i++) outputs.push(await runtime.once(call({ do: 'fill', bytes: inPlace }), []));
    expect(outputs.map(({ leased }) => leased)).toEqual([true, false, false]);
    expect(counters()).toMatchObject({ outputsAlive: 1, leasedBytes: inPlace });
    for (const output of outputs) {
      expect(sameBytes(output.frames[0]?.data, bytes(inPlace))).toBe(true);
      output.release();
    }
  });

  it('should not lease one buffer twice', async () => {
    const runtime = await start({ output: 'lease' });
    const first = await runtime.once(call({ do: 'static', bytes: inPlace }), []);
    const second = await runtime.once(call({ do: 'static', bytes: inPlace }), []);
    expect(counters().outputsAlive).toBe(1);
    first.release();
    expect(second.frames[0]?.data).toHaveLength(inPlace);
    second.release();
  });

  it('should end the engine only after the last lease', async () => {
    const log = join(await mkdtemp(join(tmpdir(), 'aiges-')), 'fini');
    const runtime = await start({ output: 'lease' }, new Map([['finiLog', log]]));
    const output = await runtime.once(call({ do: 'fill', bytes: inPlace }), []);
    let stopped = false;
    const stop = runtime.stop().then(() => (stopped = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    output.release();
    await stop;
    expect(await readFile(log, 'utf8')).toBe('fini\n');
  });
});

describe('asynchronous engines', () => {
  it('should reject with callbackFailed for the code of a callback', async () => {
    const runtime = await start({ asyncMode: true });
    for (const callback of ['sync', 'thread']) {
      await expect(runtime.once(call({ do: 'fail', code: 5, callback }), [frame()])).rejects.toMatchObject({
        kind: 'callbackFailed',
        code: 10910,
        message: 'scripted error 5;code=5',
        pluginCode: 5,
      });
    }
  });

  it('should reject with execFailed when the engine does not take the call', async () => {
    const runtime = await start({ asyncMode: true });
    await expect(runtime.once(call({ do: 'refuse', code: 6 }), [frame()])).rejects.toMatchObject({
      kind: 'execFailed',
      message: 'scripted error 6;code=6',
    });
  });

  it('should reject a callback whose list cannot be read', async () => {
    const runtime = await start({ asyncMode: true });
    await expect(runtime.once(call({ do: 'cyclic' }), [frame()])).rejects.toMatchObject({
      kind: 'callbackFailed',
      pluginCode: null,
    });
  });

  it('should refuse a tag in flight', async () => {
    const runtime = await start({ asyncMode: true });
    const tag = 'the same tag';
    const waiting = runtime.once(call({ callback: 'late', gate: 'same tag' }, { tag }), [frame()]);
    await expect(runtime.once(call({}, { tag }), [frame()])).rejects.toMatchObject({
      kind: 'duplicateTag',
      code: 10105,
    });
    await ask(runtime, { do: 'open', gate: 'same tag', callback: 'sync' });
    expect(text(await waiting)).toBe('hello');
  });

  it('should take callbacks from inside the call, from another thread, and twice', async () => {
    const runtime = await start({ asyncMode: true });
    for (const callback of ['sync', 'thread', 'twice']) {
      expect(text(await runtime.once(call({ callback }), [frame()]))).toBe('hello');
    }
    await until(async () => {
      expect(await stat(runtime, 'refused')).toBeGreaterThan(0);
    });
  });

  it('should let go of an aborted call and remember its tag until the late callback', async () => {
    const runtime = await start({ asyncMode: true });
    const refused = await stat(runtime, 'refused');
    const abort = new AbortController();
    const reason = new AigesError('timeout');
    const late = call({ callback: 'late', gate: 'late callback' }, { signal: abort.signal });
    const waiting = runtime.once(late, [frame()]);
    await until(async () => {
      expect(await stat(runtime, 'waiting')).toBe(1);
    });
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(counters()).toMatchObject({ asyncWaiting: 0, tombstones: 1 });
    await expect(runtime.once(call({}, { tag: late.tag }), [])).rejects.toMatchObject({ kind: 'duplicateTag' });

    await ask(runtime, { do: 'open', gate: 'late callback' });
    await until(async () => {
      expect(await stat(runtime, 'refused')).toBe(refused + 1);
    });
    expect(counters().tombstones).toBe(0);
    expect(text(await runtime.once(call({}, { tag: late.tag }), [frame()]))).toBe('hello');
  });

  it('should wait for the callback of an aborted call when told to hold', async () => {
    const runtime = await start({ asyncMode: true, abandon: 'hold' });
    const abort = new AbortController();
    const waiting = runtime.once(call({ callback: 'late', gate: 'hold' }, { signal: abort.signal }), [frame()]);
    abort.abort(new AigesError('timeout'));
    await ask(runtime, { do: 'open', gate: 'hold' });
    expect(text(await waiting)).toBe('hello');
  });

  it('should forget the oldest abandoned calls beyond the limit', async () => {
    const runtime = await start({ asyncMode: true, abandoned: 2 });
    const before = counters().tombstonesDropped;
    for (let i = 0; i < 5; i++) {
      const abort = new AbortController();
      const waiting = runtime.once(call({ callback: 'never' }, { signal: abort.signal }), [frame()]);
      await untilCalled();
      const rejected = expect(waiting).rejects.toMatchObject({ kind: 'timeout' });
      abort.abort(new AigesError('timeout'));
      await rejected;
    }
    expect(counters().tombstones).toBe(2);
    expect(counters().tombstonesDropped - before).toBe(3);
  });

  it('should tell the engine how much time is left', async () => {
    const runtime = await start({ asyncMode: true });
    const timeoutOf = async (deadline: number) =>
      Number(/timeout=(\d+)/.exec(text(await runtime.once(call({ do: 'stats' }, { deadline }), [])))?.[1]);
    expect(await timeoutOf(Infinity)).toBe(0);
    // A call whose time is up never reaches it.
    await expect(timeoutOf(performance.now() - 1000)).rejects.toMatchObject({ kind: 'timeout' });
    const hour = await timeoutOf(performance.now() + 3_600_000);
    expect(hour).toBeGreaterThan(1);
    expect(hour).toBeLessThanOrEqual(3_600_000);
  });

  it('should call an engine the way it offers', async () => {
    const onceOnly = await start({ path: fixture('once_only'), asyncMode: true });
    expect(await ask(onceOnly, { do: 'reply' })).toBe('ok');
    const asyncOnly = await start({ path: fixture('async_only') });
    expect(await ask(asyncOnly, { do: 'reply' })).toBe('ok');
  });

  it('should leave no listeners on a signal', async () => {
    const runtime = await start({ asyncMode: true });
    const { signal } = new AbortController();
    const listening = new Set<unknown>();
    const add = vi.spyOn(signal, 'addEventListener').mockImplementation((_, listener) => {
      listening.add(listener);
    });
    vi.spyOn(signal, 'removeEventListener').mockImplementation((_, listener) => {
      listening.delete(listener);
    });
    await runtime.once(call({}, { signal }), [frame()]).then(text);
    await runtime.once(call({ do: 'refuse' }, { signal }), [frame()]).catch(() => undefined);
    expect(add).toHaveBeenCalledTimes(2);
    expect(listening.size).toBe(0);
  });
});

describe('records', () => {
  it('should arrive before the answer, in order', async () => {
    for (const asyncMode of [false, true]) {
      const seen: unknown[] = [];
      const runtime = await start({
        asyncMode,
        onMeter: (...record) => seen.push(record),
        onTrace: (...record) => seen.push(record),
      });
      const { tag, ...rest } = call({ do: 'control', times: 2, text: 'v' }, { sid: 'the sid' });
      text(await runtime.once({ tag, ...rest }, [frame()]));
      await until(() => {
        expect(seen).toEqual([
          [tag, 'm', 1, 'the sid'],
          [tag, 'k', 'v', 'the sid'],
          [tag, 'm', 2, 'the sid'],
          [tag, 'k', 'v', 'the sid'],
        ]);
      });
      await runtime.stop();
    }
  });

  it('should be dropped and counted rather than hold the engine up', async () => {
    let seen = 0;
    const runtime = await start({ onMeter: () => (seen += 1) });
    const before = counters().controlDropped;
    text(await runtime.once(call({ do: 'control', times: 10_000 }), [frame()]));
    await runtime.stop();
    expect(seen).toBeGreaterThan(0);
    expect((counters().controlDropped - before) / 2 + seen).toBeCloseTo(10_000, -1);
  });

  it('should survive a callback that throws', async () => {
    let seen = 0;
    const runtime = await start({
      onMeter: () => {
        seen += 1;
        throw new Error('logger');
      },
    });
    text(await runtime.once(call({ do: 'control', times: 3 }), [frame()]));
    await runtime.stop();
    expect(seen).toBe(3);
  });

  it('should be refused for a tag that no call has', async () => {
    const runtime = await start();
    expect(await ask(runtime, { do: 'controlLate' })).toBe('20002');
  });
});

describe('stop', () => {
  it('should reject with the text and code of a failing wrapperFini', async () => {
    const runtime = await start({}, new Map([['finiFail', '12']]));
    await expect(runtime.stop()).rejects.toMatchObject({ kind: 'finiFailed', message: 'scripted error 12;code=12' });
  });

  it('should do nothing for a runtime that never started', async () => {
    const runtime = createNativeRuntime({ path: fixture('scripted') });
    await runtime.stop();
    await expect(runtime.start(noConfig)).rejects.toMatchObject({ kind: 'initFailed' });
  });

  it('should call wrapperFini once, after the last call', async () => {
    const log = join(await mkdtemp(join(tmpdir(), 'aiges-')), 'fini');
    const config = new Map([['finiLog', log]]);
    const runtime = await start({}, config);
    const order: string[] = [];
    const waiting = runtime.once(call({ do: 'wait', gate: 'stop waits' }), [frame()]).then((output) => {
      order.push(text(output));
    });
    await until(async () => {
      expect(await stat(runtime, 'waiting')).toBe(1);
    });
    const opening = runtime.once(call({ do: 'open', gate: 'stop waits' }), [frame()]);
    const stop = runtime.stop().then(() => order.push('stopped'));
    expect(text(await opening)).toBe('ok');
    await Promise.all([waiting, stop, runtime.stop()]);
    expect(order).toEqual(['ok', 'stopped']);
    expect(await readFile(log, 'utf8')).toBe('fini\n');
  });
});

describe('ten thousand calls', () => {
  it.each([
    ['blocking', {}],
    ['on lease', { output: 'lease' }],
    ['asynchronous', { asyncMode: true }],
  ] as const)('should leave nothing alive, %s', async (_, options) => {
    const runtime = await start(options);
    const large = bytes(inPlace);
    const one = async (i: number): Promise<void> => {
      const data = i % 16 === 0 ? large : bytes(i % 100);
      const what = i % 10 === 0 ? 'fail' : 'echo';
      try {
        const output = await runtime.once(call({ do: what }), [frame(data)]);
        expect(output.frames[0]?.data.length).toBe(data.length);
        output.release();
      } catch (error) {
        expect(error).toMatchObject({ pluginCode: 1 });
      }
    };
    for (let i = 0; i < 10_000; i += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => one(i + k)));
    await until(async () => {
      expect(await stat(runtime, 'live')).toBe(0);
    });
    expect(await stat(runtime, 'badFree')).toBe(0);
  });
});
