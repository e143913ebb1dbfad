import type { Call } from '../core/call.js';
import { AigesError } from '../core/errors.js';
import { emptyMap, type Frame, type StringMap } from '../core/frame.js';
import { KeptResources, ownContent } from './kept-resources.js';
import type { Output, PluginInfo, PluginRuntime, RuntimeSession } from '../core/runtime.js';
import type { Signal } from '../core/signal.js';

interface ReloadingOptions {
  /** Makes a runtime with the code as it is now. */
  readonly make: () => PluginRuntime;
  /** Told when old code has done its last call and has ended; with what it said against it, if anything. */
  readonly onRetired: (failure: AigesError | null) => void;
}

/**
 * A plugin whose code can be replaced while it serves. New calls go to new code as soon as that is ready; a call or
 * stream ends on the code that it began on, and that code ends after its last one.
 */
export class ReloadingRuntime implements PluginRuntime {
  readonly #options: ReloadingOptions;
  #config: StringMap = emptyMap;
  #current: Generation | null = null;
  /** New code that is not ready yet. */
  #candidate: Generation | null = null;
  readonly #resources = new KeptResources();
  readonly #retiring = new Set<Promise<void>>();
  #stopped: Promise<void> | null = null;

  constructor(options: ReloadingOptions) {
    this.#options = options;
  }

  get ready(): boolean {
    return this.#current?.runtime.ready === true;
  }

  /** What it gives always tells about the current code. */
  async start(config: StringMap): Promise<PluginInfo> {
    this.#config = config;
    const first = new Generation(this.#options.make());
    await first.start(config);
    this.#current = first;
    const info = (): PluginInfo => this.#running().info;
    return {
      get kind() {
        return info().kind;
      },
      get version() {
        return info().version;
      },
      get warnings() {
        return info().warnings;
      },
      get capabilities() {
        return info().capabilities;
      },
      get inputs() {
        return info().inputs;
      },
      get descriptor() {
        return info().descriptor;
      },
    };
  }

  /**
   * Loads the code anew. The one that serves goes on until the new one is ready, and for good if it is never ready.
   * @returns what the new code is; null when a later `reload` or `stop` has overtaken this one
   * @throws AigesError `initFailed`, or `loadFailed` when the new code does not take a resource
   */
  async reload(): Promise<PluginInfo | null> {
    if (this.#stopped !== null) return null;
    const before = this.#candidate;
    const candidate = new Generation(this.#options.make());
    this.#candidate = candidate;
    if (before !== null) void this.#discard(before);
    try {
      const info = await candidate.start(this.#config);
      const { runtime } = candidate;
      const keeper = {
        load: runtime.loadResource.bind(runtime),
        unload: runtime.unloadResource.bind(runtime),
      };
      await this.#resources.bringTo(keeper, () => {
        if (!this.#isAwaited(candidate)) return;
        this.#candidate = null;
        const old = this.#running();
        this.#current = candidate;
        this.#retire(old);
      });
      return this.#current === candidate ? info : null;
    } catch (error) {
      if (!this.#isAwaited(candidate)) return null;
      this.#candidate = null;
      void this.#discard(candidate);
      throw AigesError.from(error);
    }
  }

  async once(call: Call, frames: readonly Frame[]): Promise<Output> {
    const generation = this.#running();
    const leave = generation.enter();
    try {
      return await generation.runtime.once(call, frames);
    } finally {
      leave();
    }
  }

  async open(call: Call): Promise<RuntimeSession> {
    const generation = this.#running();
    const leave = generation.enter();
    try {
      const session = await generation.runtime.open(call);
      return {
        write: (frames, options) => session.write(frames, options),
        results: () => session.results(),
        close: () => session.close().finally(leave),
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async loadResource(id: number, frames: readonly Frame[], signal?: Signal): Promise<void> {
    const kept = ownContent(frames);
    await this.#onCurrent((runtime) => runtime.loadResource(id, kept, signal));
    this.#resources.keep(id, kept);
  }

  async resourceUnused(id: number, signal: Signal): Promise<void> {
    await this.#onCurrent((runtime) => runtime.resourceUnused(id, signal));
  }

  async unloadResource(id: number, signal?: Signal): Promise<void> {
    await this.#onCurrent((runtime) => runtime.unloadResource(id, signal));
    this.#resources.drop(id);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const candidate = this.#candidate;
    this.#candidate = null;
    if (candidate !== null) void this.#discard(candidate);
    try {
      await this.#current?.runtime.stop();
    } finally {
      await Promise.all(this.#retiring);
    }
  }

  #running(): Generation {
    if (this.#current === null) throw new AigesError('internal', { detail: 'the plugin has not been started' });
    return this.#current;
  }

  /** A method, because a comparison would be taken to hold across an `await`. */
  #isAwaited(candidate: Generation): boolean {
    return this.#candidate === candidate;
  }

  /** Does something on the current code, and again on the one that has replaced it meanwhile. */
  async #onCurrent(work: (runtime: PluginRuntime) => Promise<void>): Promise<void> {
    let done: Generation;
    do {
      done = this.#running();
      const leave = done.enter();
      try {
        await work(done.runtime);
      } finally {
        leave();
      }
    } while (done !== this.#running());
  }

  #retire(old: Generation): void {
    const ended = old.idle().then(() => this.#end(old));
    this.#retiring.add(ended);
    void ended.finally(() => this.#retiring.delete(ended));
  }

  async #end({ runtime }: Generation): Promise<void> {
    let failure: AigesError | null = null;
    try {
      await runtime.stop();
    } catch (error) {
      failure = AigesError.from(error);
    }
    this.#options.onRetired(failure);
  }

  /** Ends code that never served. What it says to that is of no interest: it is wrong, or out of date. */
  async #discard({ runtime }: Generation): Promise<void> {
    await runtime.stop().catch(() => undefined);
  }
}

/** One state of the code, and the calls that began on it. */
class Generation {
  readonly runtime: PluginRuntime;
  #info: PluginInfo | null = null;
  #calls = 0;
  #onIdle: (() => void) | null = null;

  constructor(runtime: PluginRuntime) {
    this.runtime = runtime;
  }

  get info(): PluginInfo {
    if (this.#info === null) throw new AigesError('internal', { detail: 'the plugin has not been started' });
    return this.#info;
  }

  async start(config: StringMap): Promise<PluginInfo> {
    this.#info = await this.runtime.start(config);
    return this.#info;
  }

  /** Counts a call. @returns what to call, once or more, when it is over */
  enter(): () => void {
    this.#calls++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#calls--;
      if (this.#calls === 0) this.#onIdle?.();
    };
  }

  /** Resolves when no call is left. New ones must not begin any more. */
  idle(): Promise<void> {
    if (this.#calls === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onIdle = resolve));
  }
}
