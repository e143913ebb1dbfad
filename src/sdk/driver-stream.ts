import type { AigesError } from '../core/errors.js';
import { DataStatus, type Frame, isFinal } from '../core/frame.js';
import type { Declaration } from './declaration.js';
import { readInputs } from './request.js';
import { readResult } from './result.js';
import type { Packet } from './types.js';

/** What a wrapper's stream gives, the last of it perhaps as its return value. */
export type Results = AsyncIterator<object, object | undefined>;

interface DriverStreamOptions {
  readonly declaration: Declaration;
  /** Calls the wrapper. */
  readonly start: (packets: AsyncIterable<Packet<object>>) => Results;
  /** Runs wrapper code where it knows which call it works on. */
  readonly inContext: <T>(work: () => T) => T;
  readonly failure: (error: unknown) => AigesError;
}

interface Waiting {
  readonly packet: Packet<object>;
  /** Called when the wrapper comes back for the next one, or will not. */
  readonly done: () => void;
}

/** One stream of a wrapper: packets are handed over one at a time, when the wrapper asks for them. */
export class DriverStream {
  readonly #options: DriverStreamOptions;
  #waiting: Waiting | null = null;
  /** The packet that the wrapper has, until it asks for the next. */
  #taken: Waiting | null = null;
  #wake: () => void = () => undefined;
  #inputEnded = false;
  #over = false;
  #iterator: Results | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: DriverStreamOptions) {
    this.#options = options;
  }

  /**
   * Hands over a packet. Resolves when the wrapper is done with it: it asks for the next one, or the stream is over.
   * @throws AigesError `invalidInput`
   */
  async write(frames: readonly Frame[], last: boolean): Promise<void> {
    const inputs = readInputs(this.#options.declaration, frames, false);
    if (this.#over) return;
    await new Promise<void>((done) => {
      this.#waiting = { packet: { inputs, frames, last }, done };
      this.#wake();
    });
  }

  /** To be iterated once. @throws AigesError what the wrapper threw */
  async *results(): AsyncGenerator<Frame[]> {
    const { declaration, inContext, start, failure } = this.#options;
    let count = 0;
    try {
      const iterator = inContext(() => start({ [Symbol.asyncIterator]: () => this.#packets() }));
      this.#iterator = iterator;
      for (;;) {
        const step = await inContext(() => iterator.next());
        if (this.#isClosed()) return;
        const status = step.done === true ? DataStatus.end : count === 0 ? DataStatus.begin : DataStatus.continue;
        const frames = step.value === undefined ? [] : readResult(declaration, step.value, status, false);
        count++;
        if (step.done === true && !frames.some(isFinal)) frames.push(this.#nothing());
        if (frames.length > 0) yield frames;
        if (frames.some(isFinal)) return;
      }
    } catch (error) {
      throw failure(error);
    } finally {
      this.#end();
    }
  }

  /** Ends the stream: the wrapper gets no more packets, and its `finally` blocks run. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#end();
    try {
      // Waits for what the wrapper is doing right now, and runs its `finally`.
      await this.#options.inContext(() => this.#iterator?.return?.());
    } catch (error) {
      throw this.#options.failure(error);
    }
  }

  async *#packets(): AsyncGenerator<Packet<object>> {
    while (!this.#over && !this.#inputEnded) {
      const next = this.#waiting;
      if (next === null) {
        await new Promise<void>((wake) => (this.#wake = wake));
        continue;
      }
      this.#waiting = null;
      this.#taken = next;
      this.#inputEnded = next.packet.last;
      try {
        yield next.packet;
      } finally {
        this.#taken = null;
        next.done();
      }
    }
  }

  /** A method, because a comparison would be taken to hold across an `await`. */
  #isClosed(): boolean {
    return this.#closed !== null;
  }

  #end(): void {
    this.#over = true;
    this.#waiting?.done();
    this.#waiting = null;
    this.#taken?.done();
    this.#taken = null;
    this.#wake();
  }

  /** Clients know the end of a stream by a status that only a buffer can carry. */
  #nothing(): Frame {
    const { outputs } = this.#options.declaration;
    const output = outputs.find(({ descriptor }) => descriptor.required) ?? outputs[0];
    if (output === undefined) throw new TypeError('the wrapper declares no outputs, so a stream of it cannot end');
    const { name, type, attributes } = output.descriptor;
    return {
      key: name,
      data: new Uint8Array(0),
      type,
      status: DataStatus.end,
      desc: new Map(Object.entries(attributes)),
    };
  }
}
