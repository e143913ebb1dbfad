import { describe, expect, it } from 'vitest';
import type { Call } from '../../../src/core/call.js';
import { AigesError } from '../../../src/core/errors.js';
import { emptyMap } from '../../../src/core/frame.js';
import type { PluginInfo } from '../../../src/core/runtime.js';
import { ReloadingRuntime } from '../../../src/runtimes/reloading-runtime.js';
import { FakeRuntime, gate, textFrame } from '../../fixtures/fake-runtime.js';

/** Code in a state of its own: it answers with its number, when it may. */
class Code extends FakeRuntime {
  readonly mayStart = gate();
  readonly answering = gate();
  readonly number: number;

  constructor(number: number) {
    super(async () => {
      await this.answering.promise;
      return [textFrame('result', String(number))];
    });
    this.number = number;
  }

  override async start(): Promise<PluginInfo> {
    await this.mayStart.promise;
    return { ...(await super.start()), version: String(this.number) };
  }
}

function make(): { runtime: ReloadingRuntime; codes: Code[]; retired: (AigesError | null)[] } {
  const codes: Code[] = [];
  const retired: (AigesError | null)[] = [];
  const runtime = new ReloadingRuntime({
    make: () => {
      const code = new Code(codes.length);
      codes.push(code);
      return code;
    },
    onRetired: (failure) => retired.push(failure),
  });
  return { runtime, codes, retired };
}

async function start(): Promise<ReturnType<typeof make> & { info: PluginInfo; code: (n: number) => Code }> {
  const made = make();
  const code = (n: number): Code => {
    const found = made.codes[n];
    if (found === undefined) throw new Error(`there is no code ${n}`);
    return found;
  };
  const started = made.runtime.start(emptyMap);
  code(0).mayStart.open();
  return { ...made, code, info: await started };
}

function call(): Call {
  const { signal } = new AbortController();
  return { sid: '', tag: 'tag', params: emptyMap, resourceIds: [], expect: null, signal, deadline: Infinity };
}

async function answer(runtime: ReloadingRuntime): Promise<string> {
  const { frames } = await runtime.once(call(), []);
  return Buffer.from(frames[0]?.data ?? []).toString();
}

