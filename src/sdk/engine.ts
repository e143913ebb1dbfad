import { randomBytes } from 'node:crypto';
import type { Call } from '../core/call.js';
import type { AigesError } from '../core/errors.js';
import { DataStatus, DataType, type Frame, type StringMap } from '../core/frame.js';
import type { PluginInfo, PluginRuntime, RuntimeSession } from '../core/runtime.js';
import { type CallContext, currentCall } from './context.js';
import type { EngineCapabilities, EngineOptions, EngineReports, NativePluginPort } from './native-plugin.js';
import { PluginError } from './plugin-error.js';
import { decodeInput } from './request.js';
import type { TextInput } from './types.js';

/** One buffer for the engine. What a request holds (`request.inputs.image`, `request.frames`) is one as it is. */
export interface EngineInput {
  readonly key: string;
  /** Bytes, or text as UTF-8. They must not change until the call has ended. */
  readonly data: Uint8Array | string;
  /** A `DataType`; without it `text` for a string and `other` for bytes. */
  readonly type?: number;
  /** A `DataStatus`; without it what the place in the request or stream says. */
  readonly status?: number;
  readonly desc?: StringMap | Readonly<Record<string, string>>;
}

/** Named values for the engine, which gets all of them as text. */
export type EngineParams = StringMap | Readonly<Record<string, string | number | boolean | undefined>>;

/** What a call of the engine is about. A `request` or `session` is one as it is. */
export interface EngineCall {
  /**
   * Aborts when nobody waits any more. A blocking engine is waited for all the same: nothing can end a C function. An
   * asynchronous one is let go of, and the call rejects with the reason.
   */
  readonly signal?: AbortSignal;
  /** In milliseconds of `performance.now()`. An asynchronous engine gets what is left of it as its timeout. */
  readonly deadline?: number;
  /** For the log. */
  readonly sid?: string;
}

/** What an engine gave at a time. Its memory stays as it is for as long as somebody refers to it. */
export interface EngineAnswer {
  readonly outputs: readonly TextInput[];
  /** @throws TypeError that says what there is instead */
  get(key: string): TextInput;
}

/** One packet of a stream: of a wrapper's session, or made anew. */
export interface EnginePacket {
  readonly frames: readonly EngineInput[];
  /** Every input of the stream has ended with this packet. */
  readonly last: boolean;
}

/** A C engine, as a wrapper around it calls it. */
export interface Engine {
  readonly version: string;
  readonly capabilities: EngineCapabilities;
  /**
   * One call.
   * @throws PluginError with the code and the text of the engine
   */
  once(
    request: { readonly params?: EngineParams; readonly inputs: readonly EngineInput[] },
    call?: EngineCall,
  ): Promise<EngineAnswer>;
  /**
   * A whole stream: hands packets over as they come, gives results as they come, and ends the engine's stream with
   * the final result, with an error, when the packets end without a last one, or when whoever iterates leaves.
   * @throws PluginError
   */
  stream(
    request: { readonly params?: EngineParams; readonly packets: AsyncIterable<EnginePacket> },
    call?: EngineCall,
  ): AsyncGenerator<EngineAnswer, void, undefined>;
  /** A stream by hand, for what `stream` does not do. Whoever opens it closes it. @throws PluginError */
  open(request?: { readonly params?: EngineParams }, call?: EngineCall): Promise<EngineStream>;
}

export interface EngineStream {
  /** Settles when the engine has taken the packet. @throws PluginError */
  write(inputs: readonly EngineInput[], options: { readonly last: boolean }): Promise<void>;
  /** Ends after a final result, and when the stream is closed. To be iterated once. @throws PluginError */
  results(): AsyncIterable<EngineAnswer>;
  /** Waits for the call that is running. Idempotent. */
  close(): Promise<void>;
}

