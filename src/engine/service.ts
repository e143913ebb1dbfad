import type { Call } from '../core/call.js';
import type { Descriptor } from '../core/descriptor.js';
import { AigesError } from '../core/errors.js';
import { DataStatus, type Frame, isFinal, type StringMap } from '../core/frame.js';
import type { Output, PluginInfo, PluginRuntime } from '../core/runtime.js';
import type { Signal } from '../core/signal.js';
import type { Admission, Permit } from './admission.js';
import { untilAborted } from './deadline.js';
import { checkExpected } from './expect.js';
import type { Input, Prepare } from './input.js';
import { Resources, type Use } from './resources.js';
import { Session, type SessionOptions } from './session.js';

export interface ServiceOptions {
  readonly name: string;
  readonly runtime: PluginRuntime;
  readonly admission: Admission;
  /** Makes frames complete before the plugin gets them; the call holds its permit meanwhile. */
  readonly prepare: Prepare;
  /** Personalised resources that may be loaded at the same time; null offers none to clients. */
  readonly resources: number | null;
  readonly streams: Pick<SessionOptions, 'gapMs' | 'maxPackets' | 'realTime' | 'inputs'>;
  /** Sees the complete input of every one-shot call. It returns at once, never throws, and keeps no frame. */
  readonly record?: (frames: readonly Frame[]) => void;
}

