import type { Call } from '../core/call.js';
import { AigesError } from '../core/errors.js';
import { type Frame, isFinal } from '../core/frame.js';
import type { Output, PluginRuntime, RuntimeSession } from '../core/runtime.js';
import type { Signal } from '../core/signal.js';
import type { Permit } from './admission.js';
import { aborted } from './deadline.js';
import { checkExpected } from './expect.js';
import type { Input, Prepare } from './input.js';
import { Reorder } from './reorder.js';
import type { Use } from './resources.js';
import { ResultQueue } from './result-queue.js';

export interface SessionOptions {
  /** What the plugin gets; the session adds the signal, which aborts when it is closed. */
  readonly call: Omit<Call, 'signal' | 'deadline'>;
  readonly runtime: PluginRuntime;
  readonly permit: Permit;
  /** Holds the resources that the call names, before the plugin hears of it; null when there are none to hold. */
  readonly use: (signal: Signal) => Promise<Use | null>;
  /** Number of the packet that opens the session. */
  readonly firstNumber: number;
  /** Milliseconds to wait for a packet that is missing before the ones behind it are taken. */
  readonly gapMs: number;
  /** Packets that may wait for their turn. */
  readonly maxPackets: number;
  /** Whether results are taken while input is still coming. */
  readonly realTime: boolean;
  /** Makes frames complete before the plugin gets them. */
  readonly prepare: Prepare;
  /** The inputs that the service declares; null when it declares none: then those that were seen count. */
  readonly inputs: readonly string[] | null;
}

/** Results, and bytes of them, that may wait for the client before the plugin's are left where they are. */
const maxResults = 100;
const maxResultBytes = 4 * 1024 * 1024;

/** Names of inputs that a client may bring along: they are kept for as long as the session lasts. */
const maxInputs = 1000;

/**
 * One stream: packets in, results out, at the pace of each side. Owns its permit, the plugin's stream, its timers and
 * the results that nobody has taken; `close` lets go of all of them, and so does the end of the stream.
 */
