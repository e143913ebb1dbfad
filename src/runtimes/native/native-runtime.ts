import { resolve } from 'node:path';

import type { Call } from '../../core/call.js';
import { AigesError } from '../../core/errors.js';
import type { Frame, StringMap } from '../../core/frame.js';
import type { Output, PluginInfo, PluginRuntime, RuntimeSession } from '../../core/runtime.js';
import type { Signal } from '../../core/signal.js';
import { Abandoned } from './abandoned.js';
import type { Addon, Answer, ControlRecord, EngineRef, NativeCall, Opened } from './addon.js';
import { isPluginError, loadAddon } from './addon.js';
import { toNativeFrame, toOutput, toPairs } from './convert.js';
import { toCallError, toStartError, toStopError } from './errors.js';
import { NativeSession } from './native-session.js';
import { Sweeper } from './sweeper.js';

export interface NativeOptions {
  /** The engine library; relative to the working directory. */
  readonly path: string;
  /**
   * Calls `wrapperExecAsync`, and gives streams a callback. An engine that offers only one of `wrapperExec` and
   * `wrapperExecAsync` is called the way it offers.
   */
  readonly asyncMode?: boolean;
  /** `auto` hands large aligned payloads over in place; `copy` is for engines that write into their input. */
  readonly input?: 'auto' | 'copy';
  /** `lease` leaves large outputs in the engine's memory until they are released: for independent outputs only. */
  readonly output?: 'copy' | 'lease';
  /** What an engine sees of an empty list: one node without a key, or NULL. */
  readonly emptyList?: 'sentinel' | 'null';
  /** When `call.signal` aborts an asynchronous call: let go of it, or wait for its callback. */
  readonly abandon?: 'release' | 'hold';
  /** Engine threads at most. */
  readonly maxThreads?: number;
  /** Beyond so many leased bytes outputs are copied. */
  readonly leasedBytes?: number;
  /** So many abandoned calls are remembered, so that a late callback finds nobody else. */
  readonly abandoned?: number;
  /** How long the tag of a closed stream is kept for its final callback. */
  readonly tagGraceMs?: number;
  /** A stream whose callbacks bring more results than this before they are taken fails. */
  readonly streamResults?: number;
  /** The same in bytes. */
  readonly streamBytes?: number;
  /** An answer that claims more bytes than this is refused. */
  readonly outputBytes?: number;
  /** `sid` is that of the call; null for a record that comes when the call has ended. */
  readonly onMeter?: (tag: string, key: string, value: number, sid: string | null) => void;
  readonly onTrace?: (tag: string, key: string, value: string, sid: string | null) => void;
}

const mebibyte = 1024 * 1024;
/** Results, and bytes of them, that may wait in one stream. */
export const streamDefaults = { results: 10_000, bytes: 256 * mebibyte };
const tagGraceMs = 60_000;

/** A C engine behind the port of `core/runtime.ts`. */
export function createNativeRuntime(options: NativeOptions): PluginRuntime {
  return new NativeRuntime(options);
}

class NativeRuntime implements PluginRuntime {
  /** An engine that ends takes the process with it. */
  readonly ready = true;
  readonly #options: NativeOptions;
  #opened: { readonly addon: Addon; readonly engine: Opened } | null = null;
  #starting: Promise<PluginInfo> | null = null;
  #stopped: Promise<void> | null = null;
  /** Tags of asynchronous calls in flight and of streams: aborting a call must never abandon another one. */
  readonly #tags = new Set<string>();
  /** Session ids by tag, of the calls and streams that run: records of engines carry the tag only. */
  readonly #sids = new Map<string, string>();
  readonly #sweeper = new Sweeper();
  readonly #abandoned: Abandoned;

  constructor(options: NativeOptions) {
    this.#options = options;
    this.#abandoned = new Abandoned(options.tagGraceMs ?? tagGraceMs);
  }

  start(config: StringMap): Promise<PluginInfo> {
    if (this.#stopped !== null) {
      return Promise.reject(new AigesError('initFailed', { message: `${this.#options.path} has been stopped` }));
    }
    this.#starting ??= this.#start(config);
    return this.#starting;
  }

