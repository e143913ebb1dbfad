import { EventEmitter } from 'node:events';
import { Duplex, PassThrough } from 'node:stream';
import {
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedServiceImplementation,
  type handleUnaryCall,
} from '@grpc/grpc-js';
import { type GrpcCall, GrpcError, type GrpcServer, GrpcStatus, type GrpcStream, type Reply } from './server.js';

type Method = MethodDefinition<unknown, unknown>;

/**
 * Lets services written for grpc-js (health, reflection) attach to any `GrpcServer`: pass the result to their
 * `addToServer`.
 * @param closing ends their open streams, which would otherwise hold up a drain for as long as a client watches
 */
export function acceptGrpcJsServices(
  server: GrpcServer,
  closing: AbortSignal,
): { addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void } {
  return {
    addService(definition, implementation) {
      for (const [name, method] of Object.entries(definition) as [string, Method][]) {
        const handle = implementation[name] ?? implementation[method.originalName ?? ''];
        if (handle === undefined) continue;
        if (!method.requestStream && !method.responseStream) {
          server.unary(method.path, (call) => callUnary(call, method, handle as handleUnaryCall<unknown, unknown>));
        } else if (method.responseStream) {
          server.stream(method.path, (stream) =>
            callStream(stream, method, handle as unknown as (call: StreamCall) => void, closing),
          );
        } else throw new TypeError(`${method.path}: client streaming is not offered to attached services`);
      }
    },
  };
}

function callUnary(call: GrpcCall, method: Method, handle: handleUnaryCall<unknown, unknown>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const surface = Object.assign(new EventEmitter(), {
      request: method.requestDeserialize(Buffer.from(call.message.bytes)),
      metadata: new Metadata(),
      cancelled: false,
    });
    handle(surface as unknown as Parameters<typeof handle>[0], (error, value) => {
      if (error === null) resolve({ chunks: [method.responseSerialize(value)] });
      else reject(new GrpcError(error.code ?? GrpcStatus.unknown, error.details ?? 'unknown error'));
    });
  });
}

/** What a grpc-js handler sees of a stream: it writes replies and, for two-way streams, reads requests. */
class StreamCall extends Duplex {
  readonly metadata = new Metadata();
  readonly replies = new PassThrough({ objectMode: true });
  request: unknown = null;
  readonly #requests: AsyncIterator<unknown>;

  constructor(requests: AsyncIterator<unknown>) {
    super({ objectMode: true });
    this.#requests = requests;
  }

  override _read(): void {
    this.#requests.next().then(
      (next) => this.push(next.done === true ? null : next.value),
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _write(reply: unknown, _encoding: string, done: (error?: Error | null) => void): void {
    this.replies.write(reply, done);
  }

  override _final(done: () => void): void {
    this.replies.end();
    done();
  }
}

async function* callStream(
  stream: GrpcStream,
  method: Method,
  handle: (call: StreamCall) => void,
  closing: AbortSignal,
): AsyncIterable<Reply> {
  const requests = decodeAll(stream, method);
  const call = new StreamCall(requests);
  const end = (): void => {
    call.emit('cancelled');
    call.replies.end();
  };
  call.on('error', (error) => call.replies.destroy(error));
  stream.signal.addEventListener('abort', end);
  closing.addEventListener('abort', end);
  try {
    if (!method.requestStream) call.request = (await requests.next()).value;
    handle(call);
    for await (const reply of call.replies) yield { chunks: [method.responseSerialize(reply)] };
    if (closing.aborted) throw new GrpcError(GrpcStatus.unavailable, 'the server is shutting down');
  } finally {
    stream.signal.removeEventListener('abort', end);
    closing.removeEventListener('abort', end);
    call.destroy();
  }
}

async function* decodeAll(stream: GrpcStream, method: Method): AsyncGenerator {
  for await (const message of stream.messages) yield method.requestDeserialize(Buffer.from(message.bytes));
}
