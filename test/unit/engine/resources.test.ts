import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AigesError } from '../../../src/core/errors.js';
import type { Frame } from '../../../src/core/frame.js';
import type { Input } from '../../../src/engine/input.js';
import { Resources, type ResourcesOptions, type Use } from '../../../src/engine/resources.js';
import { FakeRuntime, gate, prepare, textFrame } from '../../fixtures/fake-runtime.js';

let runtime: FakeRuntime;
let resources: Resources;
let inputsHeld: number;

const never = new AbortController().signal;
const late = new AigesError('timeout');

function make(changes: Partial<ResourcesOptions> = {}): Resources {
  return new Resources({ runtime, prepare, max: 100, ...changes });
}

function content(text: string): Input {
  inputsHeld++;
  return { frames: [textFrame('patch', text)], release: () => inputsHeld-- };
}

/** Lets everything happen that can happen without the test. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a promise has come to so far. */
function watch<T>(promise: Promise<T>): { state: 'pending' | 'done' | AigesError } {
  const seen: { state: 'pending' | 'done' | AigesError } = { state: 'pending' };
  promise.then(
    () => (seen.state = 'done'),
    (error: unknown) => (seen.state = AigesError.from(error)),
  );
  return seen;
}

beforeEach(() => {
  runtime = new FakeRuntime();
  resources = make();
  inputsHeld = 0;
});

afterEach(() => {
  expect(inputsHeld).toBe(0);
  expect(resources.running).toBe(0);
});

it('tells the plugin when nobody waits any more', async () => {
  const client = new AbortController();
  const load = vi.spyOn(runtime, 'loadResource');
  const unload = vi.spyOn(runtime, 'unloadResource');
  await resources.load(7, content('a'), client.signal);
  await resources.replace(7, content('b'), client.signal);
  await resources.unload(7, client.signal);
  expect([...load.mock.calls, ...unload.mock.calls].map((given: unknown[]) => given.at(-1))).toEqual(
    Array.from({ length: 4 }, () => client.signal),
  );
});

