import { resolve } from 'node:path';
import { threadId } from 'node:worker_threads';
import type { Call } from '../../core/call.js';
import { mandatoryInputs } from '../../core/descriptor.js';
import { AigesError } from '../../core/errors.js';
import type { Frame, StringMap } from '../../core/frame.js';
import type { Output, PluginInfo, PluginRuntime, RuntimeSession } from '../../core/runtime.js';
import { LightSignal, type Signal } from '../../core/signal.js';
import { handoverBytes } from '../../sdk/handover.js';
import { loadAddon } from '../native/addon.js';
import { streamDefaults } from '../native/index.js';
import { CallWatch, type Patience, type Work } from './call-watch.js';
import type { EngineLimits } from './engine-opener.js';
import { KeptResources, ownContent } from '../kept-resources.js';
import { post, type Posting, postError } from './posting.js';
import type { PostedCall, PostedFrame, ThreadInfo } from './protocol.js';
import { WorkerSession } from './worker-session.js';
import { type Asking, crashed, type Done, type ThreadOptions, WorkerThread } from './worker-thread.js';

export interface WorkerOptions extends Pick<ThreadOptions, 'onLog' | 'onMeter' | 'onTrace'> {
  /** The module that exports the wrapper; relative to the working directory. */
  readonly path: string;
  /** Threads, each with an instance of its own. */
  readonly instances: number;
  /** Most memory for the objects of one thread, in MiB; buffers do not count. Null leaves it to Node. */
  readonly heapMiB: number | null;
  /** When nobody waits for a call any more, how long it may go on: see `CallWatch`. */
  readonly execLimitMs: number;
  /** What the engine of a `NativeWrapper` may use. */
  readonly engineLimits?: EngineLimits;
  /** The module that runs in a thread; tests that run from sources name the compiled one. */
  readonly entry?: URL;
}

/** Numbers since the start, and live ones. */
export interface WorkerCounters {
  /** Threads that are ready. */
  readonly ready: number;
  /** Threads that were given up and have not exited: something native in them does not return. */
  readonly stuck: number;
  /** Threads that were replaced. */
  readonly replaced: number;
  /** Bytes of outputs of 64 KiB and more that were copied, because they were a part of something larger. */
  readonly copiedOut: number;
}

/** A wrapper in worker threads, behind the port of `core/runtime.ts`. */
export function createWorkerRuntime(options: WorkerOptions): WorkerRuntime {
  return new WorkerRuntime(options);
}

const defaultEntry = new URL('./entry.js', import.meta.url);
const shortestPauseMs = 100;
const longestPauseMs = 10_000;
/** A thread that has lived for so long has earned that its next replacement starts at once. */
const healthyMs = 30_000;
/** How often it is said that a thread is still starting. */
const slowStartMs = 10_000;
/** How long a thread that was given up may take to exit before somebody should know. */
const exitMs = 5_000;