/** One plugin behind one admission limit: where every transport sends its calls. */
export class Service {
  readonly name: string;
  readonly #runtime: PluginRuntime;
  readonly #admission: Admission;
  readonly #prepare: Prepare;
  readonly #streams: ServiceOptions['streams'];
  readonly #record: NonNullable<ServiceOptions['record']>;
  #sessions = 0;
  /** What the plugin says of itself. Read anew for every call: a plugin that is being written changes. */
  #info: PluginInfo | null = null;
  readonly #resources: Resources | null;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#runtime = options.runtime;
    this.#admission = options.admission;
    this.#prepare = options.prepare;
    this.#streams = options.streams;
    this.#record = options.record ?? (() => undefined);
    const { runtime, prepare, resources: max } = options;
    this.#resources = max === null ? null : new Resources({ runtime, prepare, max });
  }

  /** @throws AigesError `initFailed` */
  async start(config: StringMap): Promise<PluginInfo> {
    this.#info = await this.#runtime.start(config);
    return this.#info;
  }

  /** The personalised resources of the plugin; null when it takes none, or clients are not to load any. */
  get resources(): Resources | null {
    return this.#info?.capabilities.resources === true ? this.#resources : null;
  }

  /** What the plugin can do; nothing before it has started. */
  get capabilities(): PluginInfo['capabilities'] {
    return this.#info?.capabilities ?? { once: false, stream: false, resources: false };
  }

  /** What the plugin says about its requests and answers; null when it says nothing. */
  get descriptor(): Descriptor | null {
    return this.#info?.descriptor ?? null;
  }

  /** Whether the plugin can take calls at this moment; one that has to be started again cannot. */
  get ready(): boolean {
    return this.#info !== null && this.#runtime.ready;
  }

  /** Whether new calls are still taken. */
  get accepting(): boolean {
    return !this.#admission.closed;
  }

  get load(): { readonly running: number; readonly waiting: number; readonly permits: number } {
    const { running, waiting, permits } = this.#admission;
    return { running, waiting, permits };
  }

  /** Streams whose permit is taken. */
  get sessions(): number {
    return this.#sessions;
  }

  /** The names of the inputs: who configures the service has the last word. null when nobody can say. */
  get inputs(): readonly string[] | null {
    return this.#streams.inputs ?? this.#info?.inputs ?? null;
  }

  /**
   * Lets a call in before it begins, for who has to say at once whether it will.
   * @throws AigesError `noLicense`
   */
  admit(): Permit {
    return this.#admission.tryAcquire();
  }

  /** Calls, sessions and operations on resources that plugin code has not returned from. */
  get inside(): number {
    return this.#admission.running + (this.#resources?.running ?? 0);
  }

  /**
   * Answers one request.
   * The answer's frames are those of the plugin, checked against `call.expect`; release them when sent.
   * @throws AigesError the plugin's failure, or the signal's reason as soon as it aborts: the plugin may then
   *   still be running, and keeps its permit until it has returned
   * @param permit one of `admit`, which is the call's from now on; without it the call waits in the queue for one
   */
  async once(call: Call, input: Input, permit?: Permit): Promise<Output> {
    let running: Promise<Output>;
    try {
      running = this.#run(call, input, permit ?? (await this.#queue(call.signal)));
    } catch (error) {
      input.release();
      throw AigesError.from(error);
    }
    const output = await untilAborted(running, call.signal, (late) => {
      late.release();
    });
    try {
      checkExpected(output.frames, call.expect, 'outputNotExpected');
    } catch (error) {
      output.release();
      throw error;
    }
    return output;
  }

  /**
   * Takes a permit for as long as something else than the plugin keeps a call busy.
   * @param permit one of `admit`, which goes back afterwards
   */
  async hold<T>(work: () => Promise<T>, permit: Permit): Promise<T> {
    try {
      return await work();
    } finally {
      permit.release();
    }
  }

  /**
   * Checks a packet of a stream before it is taken: an input that the service does not have would be waited for in
   * vain, or its data lost.
   * @throws AigesError `invalidInput`
   */
  checkInputs(frames: readonly Frame[]): void {
    const inputs = this.inputs;
    const unknown = inputs === null ? undefined : frames.find(({ key }) => !inputs.includes(key));
    if (inputs === null || unknown === undefined) return;
    const names = inputs.map((name) => JSON.stringify(name)).join(', ');
    throw new AigesError('invalidInput', {
      detail: `the packet has input ${JSON.stringify(unknown.key)}, the service has ${names}`,
    });
  }

  /**
   * Opens a stream. The session begins at once; what fails, fails in it.
   * @throws AigesError `noLicense`, or `invalidInput` for a resource that is not loaded
   */
  open(call: SessionOptions['call'], firstNumber: number): Session {
    if (call.resourceIds.length > 0) this.#resources?.check(call.resourceIds);
    const session = new Session({
      ...this.#streams,
      inputs: this.inputs,
      prepare: this.#prepare,
      call,
      firstNumber,
      runtime: this.#runtime,
      use: (signal) => this.#use(call, signal),
      permit: this.#admission.tryAcquire(),
    });
    this.#sessions++;
    void session.done.then(() => this.#sessions--);
    return session;
  }

  /**
   * Changes how many calls may run at the same time.
   * @throws the signal's reason when too many are still running by then; nothing has changed in that case
   */
  resize(permits: number, signal: Signal): Promise<void> {
    return this.#admission.resize(permits, signal);
  }

  /**
   * Takes nothing new from now on and resolves when plugin code has returned from the last call, of those that wait for a
   * permit too: how long they may is what their signals say.
   */
  async drain(): Promise<void> {
    this.#admission.close();
    this.#resources?.close();
    await Promise.all([this.#admission.idle(), this.#resources?.idle()]);
  }

  /**
   * Unloads what is loaded and ends the plugin. Call it after `drain()`.
   * @returns why resources could not be unloaded; the plugin has ended all the same
   */
  async stop(): Promise<readonly AigesError[]> {
    const failures = (await this.#resources?.unloadAll()) ?? [];
    await this.#runtime.stop();
    return failures;
  }

  async #queue(signal: Signal): Promise<Permit> {
    signal.throwIfAborted();
    return this.#admission.acquire(signal);
  }

  async #run(call: Call, input: Input, permit: Permit): Promise<Output> {
    let use: Use | null = null;
    try {
      // A call whose client has left while it waited is not worth starting.
      call.signal.throwIfAborted();
      // Waiting for what is there already costs as much as a small request.
      if (call.resourceIds.length > 0) use = await this.#use(call, call.signal);
      const prepared = this.#prepare(input.frames, call.signal);
      const frames = prepared instanceof Promise ? await prepared : prepared;
      this.#record(frames);
      return await this.#runtime.once(call, frames);
    } finally {
      use?.release();
      input.release();
      // Before the answer can be seen, so that a client that sends the next request at once finds it free.
      permit.release();
    }
  }

  /** Holds the resources that a call names; null when there are none to hold. */
  async #use({ resourceIds }: Pick<Call, 'resourceIds'>, signal: Signal): Promise<Use | null> {
    return resourceIds.length === 0 || this.#resources === null ? null : this.#resources.use(resourceIds, signal);
  }
}

/** The status of a result of a stream: that of a frame that ends the stream, wherever it stands, else of the last one. */
export function resultStatus(frames: readonly Frame[]): number {
  return frames.find(isFinal)?.status ?? answerStatus(frames);
}

/** The status of a whole answer: that of its last frame. */
export function answerStatus(frames: readonly Frame[]): number {
  return frames.at(-1)?.status ?? DataStatus.once;
}