describe('ReloadingRuntime', () => {
  it('passes a failure to start on', async () => {
    const { runtime, codes } = make();
    const started = runtime.start(emptyMap);
    codes[0]?.mayStart.fail(new AigesError('initFailed', { message: 'no weights' }));
    await expect(started).rejects.toThrow('no weights');
    await expect(runtime.once(call(), [])).rejects.toThrow('internal error');
  });

  it('goes on with the old code when the new one does not start', async () => {
    const { runtime, code, retired } = await start();
    const reloaded = runtime.reload();
    code(1).mayStart.fail(new AigesError('initFailed', { message: 'a mistake' }));
    await expect(reloaded).rejects.toThrow('a mistake');
    code(0).answering.open();
    expect(await answer(runtime)).toBe('0');
    expect(code(0).stopped).toBe(0);
    expect(code(1).stopped).toBe(1);
    expect(retired).toEqual([]);
  });

  it('answers with the old code until the new one is ready, and then with the new one', async () => {
    const { runtime, code, info, retired } = await start();
    code(0).answering.open();
    const reloaded = runtime.reload();
    code(1).answering.open();
    expect(await answer(runtime)).toBe('0');
    code(1).mayStart.open();
    expect(await reloaded).toMatchObject({ version: '1' });
    expect(await answer(runtime)).toBe('1');
    expect(info.version).toBe('1');
    await expect.poll(() => retired).toEqual([null]);
    expect(code(0).stopped).toBe(1);
  });

  it('ends old code after the last call on it', async () => {
    const { runtime, code } = await start();
    const [first, second] = [answer(runtime), answer(runtime)];
    const reloaded = runtime.reload();
    code(1).mayStart.open();
    code(1).answering.open();
    await reloaded;
    expect(await answer(runtime)).toBe('1');
    expect(code(0).stopped).toBe(0);
    code(0).answering.open();
    expect(await Promise.all([first, second])).toEqual(['0', '0']);
    await expect.poll(() => code(0).stopped).toBe(1);
  });

  it('keeps a stream on the code that it began on', async () => {
    const { runtime, code } = await start();
    const stream = await runtime.open(call());
    const reloaded = runtime.reload();
    code(1).mayStart.open();
    await reloaded;
    await stream.write([textFrame('a', 'x')], { last: true });
    expect(code(0).streams[0]?.written).toEqual([{ text: 'x', last: true }]);
    expect(code(0).stopped).toBe(0);
    await stream.close();
    await expect.poll(() => code(0).stopped).toBe(1);
    expect(code(1).streams).toEqual([]);
  });

  it('does not wait for a stream that could not be opened', async () => {
    const { runtime, code } = await start();
    code(0).openStream = () => {
      throw new AigesError('createFailed');
    };
    await expect(runtime.open(call())).rejects.toThrow('plugin create failed');
    const reloaded = runtime.reload();
    code(1).mayStart.open();
    await reloaded;
    await expect.poll(() => code(0).stopped).toBe(1);
  });

  it('gives up code that is loading when there is newer code', async () => {
    const { runtime, code, info } = await start();
    const hanging = runtime.reload();
    const reloaded = runtime.reload();
    expect(code(1).stopped).toBe(1);
    code(2).mayStart.open();
    expect(await reloaded).toMatchObject({ version: '2' });
    code(1).mayStart.open();
    expect(await hanging).toBeNull();
    expect(info.version).toBe('2');
  });

  it('gives new code the resources that there are, also those that come meanwhile', async () => {
    const { runtime, code } = await start();
    await runtime.loadResource(1, [textFrame('a', 'one')]);
    await runtime.loadResource(2, [textFrame('a', 'two')]);
    await runtime.unloadResource(2);
    const reloaded = runtime.reload();
    const loading = gate();
    code(1).onLoad = () => loading.promise;
    code(1).mayStart.open();
    await runtime.loadResource(3, [textFrame('a', 'three')]);
    loading.open();
    await reloaded;
    expect([...code(1).resources]).toEqual([
      [1, 'one'],
      [3, 'three'],
    ]);
    await runtime.unloadResource(1);
    expect([...code(1).resources.keys()]).toEqual([3]);
  });

  it('does not take new code that refuses a resource', async () => {
    const { runtime, code, info } = await start();
    await runtime.loadResource(1, [textFrame('a', 'one')]);
    const reloaded = runtime.reload();
    code(1).onLoad = () => {
      throw new AigesError('loadFailed');
    };
    code(1).mayStart.open();
    await expect(reloaded).rejects.toThrow('plugin load resource failed');
    expect(info.version).toBe('0');
    expect(code(1).stopped).toBe(1);
  });

  it('stops what serves and what is loading, and loads nothing afterwards', async () => {
    const { runtime, code, codes } = await start();
    const hanging = runtime.reload();
    await Promise.all([runtime.stop(), runtime.stop()]);
    expect([code(0).stopped, code(1).stopped]).toEqual([1, 1]);
    code(1).mayStart.open();
    expect(await hanging).toBeNull();
    expect(await runtime.reload()).toBeNull();
    expect(codes).toHaveLength(2);
  });

  it('waits for the end of old code when it stops, and tells what that said', async () => {
    const { runtime, code, retired } = await start();
    const first = answer(runtime);
    code(0).stop = () => Promise.reject(new AigesError('finiFailed'));
    const reloaded = runtime.reload();
    code(1).mayStart.open();
    await reloaded;
    const stopped = runtime.stop();
    code(0).answering.open();
    await Promise.all([first, stopped]);
    expect(retired.map((failure) => failure?.kind)).toEqual(['finiFailed']);
  });
});
