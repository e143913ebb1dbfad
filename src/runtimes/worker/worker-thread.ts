import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { CallTable } from '../../core/call-table.js';
import { AigesError } from '../../core/errors.js';
import { loadAddon } from '../native/addon.js';
import { loansIn, readError } from './posting.js';
import type { FromThread, PostedFrame, ThreadData, ThreadInfo, ToThread } from './protocol.js';

export interface ThreadOptions extends ThreadData {
  /** The module that runs in the thread. */
  readonly entry: URL;
  /** In MiB; null leaves it to Node. */
  readonly heapMiB: number | null;
  readonly onLog: (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: object) => void;
  readonly onMeter: (tag: string, key: string, count: number, sid: string | null) => void;
  readonly onTrace: (tag: string, key: string, value: string, sid: string | null) => void;
}

/** With this Node ends a thread that has nothing more to do while the start of its module is still awaited. */
const unsettled = 13;
const unsettledText = ': its module or init awaits a promise that nothing can settle any more';

/** Where the results of one stream go. */
export interface ResultSink {
  result(frames: readonly PostedFrame[], copied: number): void;
  end(error: AigesError | null): void;
}

export interface Done {
  readonly frames: readonly PostedFrame[];
  readonly copied: number;
}

interface Pending {
  /** Memory that was lent with the question, which the thread may not have opened. */
  readonly loans: readonly number[];
  readonly resolve: (done: Done) => void;
  readonly reject: (error: AigesError) => void;
}

/** Makes a message that will be answered, with the number that the answer names. */
export type Asking = (id: number) => Exclude<ToThread, { type: 'abort' | 'taken' }>;

/** One thread with one instance of a wrapper in it. What ends it fails everything that is in it, and nothing else. */
export class WorkerThread {
  /** Resolves with the reason when the thread takes no more messages: it has ended, or was given up. */
  readonly ended: Promise<AigesError>;
  /** Resolves when nothing of it runs any more. Later than `ended`, or never, when it is stuck in native code. */
  readonly exited: Promise<void>;
  readonly info: Promise<ThreadInfo>;
  /** Calls in it that somebody waits for, or did until just now. Kept by `CallWatch`. */
  wanted = 0;
  readonly #worker: Worker;
  readonly #pending = new CallTable<Pending>();
  readonly #streams = new Map<number, ResultSink>();
  readonly #onEnd: (reason: AigesError) => void;
  #lastId = 0;
  #reason: AigesError | null = null;