/** An engine that runs. */
export class LoadedEngine implements Engine {
  readonly version: string;
  readonly capabilities: EngineCapabilities;
  readonly #runtime: PluginRuntime;
  readonly #calls: RunningCalls;

  private constructor(runtime: PluginRuntime, calls: RunningCalls, { version, capabilities }: PluginInfo) {
    this.#runtime = runtime;
    this.#calls = calls;
    this.version = version;
    this.capabilities = { once: capabilities.once, stream: capabilities.stream };
  }

  /** @throws AigesError `initFailed` */
  static async load(
    library: string | URL,
    options: EngineOptions,
    config: StringMap,
    port: NativePluginPort,
  ): Promise<LoadedEngine> {
    if (port.openEngine === undefined)
      throw new TypeError('nobody here can load engines: use testWrapper of aiges-ts/testing');
    const calls = new RunningCalls(port);
    const runtime = port.openEngine(library, options, calls);
    return new LoadedEngine(runtime, calls, await runtime.start(config));
  }

  async once({ params = {}, inputs }: Parameters<Engine['once']>[0], given: EngineCall = {}): Promise<EngineAnswer> {
    const call = this.#calls.begin(params, given);
    try {
      // Not released: a wrapper may keep what it got. Collecting the buffers frees their memory.
      const { frames } = await this.#runtime.once(
        call,
        inputs.map((input) => toFrame(input, DataStatus.once)),
      );
      return new Answer(frames);
    } catch (caught) {
      throw toPluginError(caught);
    } finally {
      this.#calls.end(call);
    }
  }

  async open({ params = {} }: { readonly params?: EngineParams } = {}, given: EngineCall = {}): Promise<EngineStream> {
    const call = this.#calls.begin(params, given);
    try {
      const session = await this.#runtime.open(call);
      return new OpenStream(session, () => {
        this.#calls.end(call);
      });
    } catch (caught) {
      this.#calls.end(call);
      throw toPluginError(caught);
    }
  }

  async *stream(
    { params = {}, packets }: Parameters<Engine['stream']>[0],
    call: EngineCall = {},
  ): AsyncGenerator<EngineAnswer, void, undefined> {
    const stream = await this.open({ params }, call);
    let failure: { readonly error: unknown } | null = null;
    const write = async (): Promise<void> => {
      try {
        for await (const { frames, last } of packets) {
          await stream.write(frames, { last });
          if (last) return;
        }
      } catch (error) {
        failure ??= { error };
      }
      // Nothing will end the stream any more: the client has left, or something has failed.
      await stream.close();
    };
    const failed = (): { readonly error: unknown } | null => failure;
    // Not awaited: it may wait for a packet that never comes. It ends with the packets, or at its next write.
    void write();
    const leave = (): void => {
      stream.close().catch(() => undefined);
    };
    // Also after the last packet, when whoever iterates waits for a result that may never come.
    call.signal?.addEventListener('abort', leave);
    if (call.signal?.aborted === true) leave();
    try {
      for await (const answer of stream.results()) yield answer;
      const reason = failed();
      if (reason !== null) throw reason.error;
    } finally {
      call.signal?.removeEventListener('abort', leave);
      await stream.close();
    }
  }

  /** @throws AigesError `finiFailed` */
  stop(): Promise<void> {
    return this.#runtime.stop();
  }
}

class OpenStream implements EngineStream {
  readonly #session: RuntimeSession;
  readonly #onClosed: () => void;
  #begun = false;

  constructor(session: RuntimeSession, onClosed: () => void) {
    this.#session = session;
    this.#onClosed = onClosed;
  }

  async write(inputs: readonly EngineInput[], { last }: { readonly last: boolean }): Promise<void> {
    const status = last ? DataStatus.end : this.#begun ? DataStatus.continue : DataStatus.begin;
    this.#begun = true;
    const frames = inputs.map((input) => toFrame(input, status));
    try {
      await this.#session.write(frames, { last });
    } catch (caught) {
      throw toPluginError(caught);
    }
  }

