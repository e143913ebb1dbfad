import { AigesError } from '../../core/errors.js';
import { type Frame, isFinal } from '../../core/frame.js';
import type { Output, RuntimeSession, WriteOptions } from '../../core/runtime.js';
import type { Addon, Answer, StreamRef } from './addon.js';
import { toNativeFrame, toOutput } from './convert.js';
import { toCallError } from './errors.js';

/** How long an engine that had nothing is left alone once its input has ended, as in the original. */
const pauseMs = 50;
/** From 5 s on the pauses grow with the time that it takes, up to this. */
const longestPauseMs = 500;

/** One stream of a C engine. Its calls on the engine take turns; what `close` finds running returns before it. */
export class NativeSession implements RuntimeSession {
  readonly #addon: Addon;
  readonly #stream: StreamRef;
  readonly #async: boolean;
  readonly #onClosed: () => void;
  /** Settles when the last call that was asked for has returned. Never rejects. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;
  /** Ends the wait of whoever reads. */
  #wake: () => void = () => undefined;
  /** Reads that writes have earned. */
  #due = 0;
  /** Whether the last write ended the input: then the engine is read until its final result. */
  #inputEnded = false;
  /** Reads in a row that gave nothing since then. */
  #empty = 0;
  /** Results of callbacks that have left the addon and that nobody has taken. */
  #waiting: Output[] = [];

  /** @param async whether the engine calls back; otherwise it is read */
  constructor(addon: Addon, stream: StreamRef, async: boolean, onClosed: () => void) {
    this.#addon = addon;
    this.#stream = stream;
    this.#async = async;
    this.#onClosed = onClosed;
  }

  async write(frames: readonly Frame[], { last }: WriteOptions): Promise<void> {
    const written = await this.#inTurn(() => this.#addon.writeStream(this.#stream, frames.map(toNativeFrame)));
    if (written === closed) throw new AigesError('writeFailed', { message: 'the stream is closed' });
    this.#due++;
    this.#inputEnded = last;
    this.#empty = 0;
    this.#wake();
  }

  async *results(): AsyncGenerator<Output> {
    while (this.#closed === null) {
      const output = await (this.#async ? this.#nextOfCallbacks() : this.#read());
      if (output === null) return;
      const final = output.frames.some(isFinal);
      yield output;
      if (final) return;
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const destroyed = this.#addon.closeStream(this.#stream);
    this.#wake();
    for (const output of this.#waiting.splice(0)) output.release();
    try {
      await destroyed;
    } catch {
      // The engine has let go, whatever it says: the results that were taken are good. It is counted.
    } finally {
      this.#onClosed();
    }
  }

  async #nextOfCallbacks(): Promise<Output | null> {
    const first = this.#waiting.shift();
    if (first !== undefined) return first;
    let batch: readonly Answer[] | null;
    try {
      batch = await this.#addon.streamResults(this.#stream);
    } catch (caught) {
      throw toCallError(caught);
    }
    const outputs = (batch ?? []).map((answer) => toOutput(this.#addon, answer));
    if (!this.#isOpen()) {
      for (const output of outputs) output.release();
      return null;
    }
    const next = outputs.shift();
    this.#waiting = outputs;
    return next ?? null;
  }

  /** Reads when there is something to expect, until the engine gives something; null when the session is closed. */
  async #read(): Promise<Output | null> {
    while (this.#isOpen()) {
      if (this.#due === 0 && !this.#inputEnded) await this.#woken(null);
      else if (this.#due === 0 && this.#empty > 0) await this.#woken(pauseAfter(this.#empty)).then(() => this.#due++);
      else {
        const answer = await this.#inTurn(() => this.#addon.readStream(this.#stream));
        if (answer === closed) return null;
        if (answer !== null) return this.#taken(answer);
        // What earlier writes were good for is what this read has seen.
        this.#due = 0;
        this.#empty++;
      }
    }
    return null;
  }

  #taken(answer: Answer): Output | null {
    this.#due = Math.max(this.#due - 1, 0);
    this.#empty = 0;
    const output = toOutput(this.#addon, answer);
    if (this.#isOpen()) return output;
    output.release();
    return null;
  }

  /** Runs a call on the engine after those before it; not when the session is closed by then. */
  async #inTurn<T>(start: () => Promise<T>): Promise<T | typeof closed> {
    const before = this.#turn;
    const call = before.then<T | typeof closed>(() => (this.#isOpen() ? start() : closed));
    this.#turn = call.catch(() => undefined);
    try {
      return await call;
    } catch (caught) {
      throw toCallError(caught);
    }
  }

  /** Waits for a write or the end, or until `ms` milliseconds have passed; null waits for the former only. */
  #woken(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** A method, because a comparison would be taken to hold across an `await`. */
  #isOpen(): boolean {
    return this.#closed === null;
  }
}

/** @param empty reads in a row that gave nothing */
function pauseAfter(empty: number): number {
  return Math.min(Math.max(pauseMs, empty / 2), longestPauseMs);
}

/** What `#inTurn` gives for a call that was never made. */
const closed = Symbol('closed');
