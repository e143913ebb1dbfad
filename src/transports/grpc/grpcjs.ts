import { toUSVString } from 'node:util';
import * as grpcjs from '@grpc/grpc-js';
import type { Address } from '../../core/address.js';
import {
  type GrpcCall,
  GrpcError,
  type GrpcServer,
  GrpcStatus,
  type GrpcStream,
  type Message,
  type Metadata,
  type Reply,
} from './server.js';
import { removeStaleSocket } from './stale-socket.js';

export interface GrpcJsOptions {
  readonly maxReceiveBytes: number;
  readonly maxSendBytes: number;
}

/** Handlers get the raw bytes of a message and return raw bytes: decoding is the services' business. */
const identity = (bytes: Buffer): Buffer => bytes;

type UnaryCall = grpcjs.ServerUnaryCall<Buffer, Buffer>;
type DuplexCall = grpcjs.ServerDuplexStream<Buffer, Buffer>;
interface Connection {
  readonly peer: Address | null;
  readonly local: Address | null;
}

/** The `GrpcServer` port on grpc-js's own server. It joins the chunks of a reply once. */
export function createGrpcJsServer(options: GrpcJsOptions): GrpcServer {
  // A handler sees the peer's address but not ours; an interceptor sees both, and shares the metadata object with it.
  const connections = new WeakMap<grpcjs.Metadata, Connection>();
  const server = new grpcjs.Server({
    'grpc.max_receive_message_length': options.maxReceiveBytes,
    'grpc.max_send_message_length': options.maxSendBytes,
    interceptors: [
      (_method, call) =>
        new grpcjs.ServerInterceptingCall(call, {
          start: (next) => {
            next({
              onReceiveMetadata: (metadata, pass) => {
                connections.set(metadata, connectionOf(call));
                pass(metadata);
              },
            });
          },
          // What clients of the original have always seen: no subtype, and no text with a success.
          sendMetadata: (metadata, next) => {
            metadata.set('content-type', 'application/grpc');
            next(metadata);
          },
          sendStatus: (end, next) => {
            next(end.code === grpcjs.status.OK ? { ...end, details: '' } : end);
          },
        }),
    ],
  });

  return {
    unary(path, handler) {
      const handle: grpcjs.handleUnaryCall<Buffer, Buffer> = (call, callback) => {
        const trailers: Trailers = { value: null };
        // Called in an async function, so that a handler that throws at once ends like one that rejects.
        const answer = async (): Promise<Reply> => handler(unaryCall(call, connections, trailers));
        answer()
          .then((reply) => {
            callback(null, takeBytes(reply, options.maxSendBytes), trailers.value ?? undefined);
          })
          .catch((error: unknown) => {
            callback(statusOf(error, trailers.value));
          });
      };
      server.register(path, handle, identity, identity, 'unary');
    },

    stream(path, handler) {
      const handle: grpcjs.handleBidiStreamingCall<Buffer, Buffer> = (call) => {
        void pump(call, handler, connections, options.maxSendBytes);
      };
      server.register(path, handle, identity, identity, 'bidi');
    },

    async listen(address) {
      const host = address.host.includes(':') ? `[${address.host}]` : address.host;
      return { host: address.host, port: await bind(server, `${host}:${address.port}`) };
    },

    async listenUnix(path) {
      await removeStaleSocket(path);
      await bind(server, `unix:${path}`);
    },

    stats: () => null,

    drain(cut) {
      return new Promise((resolve) => {
        const onCut = (): void => {
          server.forceShutdown();
          // Its callback waits for connections that never became HTTP/2 ones.
          resolve();
        };
        cut.addEventListener('abort', onCut);
        if (cut.aborted) {
          onCut();
          return;
        }
        server.tryShutdown(() => {
          cut.removeEventListener('abort', onCut);
          resolve();
        });
      });
    },
  };
}

/** @returns the port */
function bind(server: grpcjs.Server, place: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(place, grpcjs.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(withSystemCode(error));
    });
  });
}

interface Trailers {
  value: grpcjs.Metadata | null;
}

function unaryCall(call: UnaryCall, connections: WeakMap<grpcjs.Metadata, Connection>, trailers: Trailers): GrpcCall {
  return { ...callContext(call, connections, trailers), message: messageOf(call.request) };
}

