import type { Descriptor } from '../../core/descriptor.js';
import type { ErrorName } from '../../core/errors.js';
import type { StringMap } from '../../core/frame.js';
import type { EngineLimits } from './engine-opener.js';

// What the main thread and a plugin's thread say to each other. Both run the same build of this package.

/** A frame on its way: small bytes travel along, large ones stay where they are and are lent. */
export interface PostedFrame {
  readonly key: string;
  readonly type: number;
  readonly status: number;
  readonly desc: StringMap;
  readonly data: Uint8Array | Loan;
}

/** Memory that the other thread may open, once. */
export interface Loan {
  readonly loan: number;
}

export interface PostedCall {
  readonly sid: string;
  readonly tag: string;
  readonly params: StringMap;
  readonly resourceIds: readonly number[];
  /** Milliseconds left; clocks of threads have different zeros. Infinity for no limit. */
  readonly timeLeftMs: number;
}

export interface PostedError {
  readonly kind: ErrorName;
  readonly message: string;
  readonly detail: string | null;
  readonly pluginCode: number | null;
}

/** What a plugin turned out to be. */
export interface ThreadInfo {
  readonly descriptor: Descriptor;
  readonly once: boolean;
  readonly stream: boolean;
  readonly resources: boolean;
}

/** What a thread is started with. */
export interface ThreadData {
  /** Absolute path of the module that exports the wrapper. */
  readonly path: string;
  /** What `init` gets; `null` only reads what the wrapper declares. */
  readonly config: StringMap | null;
  /** What the engine of a `NativeWrapper` may use; absent ones have the defaults of engines. */
  readonly engineLimits: EngineLimits;
}

/** `id` names what is asked; the answer to it is one `done` or `failed`. `stream` is the id of the `open` before. */
export type ToThread =
  | { readonly type: 'once'; readonly id: number; readonly call: PostedCall; readonly frames: readonly PostedFrame[] }
  | { readonly type: 'open'; readonly id: number; readonly call: PostedCall }
  | {
      readonly type: 'write';
      readonly id: number;
      readonly stream: number;
      readonly frames: readonly PostedFrame[];
      readonly last: boolean;
    }
  | { readonly type: 'close'; readonly id: number; readonly stream: number }
  | { readonly type: 'load'; readonly id: number; readonly resource: number; readonly frames: readonly PostedFrame[] }
  | { readonly type: 'unload'; readonly id: number; readonly resource: number }
  | { readonly type: 'fini'; readonly id: number }
  /** Answered as soon as the thread's event loop turns. */
  | { readonly type: 'ping'; readonly id: number }
  // No answer to these.
  | { readonly type: 'abort'; readonly id: number; readonly error: PostedError }
  | { readonly type: 'taken'; readonly stream: number };

export type FromThread =
  | { readonly type: 'ready'; readonly info: ThreadInfo }
  | { readonly type: 'unready'; readonly error: PostedError }
  | {
      readonly type: 'done';
      readonly id: number;
      readonly frames: readonly PostedFrame[];
      /** Bytes that could not be handed over and were copied. */
      readonly copied: number;
    }
  | { readonly type: 'failed'; readonly id: number; readonly error: PostedError }
  | {
      readonly type: 'result';
      readonly stream: number;
      readonly frames: readonly PostedFrame[];
      readonly copied: number;
    }
  | { readonly type: 'end'; readonly stream: number; readonly error: PostedError | null }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: object;
    }
  | { readonly type: 'meter'; readonly sid: string; readonly tag: string; readonly key: string; readonly count: number }
  | {
      readonly type: 'trace';
      readonly sid: string;
      readonly tag: string;
      readonly key: string;
      readonly value: string;
    };

/** Results of one stream that may be under way before the reader has taken one. */
export const resultWindow = 8;
