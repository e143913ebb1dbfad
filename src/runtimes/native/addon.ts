import { loadNative } from '../../core/native.js';

// The contract with native/binding. Every property is always present; what is absent is `null`, never `undefined`.
// Arguments of the wrong type throw a TypeError at once; everything that happens at run time rejects with a PluginError.

declare const engineBrand: unique symbol;
declare const memoryBrand: unique symbol;
declare const streamBrand: unique symbol;

/** An open engine. Collecting it closes it. */
export interface EngineRef {
  readonly [engineBrand]: never;
}

/** The memory that the frames of one answer lie in. */
export interface MemoryRef {
  readonly [memoryBrand]: never;
}

/** An open stream. Collecting it destroys it. */
export interface StreamRef {
  readonly [streamBrand]: never;
}

/** Keys and values in turn. */
export type Pairs = readonly string[];

export interface NativeFrame {
  readonly key: string;
  readonly data: Uint8Array;
  readonly type: number;
  readonly status: number;
  readonly desc: Pairs;
}

export interface NativeOptions {
  /** Empty lists reach the engine as NULL instead of one node without a key. */
  readonly nullForEmpty: boolean;
  /** Large aligned payloads are copied too. */
  readonly copyInput: boolean;
  /** Large outputs stay in the engine's memory until they are released. */
  readonly lease: boolean;
  /** Beyond so many leased bytes outputs are copied. */
  readonly leasedBytes: number;
  /** So many abandoned asynchronous calls and streams are remembered. */
  readonly abandoned: number;
  /** How long the tag of a stream outlives wrapperDestroy when its final callback has not come. */
  readonly tagGraceMs: number;
  /** So many results of callbacks may wait in one stream; beyond that it fails. */
  readonly streamResults: number;
  /** The same in bytes. */
  readonly streamBytes: number;
  /** An answer that claims more bytes than this is refused. */
  readonly outputBytes: number;
  readonly maxThreads: number;
}

export interface Opened {
  readonly engine: EngineRef;
  readonly version: string;
  readonly once: boolean;
  readonly async: boolean;
  readonly stream: boolean;
  readonly resources: boolean;
  /** Capability groups of which the library has only a part, as phrases for people. */
  readonly incomplete: readonly string[];
}

/** What came of opening a library. */
export interface Probed {
  /** Whether the dynamic linker took it. */
  readonly opened: boolean;
  /** Why the loader would not take it. */
  readonly error: string | null;
  readonly version: string | null;
}

export interface Answer {
  readonly frames: readonly NativeFrame[];
  /** To be released; `null` when the frames are ordinary memory that the garbage collector takes care of. */
  readonly memory: MemoryRef | null;
  /** Some of them lie in memory of the engine. */
  readonly leased: boolean;
}

export interface ControlRecord {
  readonly kind: 'meter' | 'trace';
  readonly tag: string;
  readonly key: string;
  /** A number for a meter, a string for a trace. */
  readonly value: number | string;
}

/** What native/core holds at this moment, for the whole process, and what it has done so far. */
export interface Counters {
  // Live: back at zero when every engine is closed and every answer released.
  readonly jobsQueued: number;
  readonly jobsRunning: number;
  readonly outputsAlive: number;
  readonly leasedBytes: number;
  readonly pins: number;
  readonly sessions: number;
  readonly asyncWaiting: number;
  readonly tombstones: number;
  readonly engines: number;
  readonly threads: number;
  readonly loans: number;
  // Since the process began.
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly unalignedCopies: number;
  readonly lateCallbacks: number;
  readonly controlDropped: number;
  readonly tombstonesDropped: number;
  readonly destroyFailures: number;
}

export type NativeCall = (
  engine: EngineRef,
  tag: string,
  params: Pairs,
  frames: readonly NativeFrame[],
  resourceIds: readonly number[],
  timeoutMs: number | null,
) => Promise<Answer>;

