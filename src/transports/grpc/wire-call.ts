import type { Address } from '../../core/address.js';
import {
  type GrpcCall,
  GrpcError,
  GrpcStatus,
  type GrpcStream,
  type Message,
  type Metadata,
  type Reply,
} from './server.js';
import { decodeFields, encodeFields, noFields } from './wire-fields.js';
import type { Inflation } from './wire-inflation.js';
import type { WireMessage } from './wire-message.js';
import type { Outbox } from './wire-outbox.js';

/** The two ends of a connection; null when it is not a TCP one. */
export interface Connection {
  readonly peer: Address | null;
  readonly local: Address | null;
}

/** How a call begins. */
export interface Beginning {
  readonly id: number;
  /** In milliseconds of `performance.now()`. */
  readonly deadline: number;
  readonly connection: Connection;
  /** The metadata, as it came. */
  readonly fields: Buffer;
}

/** What calls need of their server. */
export interface Surroundings {
  readonly outbox: Outbox;
  readonly inflation: Inflation;
  readonly maxSendBytes: number;
  /** The call needs to hear nothing more. */
  forget(id: number): void;
}

/** What unary calls and streams have in common. Everything that most handlers never ask for is made on demand. */
abstract class Context {
  readonly deadline: number;
  protected readonly id: number;
  protected readonly server: Surroundings;
  protected trailers = noFields;
  /** Nobody waits for an answer any more, and none is sent. */
  protected cancelled = false;
  readonly #connection: Connection;
  readonly #fields: Buffer;
  #metadata: Metadata | null = null;
  #controller: AbortController | null = null;
  #onCancel: (() => void) | null = null;
  #headersSent = false;

  constructor({ id, deadline, connection, fields }: Beginning, server: Surroundings) {
    this.id = id;
    this.deadline = deadline;
    this.server = server;
    this.#connection = connection;
    this.#fields = fields;
  }

  get metadata(): Metadata {
    return (this.#metadata ??= decodeFields(this.#fields));
  }

  get peer(): Address | null {
    return this.#connection.peer;
  }

  get local(): Address | null {
    return this.#connection.local;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.cancelled) this.#controller.abort(left());
    }
    return this.#controller.signal;
  }

  onCancel(listener: () => void): void {
    this.#onCancel = listener;
    if (this.cancelled) listener();
  }

  sendMetadata(metadata: Metadata): void {
    if (this.#headersSent) return;
    const fields = encodeFields(metadata);
    this.#headersSent = true;
    if (!this.cancelled) this.server.outbox.metadata(this.id, fields);
  }

  setTrailers(metadata: Metadata): void {
    this.trailers = encodeFields(metadata);
  }

  /** The wire says that nobody waits any more. */
  cancel(): void {
    this.cancelled = true;
    this.#controller?.abort(left());
    this.#onCancel?.();
  }

  protected fail(error: unknown): void {
    if (this.cancelled) return;
    const { outbox } = this.server;
    if (error instanceof GrpcError) {
      const fields = tryEncode(error.metadata);
      if (fields !== null) {
        outbox.finish(this.id, error.status, error.message, Buffer.concat([this.trailers, fields]));
        return;
      }
    }
    outbox.finish(this.id, GrpcStatus.unknown, 'internal error', this.trailers);
  }

  protected tooLong({ chunks }: Reply): GrpcError | null {
    let length = 0;
    for (const chunk of chunks) length += chunk.length;
    const { maxSendBytes } = this.server;
    if (length <= maxSendBytes) return null;
    const message = `grpc: trying to send message larger than max (${length} vs. ${maxSendBytes})`;
    return new GrpcError(GrpcStatus.resourceExhausted, message);
  }
}

/** One message in, one out. */
export class WireCall extends Context implements GrpcCall {
  message: WireMessage;

  constructor(beginning: Beginning, server: Surroundings, message: WireMessage) {
    super(beginning, server);
    this.message = message;
  }

  async run(handler: (call: GrpcCall) => Promise<Reply>, compressed: boolean): Promise<void> {
    let reply: Reply;
    try {
      if (compressed) await this.#inflate();
      reply = await handler(this);
    } catch (error) {
      this.#end(error);
      return;
    }
    const refusal = this.tooLong(reply);
    if (refusal !== null || this.cancelled) {
      reply.release?.();
      this.#end(refusal);
      return;
    }
    this.server.forget(this.id);
    this.server.outbox.reply(this.id, reply, compressed ? null : this.message, this.trailers);
    // A reply that lies in it keeps its memory by itself, and counts as one to be sent. A client that reads nothing must
    // not be what others wait for.
    if (compressed) this.message.release();
  }