describe('loading', () => {
  it('refuses an id that is loaded, or about to be', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const first = resources.load(7, content('a'), never);
    await expect(resources.load(7, content('b'), never)).rejects.toMatchObject({
      kind: 'alreadyLoaded',
      code: 10903,
      detail: 'resource 7',
    });
    loading.open();
    expect(await first).toBe(7);
    await expect(resources.load(7, content('c'), never)).rejects.toMatchObject({ kind: 'alreadyLoaded' });
    expect(runtime.resources).toEqual(new Map([[7, 'a']]));
  });

  it("passes the plugin's refusal on, and the id is free again", async () => {
    runtime.onLoad = () => {
      throw new AigesError('loadFailed', { message: 'no room;code=3', pluginCode: 3 });
    };
    await expect(resources.load(7, content('a'), never)).rejects.toMatchObject({ code: 10903, pluginCode: 3 });
    expect(() => {
      resources.check([7]);
    }).toThrow(expect.objectContaining({ kind: 'invalidInput', detail: 'resource 7 is not loaded' }) as Error);
    runtime.onLoad = () => undefined;
    expect(await resources.load(7, content('b'), never)).toBe(7);
  });

  it('refuses more than the limit and names its key', async () => {
    resources = make({ max: 1 });
    await resources.load(1, content('a'), never);
    const refused = resources.load(null, content('b'), never);
    await expect(refused).rejects.toMatchObject({ code: 10903, pluginCode: null });
    await expect(refused).rejects.toThrow('1 resources are loaded, [limits].resources allows no more');
    await resources.unload(1, never);
    await resources.load(2, content('b'), never);
  });

  it('does not start when its time is up', async () => {
    await expect(resources.load(7, content('a'), AbortSignal.abort(late))).rejects.toBe(late);
    expect(runtime.resources.size).toBe(0);
    await resources.load(7, content('a'), never);
  });

  it('leaves the plugin alone when the content cannot be made complete', async () => {
    const fault = new AigesError('invalidInput');
    resources = make({ prepare: () => Promise.reject(fault) });
    await expect(resources.load(7, content('a'), never)).rejects.toBe(fault);
    expect(runtime.resources.size).toBe(0);
  });

  it('answers when the time is up, and knows the resource once the plugin has it', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const client = new AbortController();
    const load = resources.load(7, content('a'), client.signal);
    await settle();
    client.abort(late);
    await expect(load).rejects.toBe(late);
    expect(inputsHeld).toBe(1);
    expect(resources.running).toBe(1);
    loading.open();
    await settle();
    expect(inputsHeld).toBe(0);
    (await resources.use([7], never)).release();
  });

  it('unloads a resource again whose id nobody has been told', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const client = new AbortController();
    const load = resources.load(null, content('a'), client.signal);
    await settle();
    client.abort(late);
    await expect(load).rejects.toBe(late);
    loading.open();
    await settle();
    expect(runtime.resources.size).toBe(0);
    await expect(resources.unload(1, never)).rejects.toMatchObject({ kind: 'unloadFailed' });
  });

  it('generates ids that are free and were not used lately', async () => {
    await resources.load(2, content('given'), never);
    expect(await resources.load(null, content('a'), never)).toBe(1);
    await resources.unload(1, never);
    expect(await resources.load(null, content('b'), never)).toBe(3);
  });

  it('waits for an unload of the same id before it', async () => {
    await resources.load(7, content('old'), never);
    const unloading = gate();
    runtime.onUnload = () => unloading.promise;
    const unload = resources.unload(7, never);
    const load = watch(resources.load(7, content('new'), never));
    await settle();
    expect(load.state).toBe('pending');
    unloading.open();
    await unload;
    await settle();
    expect(load.state).toBe('done');
    expect(runtime.resources.get(7)).toBe('new');
  });

  it('is refused after an unload of the same id that failed', async () => {
    await resources.load(7, content('old'), never);
    const unloading = gate();
    runtime.onUnload = () => unloading.promise;
    const unload = watch(resources.unload(7, never));
    const load = watch(resources.load(7, content('new'), never));
    unloading.fail(new AigesError('unloadFailed'));
    await settle();
    expect(unload.state).toMatchObject({ kind: 'unloadFailed' });
    expect(load.state).toMatchObject({ kind: 'alreadyLoaded' });
    expect(runtime.resources.get(7)).toBe('old');
  });

  it('refuses more operations than may wait, and takes them again when there is room', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    resources = make({ max: 1000 });
    const loads = Array.from({ length: 256 }, () => resources.load(null, content('a'), never));
    const refused = resources.load(null, content('b'), never);
    await expect(refused).rejects.toMatchObject({
      code: 10110,
      message: '256 operations on resources are under way',
    });
    loading.open();
    await Promise.all(loads);
    await resources.load(null, content('b'), never);
    expect(runtime.resources.size).toBe(257);
  });

  it('lets only a few operations into the plugin at the same time', async () => {
    const loading = gate();
    let inside = 0;
    runtime.onLoad = () => {
      inside++;
      return loading.promise;
    };
    const loads = [1, 2, 3, 4, 5, 6].map((id) => resources.load(id, content('a'), never));
    await settle();
    expect(inside).toBe(4);
    loading.open();
    expect(await Promise.all(loads)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('unloading', () => {
  it('refuses an id that is not loaded', async () => {
    await expect(resources.unload(7, never)).rejects.toMatchObject({
      code: 10904,
      message: 'resource 7 is not loaded',
    });
  });

  it("passes the plugin's refusal on, and the resource stays", async () => {
    await resources.load(7, content('a'), never);
    runtime.onUnload = () => {
      throw new AigesError('unloadFailed', { message: 'busy;code=4', pluginCode: 4 });
    };
    await expect(resources.unload(7, never)).rejects.toMatchObject({ code: 10904, pluginCode: 4 });
    (await resources.use([7], never)).release();
    runtime.onUnload = () => undefined;
    await resources.unload(7, never);
  });

  it('waits for the calls that use the resource, and refuses new ones from the start', async () => {
    await resources.load(7, content('a'), never);
    const [one, two] = await Promise.all([resources.use([7], never), resources.use([7], never)]);
    const unload = watch(resources.unload(7, never));
    await expect(resources.use([7], never)).rejects.toMatchObject({ detail: 'resource 7 is being unloaded' });
    one.release();
    one.release();
    await settle();
    expect(unload.state).toBe('pending');
    expect(runtime.resources.has(7)).toBe(true);
    two.release();
    await settle();
    expect(unload.state).toBe('done');
    expect(runtime.resources.has(7)).toBe(false);
  });

  it('changes nothing when its time is up before the last call has ended', async () => {
    await resources.load(7, content('a'), never);
    const use = await resources.use([7], never);
    const client = new AbortController();
    const unload = resources.unload(7, client.signal);
    client.abort(late);
    await expect(unload).rejects.toBe(late);
    await settle();
    use.release();
    await settle();
    expect(runtime.resources.has(7)).toBe(true);
    (await resources.use([7], never)).release();
  });

  it('goes on in the plugin when its time is up, and the resource is gone then', async () => {
    await resources.load(7, content('a'), never);
    const unloading = gate();
    runtime.onUnload = () => unloading.promise;
    const client = new AbortController();
    const unload = resources.unload(7, client.signal);
    await settle();
    client.abort(late);
    await expect(unload).rejects.toBe(late);
    await expect(resources.use([7], never)).rejects.toMatchObject({ detail: 'resource 7 is being unloaded' });
    unloading.open();
    await settle();
    await expect(resources.use([7], never)).rejects.toMatchObject({ detail: 'resource 7 is not loaded' });
  });

  it('waits for a load of the same id before it, and has nothing to do when that fails', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const load = watch(resources.load(7, content('a'), never));
    const unload = watch(resources.unload(7, never));
    await settle();
    expect(unload.state).toBe('pending');
    loading.fail(new AigesError('loadFailed'));
    await settle();
    expect(load.state).toMatchObject({ kind: 'loadFailed' });
    expect(unload.state).toMatchObject({ kind: 'unloadFailed', message: 'resource 7 is not loaded' });
  });
});

describe('replacing', () => {
  it('refuses an id that is not loaded', async () => {
    await expect(resources.replace(7, content('b'), never)).rejects.toMatchObject({ code: 10904 });
  });

  it('leaves the old content when that cannot be unloaded', async () => {
    await resources.load(7, content('old'), never);
    runtime.onUnload = () => Promise.reject(new AigesError('unloadFailed'));
    await expect(resources.replace(7, content('new'), never)).rejects.toMatchObject({ code: 10904 });
    expect(runtime.resources.get(7)).toBe('old');
    (await resources.use([7], never)).release();
  });

  it('leaves the old content when the new one cannot be made complete', async () => {
    const fault = new AigesError('invalidInput');
    const isNew = (frames: readonly Frame[]): boolean => Buffer.from(frames[0]?.data ?? []).toString() === 'new';
    resources = make({ prepare: (frames) => (isNew(frames) ? Promise.reject(fault) : frames) });
    await resources.load(7, content('old'), never);
    await expect(resources.replace(7, content('new'), never)).rejects.toBe(fault);
    expect(runtime.resources.get(7)).toBe('old');
  });

  it('loses the id when the new content is refused, and so do the calls that wait for it', async () => {
    await resources.load(7, content('old'), never);
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const replace = watch(resources.replace(7, content('new'), never));
    const use = watch(resources.use([7], never));
    loading.fail(new AigesError('loadFailed', { pluginCode: 3 }));
    await settle();
    expect(replace.state).toMatchObject({ code: 10903, pluginCode: 3 });
    expect(use.state).toMatchObject({ code: 10009, detail: 'resource 7 is not loaded' });
    runtime.onLoad = () => undefined;
    expect(await resources.load(7, content('again'), never)).toBe(7);
  });

  it('waits for the calls that use the resource; new ones wait for the new content', async () => {
    await resources.load(7, content('old'), never);
    const old = await resources.use([7], never);
    const replace = watch(resources.replace(7, content('new'), never));
    const use = resources.use([7], never);
    const waiting = watch(use);
    await settle();
    expect([replace.state, waiting.state, runtime.resources.get(7)]).toEqual(['pending', 'pending', 'old']);
    old.release();
    const taken = await use;
    expect(runtime.resources.get(7)).toBe('new');
    await settle();
    expect(replace.state).toBe('done');
    taken.release();
  });

  it('keeps a call waiting no longer than its own time', async () => {
    await resources.load(7, content('old'), never);
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const replace = resources.replace(7, content('new'), never);
    const client = new AbortController();
    const use = resources.use([7], client.signal);
    client.abort(late);
    await expect(use).rejects.toBe(late);
    loading.open();
    await replace;
    await resources.unload(7, never);
  });

  it('gives calls the old content when its time is up before it began', async () => {
    await resources.load(7, content('old'), never);
    const old = await resources.use([7], never);
    const client = new AbortController();
    const replace = resources.replace(7, content('new'), client.signal);
    const use = resources.use([7], never);
    client.abort(late);
    await expect(replace).rejects.toBe(late);
    (await use).release();
    old.release();
    expect(runtime.resources.get(7)).toBe('old');
  });

  it('sends calls away that wait for it when an unload is asked for behind it', async () => {
    await resources.load(7, content('old'), never);
    const old = await resources.use([7], never);
    const replace = resources.replace(7, content('new'), never);
    const use = resources.use([7], never);
    const unload = resources.unload(7, never);
    await expect(use).rejects.toMatchObject({ detail: 'resource 7 is being unloaded' });
    old.release();
    await Promise.all([replace, unload]);
    expect(runtime.resources.size).toBe(0);
  });
});

describe('using', () => {
  it('takes all that a call names or none', async () => {
    await resources.load(1, content('a'), never);
    await expect(resources.use([1, 2], never)).rejects.toMatchObject({
      code: 10009,
      detail: 'resource 2 is not loaded',
    });
    await resources.unload(1, never);
  });

  it('refuses a resource that is not loaded yet', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const load = resources.load(1, content('a'), never);
    await expect(resources.use([1], never)).rejects.toMatchObject({ detail: 'resource 1 is not loaded yet' });
    loading.open();
    await load;
  });

  it('holds nothing while it waits, so that two replacements and two calls do not wait for each other', async () => {
    for (const id of [1, 2]) await resources.load(id, content('old'), never);
    const [first, second] = [await resources.use([1], never), await resources.use([2], never)];
    const replaceFirst = resources.replace(1, content('new'), never);
    const one = resources.use([2, 1], never);
    const replaceSecond = resources.replace(2, content('new'), never);
    const two = resources.use([1, 2], never);
    first.release();
    second.release();
    await Promise.all([replaceFirst, replaceSecond]);
    for (const use of await Promise.all([one, two])) use.release();
  });
});

describe('the end', () => {
  it('refuses operations once it is closed, those that wait included, and calls keep what they have', async () => {
    await resources.load(7, content('a'), never);
    const use = await resources.use([7], never);
    const waiting = watch(resources.unload(7, never));
    resources.close();
    await expect(resources.load(8, content('b'), never)).rejects.toMatchObject({ kind: 'shuttingDown', code: 10110 });
    use.release();
    await settle();
    expect(waiting.state).toMatchObject({ kind: 'shuttingDown' });
    expect(runtime.resources.has(7)).toBe(true);
  });

  it('is idle when the plugin has returned from the last operation', async () => {
    const loading = gate();
    runtime.onLoad = () => loading.promise;
    const load = resources.load(7, content('a'), never);
    await settle();
    resources.close();
    const idle = watch(resources.idle());
    await settle();
    expect(idle.state).toBe('pending');
    loading.open();
    await load;
    await settle();
    expect(idle.state).toBe('done');
  });

  it('unloads everything, and says what the plugin refused', async () => {
    for (let id = 1; id <= 20; id++) await resources.load(id, content('a'), never);
    runtime.onUnload = (id) => {
      if (id === 3) throw new AigesError('unloadFailed', { message: 'no;code=4' });
    };
    resources.close();
    expect(await resources.unloadAll()).toEqual([expect.objectContaining({ message: 'no;code=4' })]);
    expect([...runtime.resources.keys()]).toEqual([3]);
  });

  it('leaves what a call that was given up still uses, without waiting for it', async () => {
    for (const id of [1, 2]) await resources.load(id, content('a'), never);
    runtime.onUnused = (id, signal) => (id === 1 ? abortOf(signal) : Promise.resolve());
    resources.close();
    expect(await resources.unloadAll()).toEqual([
      expect.objectContaining({ message: 'resource 1 is used by a call that was given up' }),
    ]);
    expect([...runtime.resources.keys()]).toEqual([1]);
  });
});

describe('a call that was given up', () => {
  it('holds up who unloads its resource for as long as that waits, and nobody else', async () => {
    const ids = Array.from({ length: 10 }, (_, n) => n + 1);
    for (const id of ids) await resources.load(id, content('a'), never);
    runtime.onUnused = (id, signal) => (id === 10 ? Promise.resolve() : abortOf(signal));
    const client = new AbortController();
    const waiting = ids.slice(0, 9).map((id) => watch(resources.unload(id, client.signal)));
    await resources.unload(10, never);
    await settle();
    expect(resources.running).toBe(0);
    expect(waiting.every(({ state }) => state === 'pending')).toBe(true);
    client.abort(late);
    await settle();
    expect(waiting.every(({ state }) => state === late)).toBe(true);
    expect(runtime.resources.size).toBe(9);
  });
});

/** Waits for the abort, and for nothing else. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => {
      reject(AigesError.from(signal.reason));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
}

type Step =
  | { readonly what: 'load' | 'replace' | 'unload' | 'use'; readonly id: number; readonly waits: boolean }
  | { readonly what: 'free'; readonly id: null }
  | { readonly what: 'release' | 'return' | 'refuse' | 'giveUp'; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ what: fc.constant('load' as const), id: fc.nat(2), waits: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constantFrom('replace' as const, 'unload' as const),
      id: fc.nat(2),
      waits: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('use' as const), id: fc.nat(2), waits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ what: 'free' as const, id: null }) },
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constantFrom(
        'release' as const,
        'return' as const,
        'return' as const,
        'refuse' as const,
        'giveUp' as const,
      ),
      which: fc.nat(20),
    }),
  },
);

/** A plugin that checks what it is told against what it must never be told, and returns when the test says so. */
class CheckingPlugin {
  /** What it has, as it really is. */
  readonly has = new Map<number, string>();
  readonly busy = new Set<number>();
  /** Calls that it has not returned from. */
  readonly calls: { readonly end: (refused: boolean) => void }[] = [];
  users: (id: number) => number = () => 0;

  loadResource(id: number, frames: readonly Frame[]): Promise<void> {
    expect(this.has.has(id)).toBe(false);
    return this.#call(id, () => {
      this.has.set(id, Buffer.from(frames[0]?.data ?? []).toString());
    });
  }

  resourceUnused(id: number): Promise<void> {
    expect(this.users(id)).toBe(0);
    return Promise.resolve();
  }

  unloadResource(id: number): Promise<void> {
    expect(this.has.has(id)).toBe(true);
    expect(this.users(id)).toBe(0);
    return this.#call(id, () => {
      this.has.delete(id);
    });
  }

  #call(id: number, effect: () => void): Promise<void> {
    expect(this.busy.has(id)).toBe(false);
    this.busy.add(id);
    expect(this.busy.size).toBeLessThanOrEqual(4);
    return new Promise((resolve, reject) => {
      this.calls.push({
        end: (refused) => {
          this.busy.delete(id);
          if (refused) reject(new AigesError('loadFailed', { pluginCode: 1 }));
          else {
            effect();
            resolve();
          }
        },
      });
    });
  }
}