export interface Addon {
  open(path: string, config: Pairs, options: NativeOptions): Promise<Opened>;
  /** Resolves after wrapperFini, or at once when others use the same engine. */
  close(engine: EngineRef): Promise<void>;
  readonly exec: NativeCall;
  readonly execAsync: NativeCall;
  /** wrapperLoadRes. Calls about one id are not kept apart here. */
  loadResource(engine: EngineRef, id: number, frames: readonly NativeFrame[]): Promise<void>;
  /** wrapperUnloadRes. */
  unloadResource(engine: EngineRef, id: number): Promise<void>;
  /** Ends an asynchronous call that waits for its callback; its promise rejects with AIGES_ABANDONED. */
  abandon(tag: string): boolean;
  /** wrapperCreate. With `async` the engine gets a callback, otherwise it is read. */
  openStream(
    engine: EngineRef,
    tag: string,
    params: Pairs,
    resourceIds: readonly number[],
    async: boolean,
  ): Promise<StreamRef>;
  /** wrapperWrite. Calls on one stream take turns: AIGES_BUSY when another one is inside the engine. */
  writeStream(stream: StreamRef, frames: readonly NativeFrame[]): Promise<void>;
  /** wrapperRead; `null` when the engine has nothing yet. Takes turns with `writeStream`. */
  readStream(stream: StreamRef): Promise<Answer | null>;
  /** The next batch of what the callbacks of an `async` stream brought; `null` after the final one and after close. */
  streamResults(stream: StreamRef): Promise<readonly Answer[] | null>;
  /** wrapperDestroy, after the call that is running. Its promise says what that returned. */
  closeStream(stream: StreamRef): Promise<void>;
  /** Whether the engine may still call back with this tag. */
  known(tag: string): boolean;
  /** Forgets tags that are past their time. Milliseconds until the next one is; `null` when there is none. */
  sweep(): number | null;
  /** Empties the frames of an answer and frees their memory. Idempotent. */
  release(memory: MemoryRef): void;
  /** The next batch of records; `null` after close. Does not keep the process alive. */
  records(engine: EngineRef): Promise<readonly ControlRecord[] | null>;
  counters(): Counters;
  /**
   * Lets another thread read these bytes in place, for as long as it likes. They must not change or move meanwhile.
   * `null` in a worker thread for memory of its own, which would die with it: what it has borrowed and what engines gave
   * may be lent.
   * @param thread number of the thread that lends
   */
  lend(data: Uint8Array, thread: number): number | null;
  /** Opens a loan, once, in the environment that calls. Collecting the buffer ends the loan. */
  borrow(id: number): ArrayBuffer;
  /** Bytes that this thread has borrowed, in buffers that have not been collected or let go of. */
  borrowedBytes(): number;
  /**
   * Empties a buffer now, instead of at a garbage collection: ends its loan if `borrow` gave it, frees its memory if that
   * was its own. Idempotent.
   */
  letGo(buffer: ArrayBuffer): void;
  /** Ends a loan that nobody has borrowed; false when somebody has. */
  reclaim(id: number): boolean;
  /** Ends every loan of a thread that nobody has borrowed. */
  reclaimAll(thread: number): void;
  /**
   * Opens a library and looks for its entry points, here and now: for a process that nobody else needs.
   * @param call whether wrapperVersion is called, too; nothing else ever is
   */
  probe(path: string, call: boolean): Probed;
  /** Keeps every thread of the process, and those that they start, on these CPUs; gives a text when that fails. */
  bindToCpus(cpus: readonly number[]): string | null;
}

/** What promises of the addon reject with. */
export interface PluginError extends Error {
  readonly name: 'PluginError';
  readonly code: string;
  /** The entry point at fault. */
  readonly op: string;
  /** The engine's own sentence, or the loader's about the engine. */
  readonly text: string;
  /** The engine's own code, where there is one. */
  readonly pluginCode: number | null;
}

export function isPluginError(caught: unknown): caught is PluginError {
  return caught instanceof Error && caught.name === 'PluginError';
}

/** @throws Error with a text that says what to do */
export function loadAddon(): Addon {
  return loadNative() as Addon;
}
