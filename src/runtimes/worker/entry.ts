import { dirname } from 'node:path';
import { type MessagePort, parentPort, threadId, workerData } from 'node:worker_threads';
import { CallTable } from '../../core/call-table.js';
import { AigesError } from '../../core/errors.js';
import type { Frame } from '../../core/frame.js';
import { LightSignal, type Signal } from '../../core/signal.js';
import { Driver, type DriverCall } from '../../sdk/driver.js';
import type { DriverStream } from '../../sdk/driver-stream.js';
import { checkThere, isWhole } from '../../sdk/handover.js';
import { loadAddon } from '../native/addon.js';
import { Collector } from './collector.js';
import { createEngineOpener } from './engine-opener.js';
import { importModule } from './import-module.js';
import { post, postError, readError } from './posting.js';
import {
  type FromThread,
  type PostedCall,
  type PostedFrame,
  resultWindow,
  type ThreadData,
  type ToThread,
} from './protocol.js';

// What runs in a plugin's thread: one wrapper, driven by messages.

class Thread {
  readonly #port: MessagePort;
  readonly #driver: Driver;
  readonly #calls = new CallTable<LightSignal>();
  readonly #streams = new Map<number, OpenStream>();
  readonly #collector = new Collector(() => loadAddon().borrowedBytes());

  constructor(port: MessagePort, driver: Driver) {
    this.#port = port;
    this.#driver = driver;
  }

  async handle(message: ToThread): Promise<void> {
    if (message.type === 'abort') {
      this.#calls.get(message.id)?.abort(readError(message.error));
      return;
    }
    if (message.type === 'taken') {
      this.#streams.get(message.stream)?.taken();
      return;
    }
    try {
      const frames = await this.#answer(message);
      this.#post(frames, (posted, copied) => ({ type: 'done', id: message.id, frames: posted, copied }));
    } catch (error) {
      this.#send({ type: 'failed', id: message.id, error: postError(this.#failure(error)) });
    }
  }

  async #answer(message: Exclude<ToThread, { type: 'abort' | 'taken' }>): Promise<readonly Frame[]> {
    switch (message.type) {
      case 'once':
        return await this.#once(message.id, message.call, message.frames);
      case 'open': {
        const abort = new LightSignal();
        const stream = this.#driver.open(callOf(message.call, abort));
        this.#calls.set(message.id, abort);
        this.#streams.set(message.id, new OpenStream(stream));
        void this.#pump(message.id);
        return [];
      }
      case 'write':
        await this.#streams.get(message.stream)?.stream.write(await this.#open(message.frames), message.last);
        return [];
      case 'close': {
        const open = this.#streams.get(message.stream);
        this.#streams.delete(message.stream);
        this.#calls.delete(message.stream);
        open?.taken(Infinity);
        await open?.stream.close();
        return [];
      }
      case 'load':
        await this.#driver.loadResource(message.resource, await this.#open(message.frames));
        return [];
      case 'unload':
        await this.#driver.unloadResource(message.resource);
        return [];
      case 'fini':
        await this.#driver.fini();
        return [];
      case 'ping':
        return [];
    }
  }

  async #once(id: number, call: PostedCall, frames: readonly PostedFrame[]): Promise<readonly Frame[]> {
    const abort = new LightSignal();
    this.#calls.set(id, abort);
    try {
      return await this.#driver.once(callOf(call, abort), await this.#open(frames));
    } finally {
      this.#calls.delete(id);
    }
  }

  /** Passes the results of a stream on, no faster than they are taken. */
  async #pump(id: number): Promise<void> {
    const open = this.#streams.get(id);
    if (open === undefined) return;
    let error: AigesError | null = null;
    try {
      for await (const frames of open.stream.results()) {
        this.#post(frames, (posted, copied) => ({ type: 'result', stream: id, frames: posted, copied }));
        await open.room();
      }
    } catch (caught) {
      error = this.#failure(caught);
    }
    this.#send({ type: 'end', stream: id, error: error === null ? null : postError(error) });
  }

  async #open(frames: readonly PostedFrame[]): Promise<Frame[]> {
    let bytes = 0;
    const opened = frames.map(({ key, type, status, desc, data }) => {
      if (data instanceof Uint8Array) return { key, type, status, desc, data };
      const buffer = loadAddon().borrow(data.loan);
      bytes += buffer.byteLength;
      return { key, type, status, desc, data: new Uint8Array(buffer) };
    });
    await this.#collector.borrowed(bytes);
    return opened;
  }

  #post(frames: readonly Frame[], message: (posted: readonly PostedFrame[], copied: number) => FromThread): void {
    for (const { key, data } of frames) checkThere(key, data);
    const addon = loadAddon();
    const lend = (data: Uint8Array): number | null => addon.lend(data, threadId);
    const { frames: posted, transfer, copied, loans } = post(frames, lend, isWhole);
    try {
      this.#port.postMessage(message(posted, copied), transfer);
    } catch {
      // One of the buffers cannot change hands: it belongs to a WebAssembly memory, or to another addon.
      for (const loan of loans) addon.reclaim(loan);
      const again = post(frames, lend, () => false);
      this.#port.postMessage(message(again.frames, again.copied), again.transfer);
    }
  }

  /** Drivers say in the log what the wrapper did; what fails outside of them nobody has told yet. */
  #failure(error: unknown): AigesError {
    if (error instanceof AigesError) return error;
    const stack = error instanceof Error ? error.stack : undefined;
    this.#send({ type: 'log', level: 'error', message: `the thread failed: ${String(error)}`, fields: { stack } });
    return AigesError.from(error);
  }

  #send(message: FromThread): void {
    this.#port.postMessage(message);
  }
}