  #end(error: unknown): void {
    this.server.forget(this.id);
    this.fail(error);
    this.message.release();
  }

  async #inflate(): Promise<void> {
    const received = this.message;
    this.message = await this.server.inflation.inflate(received, this);
    received.release();
    if (this.cancelled) throw left();
  }
}

/** A message of a stream on its way to the handler. */
interface Received {
  readonly message: WireMessage;
  /** As it was sent. */
  readonly size: number;
  readonly compressed: boolean;
}

/** Any number of messages in, any number out. */
export class WireStream extends Context implements GrpcStream {
  readonly messages: AsyncIterable<Message> = this.#receive();
  readonly #queue: Received[] = [];
  #inputEnded = false;
  #closed = false;
  /** The one that the handler is working on. */
  #current: Received | null = null;
  /** Wakes up who waits for a message, and who waits until one is written. */
  #arrived: (() => void) | null = null;
  #written: (() => void) | null = null;

  /** A message has come. */
  put(received: Received): void {
    this.#queue.push(received);
    this.#arrived?.();
  }

  /** No more messages will come. */
  endInput(): void {
    this.#inputEnded = true;
    this.#arrived?.();
  }

  override cancel(): void {
    super.cancel();
    this.#arrived?.();
    this.#written?.();
  }

  async run(handler: (stream: GrpcStream) => AsyncIterable<Reply>): Promise<void> {
    try {
      for await (const reply of handler(this)) {
        const refusal = this.tooLong(reply);
        if (refusal !== null || this.cancelled) {
          reply.release?.();
          throw refusal ?? left();
        }
        await this.#write(reply);
      }
      if (!this.cancelled) this.server.outbox.finish(this.id, 0, '', this.trailers);
    } catch (error) {
      this.fail(error);
    } finally {
      this.#close();
    }
  }

  /** Resolves when the connection has taken the reply: clients decide how fast that is. */
  #write(reply: Reply): Promise<void> {
    const current = this.#current;
    return new Promise((resolve) => {
      this.#written = resolve;
      // An inflated message is kept by a reply that lies in it.
      const lender = current === null || current.compressed ? null : current.message;
      this.server.outbox.message(this.id, reply, lender, resolve);
    });
  }

  async *#receive(): AsyncGenerator<Message, void, undefined> {
    while (!this.#closed) {
      if (this.cancelled) throw left();
      const next = this.#queue.shift();
      if (next !== undefined) {
        const message = await this.#take(next);
        if (message === null) return;
        this.#current = { ...next, message };
        try {
          yield message;
        } finally {
          this.#consume();
        }
      } else if (this.#inputEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#arrived = resolve;
        });
      }
    }
  }

  /**
   * Messages are inflated one at a time, when it is their turn.
   * @returns null when nobody takes it any more
   */
  async #take({ message, compressed }: Received): Promise<WireMessage | null> {
    if (!compressed) return message;
    let inflated: WireMessage;
    try {
      inflated = await this.server.inflation.inflate(message, this);
    } finally {
      message.release();
    }
    // The handler or the client may have left meanwhile.
    if (!this.#closed && !this.cancelled) return inflated;
    inflated.release();
    if (this.cancelled) throw left();
    return null;
  }

  /** The handler is done with a message: the client may send as much again. */
  #consume(): void {
    if (this.#current === null) return;
    const { message, size } = this.#current;
    this.#current = null;
    message.release();
    if (!this.#closed && !this.cancelled) this.server.outbox.consumed(this.id, size);
  }

  #close(): void {
    this.#closed = true;
    this.server.forget(this.id);
    this.#consume();
    for (const { message } of this.#queue.splice(0)) message.release();
    // Whoever still reads finds that no more will come.
    this.#arrived?.();
  }
}

function left(): GrpcError {
  return new GrpcError(GrpcStatus.cancelled, 'the client cancelled the call, left, or ran out of time');
}

function tryEncode(metadata: Metadata): Buffer | null {
  try {
    return encodeFields(metadata);
  } catch {
    return null;
  }
}
