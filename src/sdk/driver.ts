import { inspect } from 'node:util';
import type { Descriptor } from '../core/descriptor.js';
import { AigesError, type ErrorName } from '../core/errors.js';
import { DataStatus, type Frame, type StringMap } from '../core/frame.js';
import type { Signal } from '../core/signal.js';
import { currentCall } from './context.js';
import { type Declaration, readDeclaration } from './declaration.js';
import { DriverStream, type Results } from './driver-stream.js';
import { type EngineOpener, nativePluginOf } from './native-plugin.js';
import { withSignal } from './lazy-signal.js';
import { isPluginError, WrapperFault } from './plugin-error.js';
import { readInputs, readParams } from './request.js';
import { readResult } from './result.js';
import type { CallLog, OnceRequest, StreamSession } from './types.js';
import { brands, isMarked } from './brand.js';
import type { WrapperBase } from './wrapper-base.js';

/** Which call it is about. */
export interface CallNames {
  readonly sid: string;
  readonly tag: string;
}

/** Where what a wrapper says goes. */
export interface DriverPort {
  log(level: keyof CallLog, message: string, fields: object): void;
  meter(call: CallNames, key: string, count: number): void;
  trace(call: CallNames, key: string, value: string): void;
  /** Loads the engine of a `NativeWrapper`; without it such a wrapper is refused. */
  readonly openEngine?: EngineOpener;
}

/** What a wrapper can be asked for. */
export type Capabilities = Pick<Declaration, 'once' | 'stream' | 'resources'>;

/** One call, as the loader sees it. */
export interface DriverCall extends CallNames {
  readonly params: StringMap;
  readonly resourceIds: readonly number[];
  readonly signal: Signal;
  /** In milliseconds of `performance.now()`; Infinity for never. */
  readonly deadline: number;
}

/**
 * Runs one wrapper: checks what goes in and what comes out, and turns what it throws into errors of the loader. The
 * worker thread and the testing kit both drive wrappers with this, so that a test sees what the loader does.
 */
export class Driver {
  readonly declaration: Declaration;
  readonly #wrapper: WrapperBase;
  readonly #port: DriverPort;
  #capabilities: Capabilities;

  /**
   * Takes the class that a module exports by default.
   * @throws AigesError `initFailed` that says what is missing
   */
  constructor(exported: unknown, port: DriverPort) {
    this.#port = port;
    if (typeof exported !== 'function' || !isMarked(exported.prototype, brands.wrapper)) {
      throw new AigesError('initFailed', {
        message:
          'expected a class that extends WrapperBase as the default export (export default class … extends WrapperBase)',
      });
    }
    try {
      this.#wrapper = new (exported as new () => WrapperBase)();
      this.declaration = readDeclaration(this.#wrapper);
      this.#capabilities = this.declaration;
    } catch (error) {
      throw new AigesError('initFailed', { message: `${exported.name}: ${textOf(error)}`, cause: error });
    }
  }

  get descriptor(): Descriptor {
    return this.declaration.descriptor;
  }

  /** What `init` has found: a wrapper that leaves calls to its engine can do what that can. */
  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  /** @throws AigesError `initFailed` */
  async init(config: StringMap): Promise<void> {
    try {
      await this.#attach(config);
      await this.#wrapper.init?.(config);
    } catch (error) {
      // The first failure is the one that counts.
      await this.#detach().catch(() => undefined);
      throw this.#failure('initFailed', error, WrapperFault.init, null);
    }
  }

  /** @throws AigesError `invalidInput` or `execFailed` */
  async once(call: DriverCall, frames: readonly Frame[]): Promise<Frame[]> {
    if (this.#wrapper.onceExec === undefined) {
      throw new AigesError('unsupported', { detail: 'the wrapper has no onceExec: it serves streams only' });
    }
    const { sid, tag, params, resourceIds, signal, deadline } = call;
    const request: OnceRequest<object> = withSignal(
      {
        sid,
        tag,
        params: readParams(this.declaration, params),
        rawParams: params,
        resourceIds,
        log: this.#log(call),
        inputs: readInputs(this.declaration, frames, true),
        frames,
        deadline,
      },
      signal,
    );
    try {
      const result = await this.#inContext(call, () => this.#wrapper.onceExec?.(request));
      return readResult(this.declaration, result, DataStatus.once, true);
    } catch (error) {
      throw this.#failure('execFailed', error, WrapperFault.call, call);
    }
  }

  /** @throws AigesError `invalidInput` or `unsupported`; what the wrapper throws shows in the results */
  open(call: DriverCall): DriverStream {
    if (!this.declaration.stream) {
      throw new AigesError('unsupported', { detail: 'the wrapper has no stream: it serves single requests only' });
    }
    const { sid, tag, params, resourceIds, signal } = call;
    const read = readParams(this.declaration, params);
    const log = this.#log(call);
    return new DriverStream({
      declaration: this.declaration,
      start: (packets) => {
        const view = { sid, tag, params: read, rawParams: params, resourceIds, log, packets };
        const session: StreamSession<object> = withSignal(view, signal);
        // A generator without a return value gives undefined, whatever its type says.
        const stream = this.declaration.threeCalls ? undefined : this.#wrapper.stream?.(session);
        return (stream ?? this.#threeCalls(session)) as Results;
      },
      inContext: (work) => this.#inContext(call, work),
      failure: (error) =>
        error instanceof StepFault
          ? this.#failure(error.kind, error.cause, WrapperFault.call, call)
          : this.#failure('readFailed', error, WrapperFault.call, call),
    });
  }

  /** @throws AigesError `loadFailed` or `unsupported` */
  async loadResource(id: number, frames: readonly Frame[]): Promise<void> {
    try {
      await this.#wrapper.loadResource?.({ id, frames });
    } catch (error) {
      throw this.#failure('loadFailed', error, WrapperFault.call, null);
    }
  }

  /** @throws AigesError `unloadFailed` or `unsupported` */
  async unloadResource(id: number): Promise<void> {
    try {
      await this.#wrapper.unloadResource?.(id);
    } catch (error) {
      throw this.#failure('unloadFailed', error, WrapperFault.call, null);
    }
  }

  /** @throws AigesError `finiFailed` */
  async fini(): Promise<void> {
    try {
      try {
        await this.#wrapper.fini?.();
      } finally {
        await this.#detach();
      }
    } catch (error) {
      throw this.#failure('finiFailed', error, WrapperFault.call, null);
    }
  }

  async #attach(config: StringMap): Promise<void> {
    const plugin = nativePluginOf(this.#wrapper);
    if (plugin === null) return;
    const engine = await plugin.attach(this.#port, config);
    const forwards = plugin.forwards();
    const { once, stream, threeCalls, resources } = this.declaration;
    this.#capabilities = {
      once: once && (!forwards.once || engine.once),
      stream: stream && (threeCalls || !forwards.stream || engine.stream),
      resources,
    };
  }

  async #detach(): Promise<void> {
    await nativePluginOf(this.#wrapper)?.detach();
  }

  #log({ sid, tag }: CallNames): CallLog {
    const write =
      (level: keyof CallLog) =>
      (message: string, fields: object = {}): void => {
        this.#port.log(level, message, { sid, tag, ...fields });
      };
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }

  #inContext<T>(call: CallNames, work: () => T): T {
    const port = this.#port;
    return currentCall.run(
      {
        meter: (key, count) => {
          if (typeof key !== 'string') throw unexpected('meter', 'a string for the key', key);
          if (!Number.isFinite(count)) throw unexpected('meter', 'a finite number for the count', count);
          port.meter(call, key, count);
        },
        trace: (key, value) => {
          if (typeof key !== 'string') throw unexpected('trace', 'a string for the key', key);
          if (typeof value !== 'string') throw unexpected('trace', 'a string for the value', value);
          port.trace(call, key, value);
        },
      },
      work,
    );
  }