export class WorkerRuntime implements PluginRuntime {
  readonly #options: WorkerOptions;
  readonly #patience: Patience;
  readonly #ready = new Set<WorkerThread>();
  /** Everything that has not exited. */
  readonly #alive = new Set<WorkerThread>();
  readonly #waiting = new Set<(thread: WorkerThread | AigesError) => void>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #config: StringMap = new Map();
  readonly #resources = new KeptResources();
  #pauseMs = shortestPauseMs;
  #stopped = false;
  #stuck = 0;
  #replaced = 0;
  #copiedOut = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#patience = {
      limitMs: options.execLimitMs,
      onOverdue: (work) => {
        options.onLog('warn', ...overdue(work));
      },
    };
  }

  get ready(): boolean {
    return this.#ready.size > 0;
  }

  get counters(): WorkerCounters {
    return {
      ready: this.#ready.size,
      stuck: this.#stuck,
      replaced: this.#replaced,
      copiedOut: this.#copiedOut,
    };
  }

  async start(config: StringMap): Promise<PluginInfo> {
    this.#config = config;
    const threads = Array.from({ length: this.#options.instances }, () => this.#spawn());
    let infos: ThreadInfo[];
    try {
      infos = await Promise.all(threads.map(({ info }) => info));
    } catch (error) {
      await this.stop();
      throw inFile(this.#options.path, AigesError.from(error));
    }
    for (const thread of threads) this.#take(thread);
    const [info] = infos;
    if (info === undefined) throw new AigesError('initFailed', { message: 'expected at least one instance' });
    const { once, stream, resources, descriptor } = info;
    return {
      kind: 'node',
      version: descriptor.version,
      warnings: [],
      capabilities: { once, stream, resources },
      inputs: mandatoryInputs(descriptor),
      descriptor,
    };
  }

  async once(call: Call, frames: readonly Frame[]): Promise<Output> {
    const thread = this.#idlest() ?? (await this.#nextReady(call.signal));
    const posting = this.#post(frames);
    const { frames: given, copied } = await this.#ask(
      thread,
      (id) => ({ type: 'once', id, call: postCall(call), frames: posting.frames }),
      posting.loans,
      call.signal,
      call,
    );
    return this.#output(given, copied);
  }

  async open(call: Call): Promise<RuntimeSession> {
    const thread = this.#idlest() ?? (await this.#nextReady(call.signal));
    call.signal.throwIfAborted();
    const { streamResults = streamDefaults.results, streamBytes = streamDefaults.bytes } =
      this.#options.engineLimits ?? {};
    const { id, done } = thread.ask((id) => ({ type: 'open', id, call: postCall(call) }));
    const watch = new CallWatch(thread, this.#patience, call);
    const onAbort = (): void => {
      thread.tell({ type: 'abort', id, error: postError(AigesError.from(call.signal.reason)) });
    };
    const session = new WorkerSession({
      thread,
      stream: id,
      post: (frames) => this.#post(frames),
      toOutput: (frames, copied) => this.#output(frames, copied),
      unread: { results: streamResults, bytes: streamBytes },
      onClosing: () => {
        watch.leave();
        return () => {
          call.signal.removeEventListener('abort', onAbort);
          watch.end();
        };
      },
    });
    call.signal.addEventListener('abort', onAbort);
    try {
      await done;
    } catch (error) {
      call.signal.removeEventListener('abort', onAbort);
      watch.end();
      thread.unlisten(id);
      throw error;
    }
    return session;
  }

  async loadResource(id: number, frames: readonly Frame[], signal?: Signal): Promise<void> {
    const kept = ownContent(frames);
    this.#resources.keep(id, kept);
    const threads = [...this.#ready];
    // A thread that has ended meanwhile is no failure: its successor gets what is kept. Unless that may be what ended it.
    const isFailure = (reason: unknown): boolean => !isCrash(reason) || signal?.aborted === true;
    const load = async (thread: WorkerThread): Promise<void> => {
      try {
        await this.#load(thread, id, kept, signal);
      } catch (error) {
        // At once: a successor would not get ready.
        if (isFailure(error)) this.#resources.drop(id);
        throw error;
      }
    };
    const outcomes = await Promise.allSettled(threads.map(load));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected' && isFailure(outcome.reason));
    if (failed?.status !== 'rejected') return;
    await Promise.allSettled(threads.map((thread) => this.#unload(thread, id, signal)));
    throw failed.reason;
  }

  /** A call that was given up has ended, or its thread has. */
  resourceUnused(): Promise<void> {
    return Promise.resolve();
  }

  async unloadResource(id: number, signal?: Signal): Promise<void> {
    // First: a thread that gets ready meanwhile is not to have it.
    const kept = this.#resources.drop(id);
    const outcomes = await Promise.allSettled([...this.#ready].map((thread) => this.#unload(thread, id, signal)));
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled' || isCrash(outcome.reason)) continue;
      if (kept !== undefined) this.#resources.keep(id, kept);
      throw outcome.reason;
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const pause of this.#pauses) clearTimeout(pause);
    for (const refuse of [...this.#waiting]) refuse(crashed('the plugin is being stopped'));
    const failures = await Promise.all([...this.#alive].map((thread) => this.#finish(thread)));
    const [failure] = failures.filter((each) => each !== null);
    if (failure !== undefined) throw failure;
  }

  async #load(
    thread: WorkerThread,
    id: number,
    frames: readonly Frame[],
    signal: Signal = new LightSignal(),
  ): Promise<void> {
    const posting = this.#post(frames);
    await this.#ask(
      thread,
      (number) => ({ type: 'load', id: number, resource: id, frames: posting.frames }),
      posting.loans,
      signal,
      { resource: id },
    );
  }

  async #unload(thread: WorkerThread, id: number, signal: Signal = new LightSignal()): Promise<void> {
    await this.#ask(thread, (number) => ({ type: 'unload', id: number, resource: id }), [], signal, { resource: id });
  }

  /** Ends one thread in order; gives what its wrapper said against it. */
  async #finish(thread: WorkerThread): Promise<AigesError | null> {
    let failure: AigesError | null = null;
    if (this.#ready.delete(thread)) {
      try {
        await thread.ask((id) => ({ type: 'fini', id })).done;
      } catch (error) {
        failure = AigesError.from(error);
      }
    }
    await thread.kill(crashed('the plugin is being stopped'));
    return failure;
  }

  #spawn(): WorkerThread {
    const { entry = defaultEntry, path, heapMiB, onLog, onMeter, onTrace } = this.#options;
    const { engineLimits = {} } = this.#options;
    const thread = new WorkerThread({
      entry,
      path: resolve(path),
      config: this.#config,
      engineLimits,
      heapMiB,
      onLog,
      onMeter,
      onTrace,
    });
    this.#watchStart(thread);
    this.#alive.add(thread);
    void thread.exited.then(() => this.#alive.delete(thread));
    return thread;
  }

  /** Whoever waits for a thread is not to wait in silence. */
  #watchStart(thread: WorkerThread): void {
    let seconds = 0;
    const timer = setInterval(() => {
      if (this.#stopped || this.#ready.has(thread)) {
        clearInterval(timer);
        return;
      }
      seconds += slowStartMs / 1000;
      const text = `a thread of the plugin has been starting for ${seconds} s: its init has not returned, or a loadResource after it`;
      this.#options.onLog('warn', text, {});
    }, slowStartMs).unref();
    void thread.ended.then(() => {
      clearInterval(timer);
    });
  }

  /** Lets a thread that is ready have calls, and replaces it when it ends. */
  #take(thread: WorkerThread): void {
    const since = performance.now();
    this.#ready.add(thread);
    for (const give of [...this.#waiting]) give(thread);
    void thread.ended.then((reason) => {
      this.#ready.delete(thread);
      if (this.#stopped) return;
      this.#watchExit(thread);
      if (performance.now() - since > healthyMs) this.#pauseMs = shortestPauseMs;
      this.#options.onLog('error', `a thread of the plugin is replaced: ${reason.detail ?? reason.message}`, {});
      this.#replace();
    });
  }

  #replace(): void {
    this.#replaced++;
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      void this.#revive();
    }, this.#pauseMs);
    this.#pauses.add(pause);
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }

  async #revive(): Promise<void> {
    const thread = this.#spawn();
    try {
      await thread.info;
      const keeper = {
        load: (id: number, content: readonly Frame[]) => this.#load(thread, id, content),
        unload: (id: number) => this.#unload(thread, id),
      };
      await this.#resources.bringTo(keeper, () => {
        if (!this.#stopped) this.#take(thread);
      });
    } catch (error) {
      const { message } = AigesError.from(error);
      if (this.#stopped) return;
      this.#options.onLog('error', `the plugin does not start again: ${message}`, {});
      const reason = crashed('it does not start again', error);
      // Better an answer now than none: the next attempt may take long to come.
      if (this.#ready.size === 0) for (const refuse of [...this.#waiting]) refuse(reason);
      void thread.kill(reason);
      this.#replace();
      return;
    }
    if (this.#stopped) void thread.kill(crashed('the plugin is being stopped'));
  }

  /** Endless native code keeps a thread from exiting. Nothing can be done about it but to say so. */
  #watchExit(thread: WorkerThread): void {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#stuck++;
      this.#options.onLog('error', 'a thread of the plugin does not exit: something native in it does not return', {});
    }, exitMs).unref();
    void thread.exited.then(() => {
      clearTimeout(timer);
      if (late) this.#stuck--;
    });
  }

  /** The thread with the least to do; null when none is ready. */
  #idlest(): WorkerThread | null {
    let best: WorkerThread | null = null;
    for (const thread of this.#ready) if (best === null || thread.running < best.running) best = thread;
    return best;
  }

  #nextReady(signal: Signal): Promise<WorkerThread> {
    if (this.#stopped) return Promise.reject(crashed('the plugin is being stopped'));
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(settle);
        signal.removeEventListener('abort', onAbort);
      };
      const settle = (thread: WorkerThread | AigesError): void => {
        leave();
        if (thread instanceof AigesError) reject(thread);
        else resolve(thread);
      };
      const onAbort = (): void => {
        settle(AigesError.from(signal.reason));
      };
      signal.addEventListener('abort', onAbort);
      this.#waiting.add(settle);
      if (signal.aborted) onAbort();
    });
  }

  /** Asks a thread for something, and tells it when nobody waits for the answer any more. */
  async #ask(
    thread: WorkerThread,
    message: Asking,
    loans: readonly number[],
    signal: Signal,
    work: Work,
  ): Promise<Done> {
    const { id, done } = thread.ask(message, loans);
    const watch = new CallWatch(thread, this.#patience, work);
    const onAbort = (): void => {
      thread.tell({ type: 'abort', id, error: postError(AigesError.from(signal.reason)) });
      watch.leave();
    };
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    try {
      return await done;
    } finally {
      signal.removeEventListener('abort', onAbort);
      watch.end();
    }
  }

  #post(frames: readonly Frame[]): Posting {
    return post(
      frames,
      (data) => loadAddon().lend(data, threadId),
      () => false,
    );
  }

  #output(frames: readonly PostedFrame[], copied: number): Output {
    this.#copiedOut += copied;
    const addon = loadAddon();
    const buffers: ArrayBuffer[] = [];
    return {
      frames: frames.map(({ key, type, status, desc, data }) => {
        if (data instanceof Uint8Array) {
          // It is the message's own: transferred, or copied on the way.
          if (data.byteLength >= handoverBytes) buffers.push(data.buffer as ArrayBuffer);
          return { key, type, status, desc, data };
        }
        const buffer = addon.borrow(data.loan);
        buffers.push(buffer);
        return { key, type, status, desc, data: new Uint8Array(buffer) };
      }),
      release: () => {
        for (const buffer of buffers.splice(0)) addon.letGo(buffer);
      },
    };
  }
}