describe('any sequence of loads, replacements, unloads and uses', () => {
  it('never shows the plugin what it must not see, and ends with what the plugin has', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
        const plugin = new CheckingPlugin();
        const table = new Resources({ runtime: plugin, prepare, max: 3 });
        const held: { readonly id: number; readonly content: string | undefined; readonly use: Use }[] = [];
        const open: AbortController[] = [];
        const pending = new Set<Promise<unknown>>();
        const violations: unknown[] = [];
        plugin.users = (id) => held.filter((each) => each.id === id).length;
        const track = (promise: Promise<unknown>): void => {
          const settled: Promise<unknown> = promise
            .catch((error: unknown) => {
              const { kind, cause } = AigesError.from(error);
              if (kind === 'internal') violations.push(cause);
            })
            .finally(() => pending.delete(settled));
          pending.add(settled);
        };
        const take = <T>(list: T[], which: number): T | undefined =>
          list.length === 0 ? undefined : list.splice(which % list.length, 1)[0];
        let number = 0;

        for (const each of steps) {
          const client = new AbortController();
          open.push(client);
          const { signal } = client;
          switch (each.what) {
            case 'load':
              track(table.load(each.id, content(String(number++)), signal));
              break;
            case 'free':
              track(table.load(null, content(String(number++)), signal));
              break;
            case 'replace':
              track(table.replace(each.id, content(String(number++)), signal));
              break;
            case 'unload':
              track(table.unload(each.id, signal));
              break;
            case 'use':
              track(
                table.use([each.id], signal).then((use) => {
                  // The plugin has it, nobody is changing it, and it stays as it is.
                  expect(plugin.has.has(each.id)).toBe(true);
                  expect(plugin.busy.has(each.id)).toBe(false);
                  held.push({ id: each.id, content: plugin.has.get(each.id), use });
                }),
              );
              break;
            case 'release':
              take(held, each.which)?.use.release();
              break;
            case 'return':
              take(plugin.calls, each.which)?.end(false);
              break;
            case 'refuse':
              take(plugin.calls, each.which)?.end(true);
              break;
            case 'giveUp':
              take(open, each.which)?.abort(late);
              break;
          }
          if (!('waits' in each) || each.waits) await settle();
          expect(violations).toEqual([]);
          for (const { id, content: before } of held) expect(plugin.has.get(id)).toBe(before);
          expect(table.running).toBe(plugin.busy.size);
          expect(plugin.has.size).toBeLessThanOrEqual(3);
        }

        // Everybody goes home: nothing may be left waiting.
        while (pending.size > 0 || plugin.calls.length > 0) {
          for (const { use } of held.splice(0)) use.release();
          for (const { end } of plugin.calls.splice(0)) end(false);
          await settle();
        }
        for (const { use } of held.splice(0)) use.release();
        expect(violations).toEqual([]);
        expect(inputsHeld).toBe(0);
        for (const id of [0, 1, 2, 3]) {
          const use = table.use([id], never);
          if (plugin.has.has(id)) (await use).release();
          else await expect(use).rejects.toMatchObject({ kind: 'invalidInput' });
        }
        plugin.users = () => 0;
        const rest = table.unloadAll();
        const ended = watch(rest);
        while (ended.state === 'pending') {
          for (const { end } of plugin.calls.splice(0)) end(false);
          await settle();
        }
        expect(await rest).toEqual([]);
        expect(plugin.has.size).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
