import type { ExpectedOutput } from '../../core/call.js';
import type { AigesError } from '../../core/errors.js';
import type { Output } from '../../core/runtime.js';
import type { Signal } from '../../core/signal.js';
import type { Input } from '../../engine/input.js';
import { StreamAttributes } from '../../engine/output-attributes.js';
import { resultStatus } from '../../engine/service.js';
import type { Session } from '../../engine/session.js';
import type { Posting } from './posting.js';
import { type Answer, empty, type Served } from './request.js';

/** A stream session as clients of this protocol drive it: with unary calls that name its handle. */
export class XsfStream {
  readonly served: Served;
  /** Where the results are posted; null when the client asks for them. */
  readonly posting: Posting | null;
  readonly #session: Session;
  readonly #attributes: StreamAttributes;

  constructor(served: Served, session: Session, expect: readonly ExpectedOutput[], posting: Posting | null) {
    this.served = served;
    this.#session = session;
    this.#attributes = new StreamAttributes(expect);
    this.posting = posting;
  }

  /** When the client or the plugin last did something, in milliseconds of `performance.now()`. */
  get touched(): number {
    return this.#session.touched;
  }

  /** Resolves when the plugin has let go of the stream. */
  get done(): Promise<void> {
    return this.#session.done;
  }

  /** Says that the client is still there. */
  touch(): void {
    this.#session.touch();
  }

  /** @throws AigesError why the session has ended, or what is wrong with the packet */
  put(number: number, input: Input): void {
    this.#session.put(number, input);
  }

  /**
   * Answers with the next result, or with an empty output when there is none by the time `wait` aborts.
   * @throws AigesError why the session has ended
   */
  async next(serviceId: string, wait: Signal): Promise<Answer> {
    this.#session.touch();
    const output = await this.#session.next(wait);
    if (output === null) return empty(serviceId);
    const payloads = output.frames.map((frame) => ({ frame, attributes: this.#attributes.next(frame) }));
    return {
      output: { serviceId, error: null, status: resultStatus(output.frames), payloads },
      release: releaseOf(output),
    };
  }

  close(reason: AigesError): Promise<void> {
    return this.#session.close(reason);
  }
}

export function releaseOf(output: Output): () => void {
  return () => {
    output.release();
  };
}