  /** A stream in three calls, as C engines have it, in the form of the one call. */
  async *#threeCalls(session: StreamSession<object>): AsyncGenerator<object, object | undefined> {
    const wrapper = this.#wrapper;
    const handle = await step('createFailed', () => wrapper.create?.(session));
    try {
      for await (const packet of session.packets) {
        const result = (await step('writeFailed', () => wrapper.write?.(handle, packet))) ?? undefined;
        if (packet.last) return result;
        if (result !== undefined) yield result;
      }
      return undefined;
    } finally {
      // The results are good, whatever it says.
      try {
        await wrapper.destroy?.(handle);
      } catch (error) {
        session.log.error(`destroy failed: ${textOf(error)}`, {
          stack: error instanceof Error ? error.stack : undefined,
        });
      }
    }
  }

  /** What a client may know of a failure; the rest goes to the log. */
  #failure(kind: ErrorName, error: unknown, fault: number, call: DriverCall | null): AigesError {
    if (error instanceof AigesError) return error;
    if (isPluginError(error)) {
      const text = error.message === '' ? this.#textFor(error.code) : error.message;
      return new AigesError(kind, { message: `${text};code=${error.code}`, pluginCode: error.code, cause: error });
    }
    const where = call === null ? {} : { sid: call.sid, tag: call.tag };
    this.#port.log('error', `the wrapper failed: ${textOf(error)}`, {
      ...where,
      stack: error instanceof Error ? error.stack : undefined,
    });
    // Whoever starts the loader needs the reason; a client gets no more than that there is one.
    const text = kind === 'initFailed' ? textOf(error) : 'plugin failed';
    return new AigesError(kind, { message: `${text};code=${fault}`, pluginCode: fault, cause: error });
  }

  #textFor(code: number): string {
    try {
      return this.#wrapper.error(code);
    } catch (error) {
      this.#port.log('error', `error(${code}) failed: ${textOf(error)}`, {});
      return `plugin error ${code}`;
    }
  }
}

/** Says which of the three calls of a stream failed. */
class StepFault extends Error {
  readonly kind: ErrorName;

  constructor(kind: ErrorName, cause: unknown) {
    super(kind, { cause });
    this.kind = kind;
  }
}

async function step<T>(kind: ErrorName, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StepFault(kind, error);
  }
}

/** The types say so, but not to plain JavaScript, and not that a number is finite. */
function unexpected(method: string, expected: string, found: unknown): TypeError {
  return new TypeError(`${method}: expected ${expected} but found ${inspect(found, { depth: 0 })}`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
