import { AigesError } from '../../core/errors.js';
import type { StringMap } from '../../core/frame.js';
import { encodeOutput, type LoaderOutput } from './codec.js';
import type { Answer } from './request.js';
import { failedOutput } from './status.js';

/** Where messages go: a queue that keeps them until they have arrived. */
export interface Outlet {
  /** Whether as many messages wait as may. */
  readonly full: boolean;
  /**
   * Resolves when the message has arrived.
   * @throws AigesError when it never will
   */
  publish(body: Uint8Array): Promise<void>;
}

/** A task whose status somebody keeps. */
export interface Task {
  /** Says how it ended, with the answer in base64. Never rejects. */
  finish(succeeded: boolean, result: string, costMs: number): Promise<void>;
}

interface PostedContext {
  /** Its name. */
  readonly service: string;
  readonly handle: string;
  readonly sid: string;
}

export interface PostingEvents {
  /** Told about every request that failed. */
  readonly onError: (error: AigesError, context: PostedContext) => void;
  /** Told about every message that will not arrive; `code` is that of the answer in it. */
  readonly onUndelivered: (reason: AigesError, context: PostedContext & { readonly code: number }) => void;
}

export interface PostingOptions extends PostingEvents {
  readonly outlet: Outlet;
  readonly task: Task | null;
  readonly service: string;
  readonly handle: string;
  readonly sid: string;
  /** What the plugin gets; it is repeated in every message. */
  readonly params: StringMap;
}

/** One request whose answers leave through the outlet. Nothing here rejects: nobody is left to be told. */
export class Posting {
  readonly #options: PostingOptions;
  readonly #startedAt = performance.now();
  #cancelled = false;

  constructor(options: PostingOptions) {
    this.#options = options;
  }

  /** Posts nothing more, because the client has ended the request. What has left has left. */
  cancel(): void {
    this.#cancelled = true;
  }

  /**
   * Posts an answer, whose memory is free when this returns.
   * @param last nothing comes after it: the task is over
   * @returns settles when it has arrived, or never will
   */
  async post({ output, release }: Answer, last: boolean): Promise<void> {
    const encoded = encode(output);
    release?.();
    const posted = this.#cancelled ? null : this.#publish(encoded, output.error?.code ?? 0);
    if (last) await this.#finish(output.error === null && !(encoded instanceof AigesError), encoded);
    await posted;
  }

  /** Posts a failure, which is always the last answer. */
  fail(error: AigesError): Promise<void> {
    const { service, handle, sid, onError } = this.#options;
    if (!this.#cancelled) onError(error, { service, handle, sid });
    return this.post({ output: failedOutput(error) }, true);
  }

  async #publish(encoded: string | AigesError, code: number): Promise<void> {
    const { outlet, params, service, handle, sid, onUndelivered } = this.#options;
    try {
      await outlet.publish(encodeBody(params, encoded));
    } catch (caught) {
      onUndelivered(AigesError.from(caught), { service, handle, sid, code });
    }
  }

  async #finish(succeeded: boolean, encoded: string | AigesError): Promise<void> {
    const costMs = Math.round(performance.now() - this.#startedAt);
    await this.#options.task?.finish(succeeded, encoded instanceof AigesError ? '' : encoded, costMs);
  }
}

/** @returns base64, or why there is none */
function encode(output: LoaderOutput): string | AigesError {
  try {
    return encodeOutput(output).toString('base64');
  } catch (cause) {
    return new AigesError('encodeFailed', { cause });
  }
}

/** What consumers of the original take apart: the names and the empty fields are theirs. */
function encodeBody(params: StringMap, encoded: string | AigesError): Buffer {
  const failure = encoded instanceof AigesError ? encoded : null;
  const body = {
    reqParam: Object.fromEntries(params),
    data: encoded instanceof AigesError ? '' : encoded,
    spanMeta: '',
    sid: '',
    ret: failure?.code ?? 0,
    errDesc: failure?.message ?? '',
  };
  return Buffer.from(JSON.stringify(body));
}
