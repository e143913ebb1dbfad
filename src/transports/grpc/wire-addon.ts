import { loadNative } from '../../core/native.js';

// The contract with native/binding/wire_wrap. Everything that happens often crosses in batches: an array of numbers, with
// a fixed count of them for each event or command, and the bytes that they refer to. native/binding/wire_layout.h has the
// same numbers. Arguments of the wrong type throw a TypeError at once.

declare const serverBrand: unique symbol;

/** A server, and the thread it lives on. */
export interface WireRef {
  readonly [serverBrand]: never;
}

/** The limits of a server. Times in milliseconds; 0 switches a time off, except for the handshake. */
export interface WireOptions {
  readonly maxReceiveBytes: number;
  readonly maxSendBytes: number;
  /** HTTP/2 windows: bytes that a client may send ahead, for one call and in all. */
  readonly streamWindow: number;
  readonly connectionWindow: number;
  /** Bytes of messages, received and to be sent, beyond which a connection is not read, and all of them. */
  readonly connectionMemory: number;
  readonly totalMemory: number;
  readonly maxConnections: number;
  /** Calls at the same time on one connection. */
  readonly maxStreams: number;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxAgeMs: number;
  readonly maxAgeGraceMs: number;
  readonly leaseTimeMs: number;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveTimeoutMs: number;
}

/** What a server holds at this moment and what it has done so far. */
export interface WireStats {
  // Live.
  readonly connections: number;
  /** Not read, because there is no memory. */
  readonly connectionsPaused: number;
  readonly calls: number;
  /** In blocks of received messages. */
  readonly bytesHeld: number;
  /** Of messages that are not written yet. */
  readonly bytesQueued: number;
  /** Of header lists of open calls. */
  readonly headerBytes: number;
  /** Lent memory that is not released yet. */
  readonly tokens: number;
  // Since the server began.
  readonly connectionsAccepted: number;
  readonly connectionsRefused: number;
  readonly callsStarted: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly bytesCopiedIn: number;
  readonly bytesCopiedOut: number;
  readonly resetsReceived: number;
  readonly resetsSent: number;
  readonly goawaysSent: number;
  readonly connectionsAbused: number;
  readonly memoryPauses: number;
  readonly callsParked: number;
  readonly metadataUnsendable: number;
}

/**
 * Takes a batch of events. Never throws.
 * @param events `EventField`s; the array is used again for the next batch
 * @param bytes small messages and fields, null when there are none
 * @param large messages that have an ArrayBuffer of their own, null when there are none
 */
export type Deliver = (
  events: Float64Array,
  count: number,
  bytes: ArrayBuffer | null,
  large: readonly ArrayBuffer[] | null,
) => void;

export interface WireAddon {
  /** Why there can be no server on this copy of nghttp2; `null` when there can. */
  wireUnavailable(nghttp2Version: string): string | null;
  /** Starts a server with these methods, of which some take and give streams. */
  wireOpen(
    nghttp2Version: string,
    options: WireOptions,
    paths: readonly string[],
    streaming: readonly boolean[],
    deliver: Deliver,
  ): WireRef;
  /**
   * Holds the event loop until the server is stopped.
   * @param host an IP address
   * @returns the port
   * @throws Error as `net.Server` has it: EADDRINUSE, …
   */
  wireListen(server: WireRef, host: string, port: number, reusePort: boolean): number;
  /**
   * The same on a Unix socket. Replaces a file that a dead process left.
   * @throws Error as `net.Server` has it: EADDRINUSE, …
   */
  wireListenUnix(server: WireRef, path: string): void;
  /**
   * Hands over a batch of commands.
   * @param commands `CommandField`s
   * @param bytes the texts and fields of the commands, in their order; copied
   * @param chunks those of the messages, in their order; the caller keeps them alive and unchanged until the `released`
   *   event of the message's token, which comes after `leaseTimeMs` at the latest for a `leasedReply`
   */
  wireSubmit(
    server: WireRef,
    commands: Float64Array,
    count: number,
    bytes: Uint8Array,
    chunks: readonly Uint8Array[] | null,
  ): void;
  /** Empties an ArrayBuffer that came with `large` and frees its memory. Leaves any other as it is. */
  wireRelease(server: WireRef, buffer: ArrayBuffer): void;
  /** Takes nothing new; the `drained` event comes when the last connection has ended. */
  wireDrain(server: WireRef): void;
  /** Ends everything. Resolves after the last events have been delivered. Once. */
  wireStop(server: WireRef): Promise<void>;
  wireStats(server: WireRef): WireStats;
}

/** What the numbers of an event mean. */
export const EventField = {
  kind: 0,
  call: 1,
  /** start: the method, by its place; cancelled: a reason; released: the token. */
  subject: 2,
  /** A sum of `EventFlag`s. */
  flags: 3,
  /** Of the message: its offset in `bytes`, or its place in `large`. */
  place: 4,
  /** Of the message, in bytes. */
  size: 5,
  // Of a start only.
  /** In milliseconds of the system's monotonic clock; Infinity for none. */
  deadline: 6,
  /** A small number, used again when the connection has ended. */
  connection: 7,
  /** Where in `bytes` the fields begin, and how long they are: for a new connection the two ends, then metadata. */
  fields: 8,
  fieldsSize: 9,
} as const;
export const eventStride = 10;

export const EventKind = { start: 0, message: 1, end: 2, cancelled: 3, released: 4, drained: 5 } as const;

export const EventFlag = { endOfInput: 1, hasMessage: 2, large: 4, compressed: 8, newConnection: 16 } as const;

/** What the numbers of a command mean. */
export const CommandField = {
  kind: 0,
  call: 1,
  /** message, reply: a token, 0 when no chunks are lent; finish: the status; consumed: how many bytes. */
  subject: 2,
  /** Bytes of the message ahead of its chunks, or of the status message. */
  text: 3,
  /** How many chunks the message has. */
  chunks: 4,
  /** Bytes of the fields, which follow the text. */
  fields: 5,
} as const;
export const commandStride = 6;

export const CommandKind = { metadata: 0, message: 1, finish: 2, reply: 3, consumed: 4, leasedReply: 5 } as const;

/** @throws Error with a text that says what to do */
export function loadWireAddon(): WireAddon {
  return loadNative() as WireAddon;
}
