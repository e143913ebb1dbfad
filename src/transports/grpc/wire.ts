import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Address } from '../../core/address.js';
import { CallTable } from '../../core/call-table.js';
import { aborted } from '../../engine/deadline.js';
import type { GrpcCall, GrpcServer, GrpcStream, Reply } from './server.js';
import {
  EventField,
  EventFlag,
  EventKind,
  eventStride,
  type WireAddon,
  type WireOptions,
  type WireRef,
  type WireStats,
} from './wire-addon.js';
import { Batch } from './wire-batch.js';
import { type Beginning, type Connection, type Surroundings, WireCall, WireStream } from './wire-call.js';
import { Inflation } from './wire-inflation.js';
import { Outbox } from './wire-outbox.js';

export interface WireServerOptions extends WireOptions {
  /** Lets several processes listen on one port. */
  readonly reusePort: boolean;
}

/** The `GrpcServer` port on the native wire: HTTP/2 in a thread of its own, handlers in this one. */
export function createWireServer(addon: WireAddon, options: WireServerOptions): GrpcServer {
  return new Wire(addon, options);
}

type Method =
  | { readonly path: string; readonly streaming: false; readonly handler: (call: GrpcCall) => Promise<Reply> }
  | { readonly path: string; readonly streaming: true; readonly handler: (call: GrpcStream) => AsyncIterable<Reply> };

/** Messages that were sent compressed may have one part in so many of the server's memory, besides it, when inflated. */
const inflationShare = 4;

const unknownConnection: Connection = { peer: null, local: null };

class Wire implements GrpcServer, Surroundings {
  readonly #addon: WireAddon;
  readonly #options: WireServerOptions;
  readonly #methods: Method[] = [];
  #server: WireRef | null = null;
  #onDrained: () => void = () => undefined;
  readonly #drained = new Promise<void>((resolve) => {
    this.#onDrained = resolve;
  });
  #stopped: Promise<void> | null = null;

  readonly #calls = new CallTable<WireCall | WireStream>();
  /** By the number that the wire gives them. */
  readonly #connections: Connection[] = [];
  /** performance.now() counts on the system's monotonic clock, from a beginning of its own. */
  readonly #clockBegin = Number(process.hrtime.bigint()) / 1e6 - performance.now();

  // For the calls.
  readonly outbox: Outbox;
  readonly inflation: Inflation;
  readonly maxSendBytes: number;

  constructor(addon: WireAddon, options: WireServerOptions) {
    this.#addon = addon;
    this.#options = options;
    this.inflation = new Inflation({ maxBytes: options.maxReceiveBytes, memory: options.totalMemory / inflationShare });
    this.maxSendBytes = options.maxSendBytes;
    this.outbox = new Outbox((commands, count, bytes, chunks) => {
      if (this.#server !== null) addon.wireSubmit(this.#server, commands, count, bytes, chunks);
    });
  }

  unary(path: string, handler: (call: GrpcCall) => Promise<Reply>): void {
    this.#register({ path, streaming: false, handler });
  }

  stream(path: string, handler: (call: GrpcStream) => AsyncIterable<Reply>): void {
    this.#register({ path, streaming: true, handler });
  }

  async listen({ host, port }: Address): Promise<Address> {
    // The wire takes addresses only: looking names up would hold up its thread.
    const addresses = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }];
    const server = this.#open();
    let bound = port;
    let refusal: unknown = null;
    let listening = false;
    for (const { address } of addresses) {
      try {
        bound = this.#addon.wireListen(server, address, bound, this.#options.reusePort);
        listening = true;
      } catch (error) {
        refusal ??= error;
      }
    }
    if (!listening) throw refusal;
    return { host, port: bound };
  }

  listenUnix(path: string): Promise<void> {
    return new Promise((resolve) => {
      this.#addon.wireListenUnix(this.#open(), path);
      resolve();
    });
  }

  async drain(cut: AbortSignal): Promise<void> {
    // Answers that this turn has brought come before the end.
    this.outbox.flush();
    if (this.#server !== null && this.#stopped === null && !cut.aborted) {
      this.#addon.wireDrain(this.#server);
      await Promise.race([this.#drained, aborted(cut)]);
    }
    this.outbox.flush();
    this.#stopped ??= this.#server === null ? Promise.resolve() : this.#addon.wireStop(this.#server);
    await this.#stopped;
    this.outbox.close();
  }

  stats(): WireStats | null {
    return this.#server === null ? null : this.#addon.wireStats(this.#server);
  }

  forget(id: number): void {
    this.#calls.delete(id);
  }

  #register(method: Method): void {
    if (this.#server !== null) throw new Error(`${method.path} is registered after listen`);
    this.#methods.push(method);
  }

  #open(): WireRef {
    if (this.#stopped !== null) throw new Error('the server has been stopped');
    this.#server ??= this.#addon.wireOpen(
      process.versions['nghttp2'] ?? '',
      this.#options,
      this.#methods.map(({ path }) => path),
      this.#methods.map(({ streaming }) => streaming),
      (events, count, bytes, large) => {
        const batch = new Batch(events, count, bytes, large);
        for (let at = 0; at < batch.end; at += eventStride) this.#handle(batch, at);
      },
    );
    return this.#server;
  }

  #handle(batch: Batch, at: number): void {
    const id = batch.number(at, EventField.call);
    const kind = batch.number(at, EventField.kind);
    if (kind === EventKind.start) this.#start(batch, at, id);
    else if (kind === EventKind.released) this.outbox.released(batch.number(at, EventField.subject));
    else if (kind === EventKind.drained) this.#onDrained();
    else {
      // Undefined when the call has ended here while the event was under way.
      const call = this.#calls.get(id);
      if (kind === EventKind.cancelled) {
        this.#calls.delete(id);
        call?.cancel();
      } else if (call instanceof WireStream) this.#input(call, batch, at);
    }
  }

  #start(batch: Batch, at: number, id: number): void {
    const method = this.#methods[batch.number(at, EventField.subject)];
    const place = batch.number(at, EventField.connection);
    const { connection, metadata } = batch.fields(at);
    if (connection !== null) this.#connections[place] = connection;
    const beginning: Beginning = {
      id,
      deadline: batch.number(at, EventField.deadline) - this.#clockBegin,
      connection: this.#connections[place] ?? unknownConnection,
      fields: metadata,
    };
    if (method === undefined) return;
    if (method.streaming) {
      // A copy: a call that lasts would keep the bytes of all others that came with it.
      const stream = new WireStream({ ...beginning, fields: Buffer.from(metadata) }, this);
      this.#calls.set(id, stream);
      this.#input(stream, batch, at);
      void stream.run(method.handler);
    } else {
      const call = new WireCall(beginning, this, batch.message(at, this.#free));
      this.#calls.set(id, call);
      void call.run(method.handler, batch.has(at, EventFlag.compressed));
    }
  }

  #input(stream: WireStream, batch: Batch, at: number): void {
    if (batch.has(at, EventFlag.hasMessage)) {
      stream.put({
        message: batch.message(at, this.#free),
        size: batch.number(at, EventField.size),
        compressed: batch.has(at, EventFlag.compressed),
      });
    }
    if (batch.has(at, EventFlag.endOfInput)) stream.endInput();
  }

  readonly #free = (buffer: ArrayBuffer): void => {
    if (this.#server !== null) this.#addon.wireRelease(this.#server, buffer);
  };
}
