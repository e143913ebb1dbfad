import type { StringMap } from './frame.js';
import type { Signal } from './signal.js';

/** An output that the client asked for. */
export interface ExpectedOutput {
  readonly name: string;
  /** The type that the client insists on; `null` takes the plugin's. */
  readonly type: number | null;
  /** Attributes that the client wants repeated on the answer. */
  readonly attributes: StringMap;
}

/** One request or one stream session, as every layer below the transports sees it. */
export interface Call {
  /** Session id for logs, chosen by the client's tier. May be empty. */
  readonly sid: string;
  /** Unique name of the call towards the plugin (the C ABI's usrTag). */
  readonly tag: string;
  readonly params: StringMap;
  /** Ids of loaded personalised resources. */
  readonly resourceIds: readonly number[];
  /** The outputs that the client accepts; `null` accepts whatever the plugin gives. */
  readonly expect: readonly ExpectedOutput[] | null;
  /** Aborts when nobody waits for the answer any more; the reason is an `AigesError`. */
  readonly signal: Signal;
  /** When nobody waits for the answer any more, in milliseconds of `performance.now()`; Infinity for never. */
  readonly deadline: number;
}
