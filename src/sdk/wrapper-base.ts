import type { StringMap } from '../core/frame.js';
import { brands, mark } from './brand.js';
import { currentCall } from './context.js';
import type { OnceRequest, Packet, Resource, StreamResult, StreamSession, WrapperResult } from './types.js';

export type MaybePromise<T> = T | Promise<T>;

/** What `stream` gives: results, the last of them perhaps as its return value. */
export type StreamResults<Res> =
  AsyncIterator<StreamResult<Res>, StreamResult<Res> | undefined> | AsyncIterator<StreamResult<Res>, void>;

/**
 * A plugin. Its author extends this class, declares what requests and answers hold, and writes `onceExec`, `stream`,
 * or both. The loader makes one instance per worker thread and calls `init` before and `fini` after everything else.
 *
 * @typeParam Req the class that declares params and inputs
 * @typeParam Res the class that declares outputs
 */
export abstract class WrapperBase<Req extends object = object, Res extends object = object> {
  /** Name of the service in schemas; without it the one that the loader's configuration gives. */
  readonly serviceId: string = '';
  readonly version: string = 'v1';
  /** An instance of the class that declares params and inputs. */
  abstract readonly requestCls: Req;
  /** An instance of the class that declares outputs. */
  abstract readonly responseCls: Res;

  /** Prepares for calls. What it throws keeps the loader from starting. */
  init?(config: StringMap): MaybePromise<void>;

  /** Answers one request. May run for several requests at a time; `request.signal` says when to give up. */
  onceExec?(request: OnceRequest<Req>): MaybePromise<WrapperResult<Res>>;

  /**
   * Answers a stream: takes packets from `session.packets`, yields results as they come, and returns the last one.
   * Without a returned result the stream ends with an empty one.
   */
  stream?(session: StreamSession<Req>): StreamResults<Res>;

  /**
   * With `write` and `destroy` another way to write a stream, as C engines do it.
   * @returns whatever the other two need to know it by
   */
  create?(session: StreamSession<Req>): unknown;
  /** Takes one packet; what it gives is sent. What it gives for the last packet ends the stream. */
  write?(handle: unknown, packet: Packet<Req>): MaybePromise<StreamResult<Res> | undefined> | MaybePromise<void>;
  /** Called exactly once for everything that `create` gave. */
  destroy?(handle: unknown): MaybePromise<void>;

  /** Keeps content that later calls name in `request.resourceIds`. */
  loadResource?(resource: Resource): MaybePromise<void>;
  unloadResource?(id: number): MaybePromise<void>;

  /** The text for a code that `PluginError` or `response_err` gave without one. */
  error(code: number): string {
    return `plugin error ${code}`;
  }

  /** Lets go of what `init` has set up. */
  fini?(): MaybePromise<void>;

  /**
   * Counts something for the call that is running: units of use that somebody pays for.
   * @throws TypeError for a count that is no finite number
   */
  protected meter(key: string, count: number): void {
    currentCall.getStore()?.meter(key, count);
  }

  /** Writes down something about the call that is running. */
  protected trace(key: string, value: string): void {
    currentCall.getStore()?.trace(key, value);
  }
}

mark(WrapperBase.prototype, brands.wrapper);