/** A stream and how many of its results may still be sent. */
class OpenStream {
  readonly stream: DriverStream;
  #credit = resultWindow;
  #wake: () => void = () => undefined;

  constructor(stream: DriverStream) {
    this.stream = stream;
  }

  taken(count = 1): void {
    this.#credit += count;
    this.#wake();
  }

  async room(): Promise<void> {
    this.#credit--;
    while (this.#credit <= 0) await new Promise<void>((wake) => (this.#wake = wake));
  }
}

function callOf({ sid, tag, params, resourceIds, timeLeftMs }: PostedCall, signal: Signal): DriverCall {
  return { sid, tag, params, resourceIds, signal, deadline: performance.now() + timeLeftMs };
}

async function main(port: MessagePort, { path, config, engineLimits }: ThreadData): Promise<void> {
  const send = (message: FromThread): void => {
    port.postMessage(message);
  };
  let driver: Driver;
  try {
    driver = new Driver(await importModule(path), {
      log: (level, message, fields) => {
        send({ type: 'log', level, message, fields: cloneable(fields) });
      },
      meter: ({ sid, tag }, key, count) => {
        send({ type: 'meter', sid, tag, key, count });
      },
      trace: ({ sid, tag }, key, value) => {
        send({ type: 'trace', sid, tag, key, value });
      },
      openEngine: createEngineOpener(dirname(path), engineLimits),
    });
    if (config !== null) await driver.init(config);
  } catch (caught) {
    const error =
      caught instanceof AigesError
        ? withStack(caught)
        : new AigesError('initFailed', {
            message: caught instanceof Error ? (caught.stack ?? caught.message) : String(caught),
          });
    send({ type: 'unready', error: postError(error) });
    return;
  }
  const thread = new Thread(port, driver);
  port.on('message', (message: ToThread) => void thread.handle(message));
  const { once, stream, resources } = driver.capabilities;
  send({ type: 'ready', info: { descriptor: driver.descriptor, once, stream, resources } });
}

/** The loader's own stack would tell nobody anything; the wrapper's says where to look. */
function withStack(error: AigesError): AigesError {
  const { kind, message, pluginCode, cause } = error;
  if (!(cause instanceof Error) || cause.stack === undefined) return error;
  return new AigesError(kind, { message, detail: cause.stack, ...(pluginCode === null ? {} : { pluginCode }) });
}

/** Authors log what they like; functions and the like cannot cross, the fields beside them can. */
function cloneable(fields: object): object {
  try {
    return structuredClone(fields);
  } catch {
    return Object.fromEntries(Object.keys(fields).map((key) => [key, cloneOf(fields, key)]));
  }
}

function cloneOf(fields: object, key: string): unknown {
  try {
    return structuredClone((fields as Readonly<Record<string, unknown>>)[key]);
  } catch {
    return 'it cannot leave the thread';
  }
}

if (parentPort === null) throw new Error('this module runs in a worker thread');
await main(parentPort, workerData as ThreadData);