  async *results(): AsyncGenerator<EngineAnswer, void, undefined> {
    try {
      for await (const { frames } of this.#session.results()) yield new Answer(frames);
    } catch (caught) {
      throw toPluginError(caught);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#session.close();
    } finally {
      this.#onClosed();
    }
  }
}

/** The calls that an engine works on, by the names that it knows them by. */
class RunningCalls implements EngineReports {
  readonly #port: NativePluginPort;
  readonly #contexts = new Map<string, CallContext>();
  /** Tags are known in the whole process: other threads have the same engine. */
  readonly #prefix = randomBytes(6).toString('hex');
  #count = 0;

  constructor(port: NativePluginPort) {
    this.#port = port;
  }

  begin(params: EngineParams, { signal, deadline, sid }: EngineCall): Call {
    const tag = `${this.#prefix}-${++this.#count}`;
    const context = currentCall.getStore();
    if (context !== undefined) this.#contexts.set(tag, context);
    return {
      sid: sid ?? '',
      tag,
      params: toParams(params),
      resourceIds: [],
      expect: null,
      signal: signal ?? new AbortController().signal,
      deadline: deadline ?? Infinity,
    };
  }

  end({ tag }: Call): void {
    this.#contexts.delete(tag);
  }

  readonly onMeter: EngineReports['onMeter'] = (tag, key, count) => {
    const context = this.#contexts.get(tag);
    if (context === undefined) this.#port.meter({ sid: '', tag }, key, count);
    else context.meter(key, count);
  };

  readonly onTrace: EngineReports['onTrace'] = (tag, key, value) => {
    const context = this.#contexts.get(tag);
    if (context === undefined) this.#port.trace({ sid: '', tag }, key, value);
    else context.trace(key, value);
  };
}

class Answer implements EngineAnswer {
  readonly outputs: readonly TextInput[];

  constructor(frames: readonly Frame[]) {
    this.outputs = frames.map(decodeInput);
  }

  get(key: string): TextInput {
    const found = this.outputs.find((output) => output.key === key);
    if (found !== undefined) return found;
    const given = this.outputs.map((output) => JSON.stringify(output.key)).join(', ') || 'nothing';
    throw new TypeError(`expected an output ${JSON.stringify(key)} of the engine but it gave ${given}`);
  }
}

function toFrame({ key, data, type, status, desc = {} }: EngineInput, placed: number): Frame {
  const isText = typeof data === 'string';
  return {
    key,
    data: isText ? Buffer.from(data) : data,
    type: type ?? (isText ? DataType.text : DataType.other),
    status: status ?? placed,
    desc: toMap(desc),
  };
}

function toParams(params: EngineParams): StringMap {
  if (params instanceof Map) return params as StringMap;
  return new Map(
    Object.entries(params as Readonly<Record<string, unknown>>)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}

function toMap(desc: StringMap | Readonly<Record<string, string>>): StringMap {
  return desc instanceof Map ? (desc as StringMap) : new Map(Object.entries(desc as Readonly<Record<string, string>>));
}

/** What an engine says in its own words is the author's to handle; everything else is the loader's. */
function toPluginError(caught: unknown): unknown {
  if (!isEngineFailure(caught)) return caught;
  const { message, pluginCode } = caught;
  const suffix = `;code=${pluginCode}`;
  const text = message.endsWith(suffix) ? message.slice(0, -suffix.length) : message;
  return new PluginError(pluginCode, text, { cause: caught });
}

/** Not `instanceof`: the loader's error may be of another copy of this package than the wrapper's. */
function isEngineFailure(caught: unknown): caught is AigesError & { readonly pluginCode: number } {
  if (!(caught instanceof Error) || caught.name !== 'AigesError' || !('pluginCode' in caught)) return false;
  return typeof caught.pluginCode === 'number' && caught.pluginCode !== 0;
}