/**
 * Reads what a wrapper declares in a thread of its own, without a call of its `init`.
 * @throws AigesError `initFailed` that says what is missing; its detail says where, if that is known
 */
export async function describeWrapper({
  path,
  onLog,
  entry = defaultEntry,
}: Pick<WorkerOptions, 'path' | 'onLog' | 'entry'>): Promise<ThreadInfo> {
  const thread = new WorkerThread({
    entry,
    path: resolve(path),
    config: null,
    heapMiB: null,
    engineLimits: {},
    onLog,
    onMeter: () => undefined,
    onTrace: () => undefined,
  });
  try {
    return await thread.info;
  } catch (error) {
    throw inFile(path, AigesError.from(error));
  } finally {
    await thread.kill(crashed('it has been described'));
  }
}

/** A line of the log about work that goes on although nobody waits for it any more. */
function overdue(work: Work): [message: string, fields: object] {
  if ('resource' in work)
    return ['a resource is still being loaded or unloaded, and nobody waits for it any more', work];
  const { sid, tag } = work;
  return ['a call goes on, and nobody waits for it any more: hand request.signal on to what it awaits', { sid, tag }];
}

function inFile(path: string, error: AigesError): AigesError {
  const { message, detail } = error;
  return new AigesError('initFailed', {
    message: `${path}: ${message}`,
    cause: error,
    ...(detail === null ? {} : { detail }),
  });
}

function isCrash(error: unknown): boolean {
  return error instanceof AigesError && error.kind === 'pluginCrashed';
}

function postCall(call: Call): PostedCall {
  const { sid, tag, params, resourceIds, deadline } = call;
  return { sid, tag, params, resourceIds, timeLeftMs: Math.max(deadline - performance.now(), 0) };
}
