import type { Call } from './call.js';
import type { Descriptor } from './descriptor.js';
import type { Frame, StringMap } from './frame.js';
import type { Signal } from './signal.js';

/** What a plugin turned out to be once it was loaded. */
export interface PluginInfo {
  readonly kind: string;
  readonly version: string;
  /** What its author may not have meant, one line each. */
  readonly warnings: readonly string[];
  readonly capabilities: { readonly once: boolean; readonly stream: boolean; readonly resources: boolean };
  /** The names of its inputs, every one of which a stream has to end; `null` when nobody can say. */
  readonly inputs: readonly string[] | null;
  /** What it says about its requests and answers; `null` for a kind that has no words for it. */
  readonly descriptor: Descriptor | null;
}

/** What a plugin gave back. */
export interface Output {
  readonly frames: readonly Frame[];
  /** Whether large frames lie in memory of an engine, which waits for it to come back. */
  readonly leased?: boolean;
  /** Says that the bytes have been copied or sent: the memory behind the frames may go. Idempotent. */
  release(): void;
}

/** The port between the engine and a kind of plugin. One runtime runs one plugin. */
export interface PluginRuntime {
  /** Whether calls that come now find plugin code that can take them. Only meaningful between `start` and `stop`. */
  readonly ready: boolean;
  /**
   * Loads and initialises the plugin. Called once.
   * @throws AigesError `initFailed` with a text that says what to do
   */
  start(config: StringMap): Promise<PluginInfo>;
  /**
   * Answers one request. Settles when plugin code has really returned, never earlier because of
   * `call.signal`; the one exception is an asynchronous engine that is told to release abandoned calls.
   */
  once(call: Call, frames: readonly Frame[]): Promise<Output>;
  /**
   * Opens a stream. Settles like `once`.
   * @throws AigesError `createFailed`; there is nothing to close then
   */
  open(call: Call): Promise<RuntimeSession>;
  /**
   * Hands over a personalised resource. Settles when plugin code has really returned. The owner keeps ids apart, and
   * waits for each call about one id before the next.
   * @param id an unsigned 32-bit number, which `call.resourceIds` names from then on
   * @param signal aborts when nobody waits for it any more; without it somebody always does
   * @throws AigesError `loadFailed`; the plugin does not have the resource then
   */
  loadResource(id: number, frames: readonly Frame[], signal?: Signal): Promise<void>;
  /**
   * Resolves when no call that was given up can use a resource any more: an engine may be at work on one after its
   * client has left. Comes before `unloadResource`.
   * @throws the signal's reason when it aborts first
   */
  resourceUnused(id: number, signal: Signal): Promise<void>;
  /**
   * Takes a resource away that no call uses. Settles like `loadResource`.
   * @param signal as in `loadResource`
   * @throws AigesError `unloadFailed`; the plugin still has the resource then
   */
  unloadResource(id: number, signal?: Signal): Promise<void>;
  /** Ends the plugin after the last call. Idempotent. */
  stop(): Promise<void>;
}

/** One stream inside a plugin. Its owner waits for each `write` before the next and calls `close` exactly when done. */
export interface RuntimeSession {
  /**
   * Hands over one packet of input. Settles when plugin code has really returned.
   * @throws AigesError `writeFailed`
   */
  write(frames: readonly Frame[], options: WriteOptions): Promise<void>;
  /**
   * The results as the plugin gives them; ends after one that holds a final frame, and when the session is closed.
   * To be iterated once.
   * @throws AigesError `readFailed` or `callbackFailed`
   */
  results(): AsyncIterable<Output>;
  /** Ends the stream, after the last call on it has returned. Settles when the plugin has let go. Idempotent. */
  close(): Promise<void>;
}

export interface WriteOptions {
  /** Every input of the stream has ended with this packet. */
  readonly last: boolean;
}
