import { AigesError } from '../../core/errors.js';
import { type Frame, isFinal } from '../../core/frame.js';
import type { Output, RuntimeSession, WriteOptions } from '../../core/runtime.js';
import type { Posting } from './posting.js';
import type { PostedFrame } from './protocol.js';
import type { ResultSink, WorkerThread } from './worker-thread.js';

interface SessionOptions {
  readonly thread: WorkerThread;
  /** Number of the `open`. */
  readonly stream: number;
  readonly post: (frames: readonly Frame[]) => Posting;
  readonly toOutput: (frames: readonly PostedFrame[], copied: number) => Output;
  /** What may wait before anybody reads: results, and bytes of them. */
  readonly unread: { readonly results: number; readonly bytes: number };
  /** Called when the thread has been told to end the stream; what it returns is called when it has. */
  readonly onClosing: () => () => void;
}

/** One stream of a wrapper. It stays on its thread, and ends with it. */
export class WorkerSession implements RuntimeSession, ResultSink {
  readonly #options: SessionOptions;
  readonly #results: Output[] = [];
  #reading = false;
  /** Results that came before anybody read, and bytes of them. They count as taken, so that the wrapper takes the next packet. */
  #early = 0;
  #earlyBytes = 0;
  #overflow: AigesError | null = null;
  #end: { readonly error: AigesError | null } | null = null;
  #wake: () => void = () => undefined;
  #closed: Promise<void> | null = null;

  constructor(options: SessionOptions) {
    this.#options = options;
    options.thread.listen(options.stream, this);
  }

  async write(frames: readonly Frame[], { last }: WriteOptions): Promise<void> {
    const { thread, stream, post } = this.#options;
    if (this.#closed !== null) throw new AigesError('writeFailed', { message: 'the stream is closed' });
    if (this.#overflow !== null) throw this.#overflow;
    const posting = post(frames);
    await thread.ask((id) => ({ type: 'write', id, stream, frames: posting.frames, last }), posting.loans).done;
  }

  async *results(): AsyncGenerator<Output> {
    const { thread, stream } = this.#options;
    this.#reading = true;
    for (;;) {
      const next = this.#results.shift();
      if (next !== undefined) {
        if (this.#early > 0) this.#early--;
        else thread.tell({ type: 'taken', stream });
        const final = next.frames.some(isFinal);
        yield next;
        if (final) return;
      } else if (this.#end !== null) {
        if (this.#end.error !== null && this.#closed === null) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((wake) => (this.#wake = wake));
      }
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  result(frames: readonly PostedFrame[], copied: number): void {
    const output = this.#options.toOutput(frames, copied);
    if (!this.#reading) this.#takeEarly(output);
    if (this.#closed !== null || this.#overflow !== null) {
      output.release();
      return;
    }
    this.#results.push(output);
    this.#wake();
  }

  end(error: AigesError | null): void {
    this.#end ??= { error };
    this.#wake();
  }

  #takeEarly({ frames }: Output): void {
    const { thread, stream, unread } = this.#options;
    thread.tell({ type: 'taken', stream });
    this.#early++;
    for (const { data } of frames) this.#earlyBytes += data.byteLength;
    if (this.#overflow !== null || (this.#early <= unread.results && this.#earlyBytes <= unread.bytes)) return;
    this.#overflow = new AigesError('readFailed', {
      detail: 'more results wait for the end of the input than [limits].results or [limits].resultBytes allows',
    });
    for (const output of this.#results.splice(0)) output.release();
    this.end(this.#overflow);
  }

  async #close(): Promise<void> {
    const { thread, stream, onClosing } = this.#options;
    const { done } = thread.ask((id) => ({ type: 'close', id, stream }));
    const onClosed = onClosing();
    this.end(null);
    for (const output of this.#results.splice(0)) output.release();
    try {
      await done;
    } catch {
      // Its `finally` failed, which is in the log, or the thread is gone: the stream has ended all the same.
    } finally {
      thread.unlisten(stream);
      onClosed();
    }
  }
}