export class Session {
  /** Resolves when the plugin has let go of the stream and the permit is back. Never rejects. */
  readonly done: Promise<void>;
  readonly #options: SessionOptions;
  readonly #packets: Reorder<Input>;
  readonly #results = new ResultQueue<Output>(maxResults, { max: maxResultBytes, of: bytesIn });
  readonly #abort = new AbortController();
  /** Inputs that were seen, and whether the last frame of each ended it. */
  readonly #ended = new Map<string, boolean>();
  #wake: () => void = () => undefined;
  #failure: AigesError | null = null;
  #finished = false;
  #lastWritten = false;
  #touched = performance.now();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#packets = new Reorder(options.firstNumber, options.maxPackets);
    this.done = this.#run();
  }

  /** When the client or the plugin last did something, in milliseconds of `performance.now()`. */
  get touched(): number {
    return this.#touched;
  }

  /** Whether the plugin has got the end of every input. */
  get inputEnded(): boolean {
    return this.#lastWritten;
  }

  /** Says that the client is still there. */
  touch(): void {
    this.#touched = performance.now();
  }

  /**
   * Takes a packet of input, and with it its hold on memory. One without frames only takes its number.
   * @throws AigesError why the session has ended, or `invalidInput` when too many packets wait
   */
  put(number: number, input: Input): void {
    const placed = this.#finished || this.#failure !== null ? null : this.#packets.put(number, input);
    if (placed?.kept === true) {
      placed.replaced?.release();
      this.#wake();
      return;
    }
    input.release();
    this.#throwFailure();
    if (placed?.why === 'full') {
      throw new AigesError('invalidInput', { detail: `${this.#packets.size} packets wait for their turn already` });
    }
  }

  /**
   * Takes the next result.
   * @param wait aborts when the client waits no longer
   * @returns null when there is none by the time `wait` aborts, or none left after the last one
   * @throws AigesError why the session has ended without a last result
   */
  async next(wait: Signal): Promise<Output | null> {
    this.#throwFailure();
    const output = await this.#results.take(wait);
    if (output === null) this.#throwFailure();
    return output;
  }

  /** Ends the session: what waits is dropped, the plugin is told, and everyone who asks gets `reason`. Idempotent. */
  close(reason: AigesError): Promise<void> {
    this.#fail(reason);
    return this.done;
  }

  async #run(): Promise<void> {
    const { call, permit, runtime, use } = this.#options;
    let final: Output | null = null;
    let used: Use | null = null;
    try {
      used = await use(this.#abort.signal);
      const stream = await runtime.open({ ...call, signal: this.#abort.signal, deadline: Infinity });
      final = await this.#drive(stream);
    } catch (error) {
      this.#fail(AigesError.from(error));
    } finally {
      this.#finished = true;
      for (const input of this.#packets.clear()) input.release();
      used?.release();
      permit.release();
    }
    // The permit is free by now: a client that has the last result may open the next session at once.
    if (final !== null && this.#failure === null) void this.#results.push(final);
    else final?.release();
    this.#results.end();
  }

  /** Feeds and reads the stream until its final result. */
  async #drive(stream: RuntimeSession): Promise<Output | null> {
    const fed = gate();
    const stop = new AbortController();
    const feeding = this.#feed(stream, fed.open, stop.signal);
    const reading = this.#options.realTime
      ? this.#collect(stream)
      : Promise.race([fed.promise, aborted(stop.signal)]).then(() => this.#collect(stream));
    let final: Output | null = null;
    try {
      // Feeding ends by itself only when it fails.
      final = await Promise.race([reading, feeding.then(() => reading), aborted(this.#abort.signal).then(() => null)]);
    } catch (error) {
      // At once: reading may be held up by results that nobody takes, and would hold up the news of it.
      this.#fail(AigesError.from(error));
    } finally {
      stop.abort();
      this.#wake();
      await stream.close();
      // Both end with the stream; what they failed with after that concerns nobody.
      const [, read] = await Promise.allSettled([feeding, reading]);
      if (read.status === 'fulfilled' && read.value !== final) read.value.release();
    }
    return final;
  }

  /** @param stop ends the wait for packets, and whatever makes one complete */
  async #feed(stream: RuntimeSession, lastWritten: () => void, stop: Signal): Promise<void> {
    let blockedSince: number | null = null;
    while (!stop.aborted) {
      const taken = this.#packets.take();
      if (taken !== undefined) {
        blockedSince = null;
        await this.#write(stream, taken, lastWritten, stop);
        continue;
      }
      if (!this.#packets.blocked) blockedSince = null;
      else blockedSince ??= performance.now();
      const patience = blockedSince === null ? null : blockedSince + this.#options.gapMs - performance.now();
      if (patience !== null && patience <= 0) this.#packets.skip();
      else await this.#packetOr(patience);
    }
  }

  async #write(stream: RuntimeSession, packet: Input, lastWritten: () => void, stop: Signal): Promise<void> {
    try {
      if (packet.frames.length === 0 && packet.last !== true) return;
      this.#note(packet.frames);
      const last = packet.last === true || this.#inputEnded();
      const frames = await this.#options.prepare(packet.frames, stop);
      await stream.write(frames, { last });
      this.touch();
      if (last) {
        this.#lastWritten = true;
        lastWritten();
      }
    } finally {
      packet.release();
    }
  }

  /**
   * Passes results on until the final one, which it gives back.
   * @throws AigesError `readFailed` when the plugin gives none: clients would wait for it
   */
  async #collect(stream: RuntimeSession): Promise<Output> {
    for await (const output of stream.results()) {
      this.touch();
      try {
        checkExpected(output.frames, this.#options.call.expect, 'outputTypeMismatch');
      } catch (error) {
        output.release();
        throw error;
      }
      // An engine that calls back with nothing says nothing.
      if (this.#failure !== null || output.frames.length === 0) output.release();
      else if (output.frames.some(isFinal)) return output;
      else await this.#results.push(output);
    }
    throw new AigesError('readFailed', { detail: 'the plugin ended the stream without a last result' });
  }

  #note(frames: readonly Frame[]): void {
    for (const frame of frames) {
      this.#ended.set(frame.key, isFinal(frame));
      if (this.#ended.size > maxInputs) {
        throw new AigesError('invalidInput', { detail: `a stream has at most ${maxInputs} inputs` });
      }
    }
  }

  #inputEnded(): boolean {
    const declared = this.#options.inputs ?? [...this.#ended.keys()];
    return declared.every((name) => this.#ended.get(name) === true);
  }

  /** Waits for a packet, or until `ms` milliseconds have passed; null waits for a packet only. */
  #packetOr(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The first failure is the one that counts. */
  #fail(reason: AigesError): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    // Also while the plugin is still opening the stream: nobody wants an answer to what waits.
    for (const input of this.#packets.clear()) input.release();
    for (const output of this.#results.clear()) output.release();
    this.#results.end();
    this.#abort.abort(reason);
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}

function bytesIn({ frames }: Output): number {
  return frames.reduce((sum, { data }) => sum + data.byteLength, 0);
}

function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}