  constructor(options: ThreadOptions) {
    const { entry, path, config, engineLimits, heapMiB } = options;
    const worker = new Worker(entry, {
      workerData: { path, config, engineLimits } satisfies ThreadData,
      stdout: true,
      stderr: true,
      ...(heapMiB === null ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMiB } }),
    });
    this.#worker = worker;
    let onEnd!: (reason: AigesError) => void;
    this.ended = new Promise((resolve) => (onEnd = resolve));
    this.#onEnd = onEnd;
    const { threadId } = worker;
    this.exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        // Every message that it has sent has come by now. Who waits for one of them goes on before the next turn.
        this.#end(crashed(`its thread ended with exit code ${code}${code === unsettled ? unsettledText : ''}`));
        setImmediate(() => {
          loadAddon().reclaimAll(threadId);
          resolve();
        });
      });
    });
    this.info = new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.type === 'ready') resolve(message.info);
        else if (message.type === 'unready') reject(readError(message.error));
        else this.#receive(message, options);
      });
      void this.ended.then((reason) => {
        // Whoever starts the loader needs the reason.
        const { cause, detail, message } = reason;
        const text = cause instanceof Error ? cause.message : (detail ?? message);
        reject(new AigesError('initFailed', { message: text, cause }));
      });
    });
    // Whoever asks gets it; a thread that ends on its own before anybody asked is no unhandled rejection.
    this.info.catch(() => undefined);
    worker.on('error', (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      options.onLog('error', `the plugin crashed: ${text}`, {});
      // Answers that it gave before may still be on their way: its calls fail when it has exited.
      this.#retire(crashed(isOutOfMemory(error) ? 'its thread ran out of memory' : 'its thread crashed', error));
    });
    forward(worker.stdout, (line) => {
      options.onLog('info', line, { stream: 'stdout' });
    });
    forward(worker.stderr, (line) => {
      options.onLog('warn', line, { stream: 'stderr' });
    });
  }

  get running(): number {
    return this.#pending.size + this.#streams.size;
  }

  /**
   * Asks for something.
   * @returns the number that `abort` takes, and the answer
   * @throws AigesError what the plugin answered, or `pluginCrashed`
   */
  ask(message: Asking, loans: readonly number[] = []): { readonly id: number; readonly done: Promise<Done> } {
    const id = ++this.#lastId;
    const done = new Promise<Done>((resolve, reject) => {
      if (this.#reason !== null) {
        reclaim(loans);
        reject(this.#reason);
        return;
      }
      this.#pending.set(id, { loans, resolve, reject });
      this.#worker.postMessage(message(id));
    });
    return { id, done };
  }

  /** Calls back when its event loop turns; never, when it has ended. */
  ping(onAnswer: () => void): void {
    this.ask((id) => ({ type: 'ping', id })).done.then(onAnswer, () => undefined);
  }

  /** Has the results of a stream sent to `sink`, until its end or `unlisten`. */
  listen(stream: number, sink: ResultSink): void {
    if (this.#reason === null) this.#streams.set(stream, sink);
    else sink.end(this.#reason);
  }

  unlisten(stream: number): void {
    this.#streams.delete(stream);
  }

  /** Sends what needs no answer. */
  tell(message: Extract<ToThread, { type: 'abort' | 'taken' }>): void {
    if (this.#reason === null) this.#worker.postMessage(message);
  }

  /** Ends the thread, whatever runs in it. Resolves when it has exited. */
  async kill(reason: AigesError): Promise<void> {
    this.#end(reason);
    void this.#worker.terminate();
    await this.exited;
  }

  #receive(message: Exclude<FromThread, { type: 'ready' | 'unready' }>, options: ThreadOptions): void {
    switch (message.type) {
      case 'done': {
        const pending = this.#settle(message.id);
        if (pending === undefined) reclaim(loansIn(message.frames));
        else pending.resolve(message);
        return;
      }
      case 'failed':
        this.#settle(message.id)?.reject(readError(message.error));
        return;
      case 'result': {
        const sink = this.#streams.get(message.stream);
        if (sink === undefined) reclaim(loansIn(message.frames));
        else sink.result(message.frames, message.copied);
        return;
      }
      case 'end': {
        const sink = this.#streams.get(message.stream);
        this.#streams.delete(message.stream);
        sink?.end(message.error === null ? null : readError(message.error));
        return;
      }
      case 'log':
      case 'meter':
      case 'trace':
        try {
          record(message, options);
        } catch {
          // A logger that fails takes one line with it, not the process.
        }
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    // What it has not opened, because it had nothing to do with it any more. Does nothing to loans that it has.
    reclaim(pending?.loans ?? []);
    return pending;
  }

  /** Takes nothing new. The first reason is the one that counts. */
  #retire(reason: AigesError): AigesError {
    if (this.#reason !== null) return this.#reason;
    this.#reason = reason;
    this.#onEnd(reason);
    return reason;
  }

  /** Fails everything that is in it. Idempotent. */
  #end(why: AigesError): void {
    const reason = this.#retire(why);
    const pending = [...this.#pending.values()];
    const sinks = [...this.#streams.values()];
    this.#pending.clear();
    this.#streams.clear();
    for (const { reject } of pending) reject(reason);
    // Not earlier: until it has exited the thread may still be reading the message.
    void this.exited.then(() => {
      for (const { loans } of pending) reclaim(loans);
    });
    for (const sink of sinks) sink.end(reason);
  }
}

/** Passes on what a wrapper says of its calls. */
function record(message: Extract<FromThread, { type: 'log' | 'meter' | 'trace' }>, options: ThreadOptions): void {
  switch (message.type) {
    case 'log':
      options.onLog(message.level, message.message, message.fields);
      return;
    case 'meter':
      options.onMeter(message.tag, message.key, message.count, message.sid);
      return;
    case 'trace':
      options.onTrace(message.tag, message.key, message.value, message.sid);
      return;
  }
}

function reclaim(loans: readonly number[]): void {
  for (const loan of loans) loadAddon().reclaim(loan);
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

/** @param detail for every client with a call in the thread: nothing that the wrapper says */
export function crashed(detail: string, cause?: unknown): AigesError {
  return new AigesError('pluginCrashed', { detail, ...(cause === undefined ? {} : { cause }) });
}

function forward(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine);
}