function callContext(
  call: UnaryCall | DuplexCall,
  connections: WeakMap<grpcjs.Metadata, Connection>,
  trailers: Trailers,
): Omit<GrpcCall, 'message'> {
  const controller = new AbortController();
  let onCancel: (() => void) | null = null;
  // Also emitted after an answer has gone out, when nobody listens any more.
  call.on('cancelled', () => {
    controller.abort(new GrpcError(GrpcStatus.cancelled, 'the client cancelled the call, left, or ran out of time'));
    onCancel?.();
  });
  const connection = connections.get(call.metadata);
  return {
    metadata: fromGrpcJs(call.metadata),
    peer: connection?.peer ?? null,
    local: connection?.local ?? null,
    deadline: deadlineOf(call),
    signal: controller.signal,
    onCancel: (listener) => {
      onCancel = listener;
      if (controller.signal.aborted) listener();
    },
    sendMetadata: (metadata) => {
      call.sendMetadata(toGrpcJs(metadata));
    },
    setTrailers: (metadata) => {
      trailers.value = toGrpcJs(metadata);
    },
  };
}

/** grpc-js has deadlines on the wall clock. */
function deadlineOf(call: UnaryCall | DuplexCall): number {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? performance.now() + deadline - Date.now() : Infinity;
}

async function pump(
  call: DuplexCall,
  handler: (stream: GrpcStream) => AsyncIterable<Reply>,
  connections: WeakMap<grpcjs.Metadata, Connection>,
  maxSendBytes: number,
): Promise<void> {
  const trailers: Trailers = { value: null };
  const messages = async function* (): AsyncIterable<Message> {
    // Plain iteration would destroy both directions of the call when the client has sent its last message.
    const received = call.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const bytes of received) yield messageOf(bytes);
  };
  const context = callContext(call, connections, trailers);
  try {
    for await (const reply of handler({ ...context, messages: messages() })) {
      if (context.signal.aborted) {
        reply.release?.();
        return;
      }
      if (!call.write(takeBytes(reply, maxSendBytes))) await drained(call);
    }
    call.end(trailers.value ?? undefined);
  } catch (error) {
    if (!context.signal.aborted) call.emit('error', statusOf(error, trailers.value));
  }
}

function drained(call: DuplexCall): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      call.off('close', done);
      resolve();
    };
    call.on('drain', done);
    call.on('close', done);
  });
}

/** grpc-js leaves a message to the garbage collector: holding a reference is all it takes. */
function messageOf(bytes: Buffer): Message {
  return { bytes, retain: () => undefined, release: () => undefined };
}

/** @throws GrpcError before anything is joined that could not be sent */
function takeBytes(reply: Reply, maxSendBytes: number): Buffer {
  try {
    const length = reply.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length > maxSendBytes) {
      const message = `grpc: trying to send message larger than max (${length} vs. ${maxSendBytes})`;
      throw new GrpcError(GrpcStatus.resourceExhausted, message);
    }
    return Buffer.concat(reply.chunks, length);
  } finally {
    reply.release?.();
  }
}

function statusOf(error: unknown, trailers: grpcjs.Metadata | null): grpcjs.ServerErrorResponse {
  const known = error instanceof GrpcError;
  // Header values are percent-encoded by grpc-js, which throws on half a surrogate pair.
  const details = toUSVString(known ? error.message : 'internal error');
  const metadata = trailers ?? new grpcjs.Metadata();
  if (known) metadata.merge(toGrpcJs(error.metadata));
  // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the port's numbers are those of grpc-js's enum
  const code = (known ? error.status : GrpcStatus.unknown) as grpcjs.status;
  return Object.assign(new Error(details), { code, details, metadata });
}

function fromGrpcJs(metadata: grpcjs.Metadata): Metadata {
  return new Map(Object.keys(metadata.getMap()).map((key) => [key, metadata.get(key)]));
}

function toGrpcJs(metadata: Metadata): grpcjs.Metadata {
  const out = new grpcjs.Metadata();
  for (const [key, values] of metadata) {
    for (const value of values) out.add(key, typeof value === 'string' ? value : Buffer.from(value));
  }
  return out;
}

function connectionOf(call: grpcjs.ServerInterceptingCallInterface): Connection {
  const { remoteAddress, remotePort, localAddress, localPort } = call.getConnectionInfo();
  return { peer: addressOf(remoteAddress, remotePort), local: addressOf(localAddress, localPort) };
}

function addressOf(host: string | undefined, port: number | undefined): Address | null {
  return host === undefined || port === undefined ? null : { host, port };
}

/** grpc-js reports a failed bind as text; the code in it is what callers can act on. */
function withSystemCode(error: Error): Error {
  const code = /\b(E[A-Z]{3,})\b/.exec(error.message)?.[1];
  return code === undefined ? error : Object.assign(new Error(error.message, { cause: error }), { code });
}