  async once(call: Call, frames: readonly Frame[]): Promise<Output> {
    const { addon, engine } = this.#running();
    if (!engine.once && !engine.async) {
      throw new AigesError('unsupported', { detail: `${this.#options.path} offers streams only` });
    }
    call.signal.throwIfAborted();

    if (this.#tags.has(call.tag)) throw new AigesError('duplicateTag');

    const useAsync = engine.async && (this.#options.asyncMode === true || !engine.once);
    this.#sids.set(call.tag, call.sid);
    try {
      const answer = await (useAsync
        ? this.#execAsync(addon, engine.engine, call, frames)
        : invoke(addon.exec, engine.engine, call, frames));
      return toOutput(addon, answer);
    } catch (caught) {
      if (isPluginError(caught) && caught.code === 'AIGES_ABANDONED') {
        this.#abandoned.add(call.tag, call.resourceIds);
        // The engine's clock may be a moment ahead of the signal's.
        throw call.signal.aborted ? call.signal.reason : new AigesError('timeout', { detail: caught.text });
      }
      throw toCallError(caught);
    } finally {
      this.#sids.delete(call.tag);
    }
  }

  async open(call: Call): Promise<RuntimeSession> {
    const { addon, engine } = this.#running();
    const { path, asyncMode = false } = this.#options;
    if (!engine.stream) throw new AigesError('unsupported', { detail: `${path} offers no streams` });
    call.signal.throwIfAborted();
    const { tag } = call;
    if (this.#tags.has(tag)) throw new AigesError('duplicateTag');
    this.#tags.add(tag);
    this.#sids.set(tag, call.sid);
    const forget = (): void => {
      this.#tags.delete(tag);
      this.#sids.delete(tag);
    };
    try {
      const params = toPairs(call.params);
      const stream = await addon.openStream(engine.engine, tag, params, call.resourceIds, asyncMode);
      return new NativeSession(addon, stream, asyncMode, () => {
        forget();
        if (asyncMode) this.#sweeper.start(addon);
      });
    } catch (caught) {
      forget();
      throw toCallError(caught);
    }
  }

  async loadResource(id: number, frames: readonly Frame[]): Promise<void> {
    const { addon, engine } = this.#running();
    try {
      await addon.loadResource(engine.engine, id, frames.map(toNativeFrame));
    } catch (caught) {
      throw toCallError(caught);
    }
  }

  async resourceUnused(id: number, signal: Signal): Promise<void> {
    await this.#abandoned.letGoOf(id, this.#running().addon, signal);
  }

  async unloadResource(id: number): Promise<void> {
    const { addon, engine } = this.#running();
    try {
      await addon.unloadResource(engine.engine, id);
    } catch (caught) {
      throw toCallError(caught);
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #running(): { readonly addon: Addon; readonly engine: Opened } {
    if (this.#opened === null || this.#stopped !== null) {
      throw new AigesError('internal', { detail: `${this.#options.path} is not running` });
    }
    return this.#opened;
  }

  async #execAsync(addon: Addon, engine: EngineRef, call: Call, frames: readonly Frame[]): Promise<Answer> {
    const { tag, signal } = call;
    this.#tags.add(tag);
    const abandon = () => addon.abandon(tag);
    try {
      const answer = invoke(addon.execAsync, engine, call, frames);
      if (this.#options.abandon !== 'hold') signal.addEventListener('abort', abandon);
      return await answer;
    } finally {
      signal.removeEventListener('abort', abandon);
      this.#tags.delete(tag);
    }
  }

  async #start(config: StringMap): Promise<PluginInfo> {
    const options = this.#options;
    const path = resolve(options.path);
    try {
      const addon = loadAddon();
      const engine = await addon.open(path, toPairs(config), {
        nullForEmpty: options.emptyList === 'null',
        copyInput: options.input === 'copy',
        lease: options.output === 'lease',
        leasedBytes: options.leasedBytes ?? 256 * mebibyte,
        abandoned: options.abandoned ?? 10_000,
        tagGraceMs: options.tagGraceMs ?? tagGraceMs,
        streamResults: options.streamResults ?? streamDefaults.results,
        streamBytes: options.streamBytes ?? streamDefaults.bytes,
        outputBytes: options.outputBytes ?? 1024 * mebibyte,
        maxThreads: options.maxThreads ?? 16,
      });
      this.#opened = { addon, engine };
      void this.#forwardRecords(addon, engine);
      return {
        kind: 'native',
        warnings: engine.incomplete.map((group) => `capability group ${group} is not used`),
        version: engine.version,
        capabilities: {
          once: engine.once || engine.async,
          stream: engine.stream,
          resources: engine.resources,
        },
        // The ABI has no words for it.
        inputs: null,
        descriptor: null,
      };
    } catch (caught) {
      throw toStartError(caught, path);
    }
  }

  async #stop(): Promise<void> {
    // A start that is under way ends first: its engine would be nobody's otherwise.
    await this.#starting?.catch(() => undefined);
    if (this.#opened === null) return;
    const { addon, engine } = this.#opened;
    try {
      await addon.close(engine.engine);
    } catch (caught) {
      throw toStopError(caught);
    } finally {
      this.#sweeper.stop();
    }
  }

  /** Ends when the engine is closed. */
  async #forwardRecords(addon: Addon, engine: Opened): Promise<void> {
    for (;;) {
      const records = await addon.records(engine.engine);
      if (records === null) return;
      for (const record of records) {
        try {
          this.#forward(record);
        } catch {
          // A logger that fails takes one line with it, not the lines that follow.
        }
      }
    }
  }

  #forward({ tag, key, value }: ControlRecord): void {
    const sid = this.#sids.get(tag) ?? null;
    if (typeof value === 'number') this.#options.onMeter?.(tag, key, value, sid);
    else this.#options.onTrace?.(tag, key, value, sid);
  }
}

function invoke(exec: NativeCall, engine: EngineRef, call: Call, frames: readonly Frame[]): Promise<Answer> {
  const left = call.deadline - performance.now();
  return exec(
    engine,
    call.tag,
    toPairs(call.params),
    frames.map(toNativeFrame),
    call.resourceIds,
    Number.isFinite(left) ? Math.max(left, 0) : null,
  );
}
