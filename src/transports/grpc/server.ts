import type { Address } from '../../core/address.js';
import type { WireStats } from './wire-addon.js';

/** A gRPC server as the services see it: raw messages in, chunks out, whoever does the framing. */
export interface GrpcServer {
  /** Registers a method; `path` is `/package.Service/method`. Before `listen`. */
  unary(path: string, handler: (call: GrpcCall) => Promise<Reply>): void;
  /** Registers a method with a stream on either or both sides. The next reply is pulled when the last one is out. */
  stream(path: string, handler: (call: GrpcStream) => AsyncIterable<Reply>): void;
  /** @throws Error with a `code` of the system (EADDRINUSE, …) when the address cannot be had */
  listen(address: Address): Promise<Address>;
  /**
   * Listens on a Unix socket as well. A file that a dead process left there is replaced; the own one goes with the server.
   * @throws Error with a `code` of the system (EADDRINUSE, …) when the path cannot be had
   */
  listenUnix(path: string): Promise<void>;
  /** Takes no new calls and resolves when every connection has ended; `cut` ends those that are left. */
  drain(cut: AbortSignal): Promise<void>;
  /** What the server holds and has done; null where it does not count, or does not listen yet. */
  stats(): WireStats | null;
}

/** Header fields; keys are lower case, values of `-bin` keys are bytes. */
export type Metadata = ReadonlyMap<string, readonly (string | Uint8Array)[]>;

interface CallContext {
  readonly metadata: Metadata;
  /** The client's end of the connection, null when it is not a TCP one. */
  readonly peer: Address | null;
  /** Our end of the connection, null when it is not a TCP one. */
  readonly local: Address | null;
  /** When the client stops waiting, in milliseconds of `performance.now()`; Infinity when it did not say. */
  readonly deadline: number;
  /** Aborts when the client cancels, leaves, or runs out of time. */
  readonly signal: AbortSignal;
  /**
   * Runs a listener when `signal` aborts, at once if it has: for those who need no signal, which is costly to make.
   * There is one listener at a time.
   */
  onCancel(listener: () => void): void;
  /** Sends the header fields ahead of the first message. At most once. */
  sendMetadata(metadata: Metadata): void;
  /** Fields to send after the last message. */
  setTrailers(metadata: Metadata): void;
}

export interface GrpcCall extends CallContext {
  readonly message: Message;
}

export interface GrpcStream extends CallContext {
  readonly messages: AsyncIterable<Message>;
}

/** A received message. It comes with one reference, which the server drops when the reply is out. */
export interface Message {
  readonly bytes: Uint8Array;
  /** Keeps the memory for a plugin call that may outlive the reply. Pair it with `release`. */
  retain(): void;
  release(): void;
}

/** One message to send, in pieces that are written in order and never joined if that can be avoided. */
export interface Reply {
  readonly chunks: readonly Uint8Array[];
  /**
   * The chunks lie in memory that is needed elsewhere: an answer to a unary call that its client does not read in time is
   * copied, and released then.
   */
  readonly leased?: boolean;
  /** Called once, when the bytes are out or nobody wants them any more. */
  release?(): void;
}

/** The numbers of the gRPC status codes that we answer with. */
export const GrpcStatus = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** Ends a call with a status other than OK. Anything else that a handler throws becomes `unknown`. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly status: number;
  readonly metadata: Metadata;

  constructor(status: number, message: string, metadata: Metadata = new Map()) {
    super(message);
    this.status = status;
    this.metadata = metadata;
  }
}
