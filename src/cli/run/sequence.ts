import type { Call } from '../../core/call.js';
import type { Descriptor } from '../../core/descriptor.js';
import { AigesError } from '../../core/errors.js';
import { emptyMap, type Frame, type StringMap } from '../../core/frame.js';
import type { PluginInfo, PluginRuntime, RuntimeSession } from '../../core/runtime.js';
import { checkAnswer, checkResults } from './check.js';
import { onceFrames, type Samples, streamPackets } from './sample.js';

export interface SequenceOptions {
  readonly runtime: PluginRuntime;
  readonly config: StringMap;
  /** Called when the wrapper has said what it needs. */
  readonly readSamples: (descriptor: Descriptor) => Samples;
  /** Length of the pieces that sound comes in. */
  readonly pieceBytes: number;
  /** How long each step may take. */
  readonly timeoutMs: number;
}

/** What happened, in order. */
export type Event =
  | { readonly type: 'started'; readonly ms: number; readonly info: PluginInfo; readonly descriptor: Descriptor }
  | {
      readonly type: 'call';
      readonly step: 'exec' | 'stream';
      readonly params: StringMap;
      readonly packets: readonly (readonly Frame[])[];
    }
  | { readonly type: 'done'; readonly step: Step; readonly ms: number; readonly count?: number }
  | {
      readonly type: 'output';
      readonly step: 'exec' | 'stream';
      readonly ms: number;
      readonly frames: readonly Frame[];
    }
  | { readonly type: 'fault'; readonly step: Step; readonly text: string; readonly detail: string | null };

export type Step = 'init' | 'sample' | 'exec' | 'create' | 'write' | 'results' | 'destroy' | 'fini';

/**
 * Takes a plugin through its life, as the loader does: init, a one-shot call, a stream, fini; what it does not offer
 * is left out.
 * @param tell hears everything as it happens
 * @returns whether all went well and everything was as declared
 * @throws UsageError when samples are missing
 */
export async function runSequence(options: SequenceOptions, tell: (event: Event) => void): Promise<boolean> {
  const sequence = new Sequence(options, tell);
  return sequence.run();
}

class Sequence {
  readonly #options: SequenceOptions;
  readonly #tell: (event: Event) => void;
  #passed = true;
  #calls = 0;

  constructor(options: SequenceOptions, tell: (event: Event) => void) {
    this.#options = options;
    this.#tell = tell;
  }

  async run(): Promise<boolean> {
    const { runtime, config, readSamples } = this.#options;
    const since = performance.now();
    let ended = false;
    try {
      const info = await this.#within('init', runtime.start(config));
      const { descriptor } = info;
      if (descriptor === null) throw new AigesError('initFailed', { message: 'the plugin declares nothing' });
      this.#tell({ type: 'started', ms: performance.now() - since, info, descriptor });
      const samples = readSamples(descriptor);
      if (info.capabilities.once) await this.#once(descriptor, samples);
      if (info.capabilities.stream) await this.#stream(descriptor, samples);
      ended = true;
      await this.#timed('fini', runtime.stop());
    } catch (error) {
      if (!(error instanceof AigesError)) throw error;
      this.#fault(ended ? 'fini' : 'init', error);
    } finally {
      // Idempotent; a wrapper that hangs in here has had its time.
      if (!ended) await this.#within('fini', runtime.stop()).catch(() => undefined);
    }
    return this.#passed;
  }

  async #once(descriptor: Descriptor, samples: Samples): Promise<void> {
    const frames = onceFrames(samples);
    this.#tell({ type: 'call', step: 'exec', params: samples.params, packets: [frames] });
    const since = performance.now();
    try {
      const output = await this.#call(samples, (call) => this.#options.runtime.once(call, frames));
      this.#tell({ type: 'output', step: 'exec', ms: performance.now() - since, frames: output.frames });
      for (const text of checkAnswer(descriptor, output.frames)) this.#fault('exec', text);
      output.release();
    } catch (error) {
      this.#fault('exec', AigesError.from(error));
    }
  }

  async #stream(descriptor: Descriptor, samples: Samples): Promise<void> {
    const packets = streamPackets(samples, this.#options.pieceBytes);
    this.#tell({ type: 'call', step: 'stream', params: samples.params, packets });
    await this.#call(samples, async (call) => {
      let session: RuntimeSession;
      try {
        session = await this.#timed('create', this.#options.runtime.open(call));
      } catch (error) {
        this.#fault('create', AigesError.from(error));
        return;
      }
      const results: Frame[][] = [];
      const [written, read] = await Promise.allSettled([
        this.#write(session, packets).catch((error: unknown) => {
          // Results may wait for a packet that will not come.
          void session.close().catch(() => undefined);
          throw error;
        }),
        this.#within('results', this.#read(session, results)),
      ]);
      if (written.status === 'rejected') this.#fault('write', AigesError.from(written.reason));
      else if (read.status === 'rejected') this.#fault('results', AigesError.from(read.reason));
      else for (const text of checkResults(descriptor, results)) this.#fault('results', text);
      await this.#timed('destroy', session.close()).catch((error: unknown) => {
        this.#fault('destroy', AigesError.from(error));
      });
    });
  }

  async #write(session: RuntimeSession, packets: readonly (readonly Frame[])[]): Promise<void> {
    const since = performance.now();
    for (const [n, packet] of packets.entries()) {
      await this.#within('write', session.write(packet, { last: n === packets.length - 1 }));
    }
    this.#tell({ type: 'done', step: 'write', ms: performance.now() - since, count: packets.length });
  }

  async #read(session: RuntimeSession, results: Frame[][]): Promise<void> {
    let since = performance.now();
    for await (const output of session.results()) {
      this.#tell({ type: 'output', step: 'stream', ms: performance.now() - since, frames: output.frames });
      // What is released may be gone by the time that all is checked.
      results.push(output.frames.map((frame) => ({ ...frame, data: new Uint8Array(frame.data) })));
      output.release();
      since = performance.now();
    }
  }

  /** Makes a call with a deadline, as every call of a client has one. */
  async #call<T>(samples: Samples, work: (call: Call) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    const { timeoutMs } = this.#options;
    const timer = setTimeout(() => {
      abort.abort(new AigesError('timeout', { message: `no answer within ${timeoutMs} ms (--timeout)` }));
    }, timeoutMs);
    try {
      return await work({
        sid: 'run',
        tag: `run-${++this.#calls}`,
        params: samples.params.size === 0 ? emptyMap : samples.params,
        resourceIds: [],
        expect: null,
        signal: abort.signal,
        deadline: performance.now() + timeoutMs,
      });
    } catch (error) {
      // That its thread was ended then says less.
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #timed<T>(step: Step, work: Promise<T>): Promise<T> {
    const since = performance.now();
    const result = await this.#within(step, work);
    this.#tell({ type: 'done', step, ms: performance.now() - since });
    return result;
  }

  /** Gives up on a step that takes too long. */
  async #within<T>(step: Step, work: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new AigesError('timeout', { message: `${step} did not return within ${timeoutMs} ms (--timeout)` }));
      }, timeoutMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #fault(step: Step, fault: AigesError | string): void {
    this.#passed = false;
    const [text, detail] = typeof fault === 'string' ? [fault, null] : [fault.message, fault.detail];
    this.#tell({ type: 'fault', step, text, detail });
  }
}
