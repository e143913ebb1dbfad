import { Agent, request } from 'node:http';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import {
  checkBytes,
  checkJsonAnswer,
  checkOnceAnswer,
  checkStreamAnswer,
  createRequest,
  frameMessage,
  jsonRequest,
  onceRequest,
  payloadOf,
  pollRequest,
  type StreamAnswer,
  unframeMessage,
  writeRequest,
  xsfPath,
} from './messages.js';
import { packets } from './rows.js';

/** What a server is asked, and how it answers. */
export type Protocol =
  | 'xsf'
  | 'xsf-stream'
  /** gRPC; the message comes back as it is. */
  | 'grpc-echo'
  /** HTTP/2; the body comes back as it is. */
  | 'echo'
  /** HTTP/1.1, a one-shot request as JSON. */
  | 'json';

export interface Destination {
  readonly protocol: Protocol;
  readonly port: number;
  /** Path of JSON requests; gRPC has its own. */
  readonly path: string;
  /** Bytes of payload. */
  readonly size: number;
}

/** One connection that asks and checks. */
export interface Caller {
  /**
   * Sends a request, or plays a whole session, and checks every byte of what comes back.
   * @returns bytes of the answers' bodies
   * @throws Error that says what was wrong
   */
  call(): Promise<number>;
  close(): void;
}

/** A silent server is a broken one, but machines can be slow. */
const silenceMs = 120_000;

const grpcHeaders = { 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': '60050000u' } as const;

/** The headers and the body that every one-shot request to a server has: h2load sends the same. */
export function requestOf({ protocol, path, size }: Destination): {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
} {
  const payload = payloadOf(size);
  if (protocol === 'json') {
    return { path, headers: { 'content-type': 'application/json' }, body: jsonRequest(payload) };
  }
  return { path: xsfPath, headers: grpcHeaders, body: frameMessage(onceRequest(payload)) };
}

export function openCaller(destination: Destination): Caller {
  const { protocol } = destination;
  return protocol === 'json' ? jsonCaller(destination) : http2Caller(destination, protocol);
}

function http2Caller(destination: Destination, protocol: Exclude<Protocol, 'json'>): Caller {
  const connection = new Http2Connection(destination.port);
  const payload = payloadOf(destination.size);
  const { body, headers } = requestOf(destination);
  const grpc = async (message: Buffer): Promise<{ readonly message: Buffer; readonly bytes: number }> => {
    const answer = await connection.post(xsfPath, grpcHeaders, message);
    checkGrpcStatus(answer);
    return { message: unframeMessage(answer.body), bytes: answer.body.length };
  };
  const calls: Record<typeof protocol, () => Promise<number>> = {
    xsf: async () => {
      const { message, bytes } = await grpc(body);
      checkOnceAnswer(message, payload);
      return bytes;
    },
    'xsf-stream': () => playSession(grpc, payload),
    'grpc-echo': async () => {
      const { message, bytes } = await grpc(body);
      checkBytes(message, body.subarray(5));
      return bytes;
    },
    echo: async () => {
      const answer = await connection.post(xsfPath, headers, body);
      checkBytes(answer.body, body);
      return answer.body.length;
    },
  };
  return {
    call: calls[protocol],
    close: () => {
      connection.close();
    },
  };
}

/** Create, write every packet, read until the last result: what the tier's clients do. */
async function playSession(
  grpc: (message: Buffer) => Promise<{ readonly message: Buffer; readonly bytes: number }>,
  payload: Buffer,
): Promise<number> {
  let bytes = 0;
  let results = 0;
  const ask = async (request: Buffer): Promise<StreamAnswer> => {
    const answer = await grpc(frameMessage(request));
    const checked = checkStreamAnswer(answer.message, payload);
    bytes += answer.bytes;
    results += checked.results;
    return checked;
  };
  let last = await ask(createRequest(payload));
  const { session } = last;
  for (let number = 1; number <= packets; number++) last = await ask(writeRequest(session, payload, number));
  while (!last.ended) last = await ask(pollRequest(session));
  if (results !== packets) throw new Error(`a session of ${packets} packets gave ${results} results`);
  return bytes;
}

function jsonCaller(destination: Destination): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const payload = payloadOf(destination.size);
  const { body, headers, path } = requestOf(destination);
  const options = { host: '127.0.0.1', port: destination.port, path, method: 'POST', agent, headers };
  const post = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const outgoing = request(options, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve(Buffer.concat(chunks));
        });
      });
      outgoing.setTimeout(silenceMs, () => {
        outgoing.destroy(new Error(`no answer within ${silenceMs / 1000} s`));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  return {
    call: async () => {
      const answer = await post();
      checkJsonAnswer(answer, payload);
      return answer.length;
    },
    close: () => {
      agent.destroy();
    },
  };
}

interface Answered {
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
}

/** One HTTP/2 connection to this machine. */
class Http2Connection {
  readonly #session: ClientHttp2Session;
  #fault: Error | null = null;

  constructor(port: number) {
    // Room for the largest answers, so that the client is not what holds them up.
    this.#session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 64 << 20 } });
    this.#session.on('connect', () => {
      this.#session.setLocalWindowSize(256 << 20);
    });
    this.#session.setTimeout(silenceMs, () => {
      this.#session.destroy(new Error(`no answer within ${silenceMs / 1000} s`));
    });
    this.#session.on('error', (error: Error) => {
      this.#fault = error;
    });
  }

  post(path: string, headers: OutgoingHttpHeaders, body: Buffer): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({ ':method': 'POST', ':path': path, ...headers });
      const chunks: Buffer[] = [];
      let answer: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      let ended = false;
      stream.on('response', (received: IncomingHttpHeaders) => {
        answer = received;
      });
      stream.on('trailers', (received: IncomingHttpHeaders) => {
        trailers = received;
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        ended = true;
      });
      stream.on('error', (error: Error) => {
        reject(this.#fault ?? error);
      });
      stream.on('close', () => {
        const status = answer[':status'];
        if (!ended) reject(this.#fault ?? new Error('the connection was closed before the answer had ended'));
        else if (Number(status) !== 200) reject(new Error(`HTTP status ${String(status)}`));
        else resolve({ body: Buffer.concat(chunks), headers: answer, trailers });
      });
      stream.end(body);
    });
  }

  close(): void {
    this.#session.close();
  }
}

/** An error without a message has its status in the headers. */
function checkGrpcStatus({ headers, trailers }: Answered): void {
  const from = trailers['grpc-status'] === undefined ? headers : trailers;
  const status = from['grpc-status'];
  if (status === '0') return;
  const message = from['grpc-message'];
  throw new Error(`gRPC status ${String(status ?? 'missing')}: ${String(message ?? 'no message')}`);
}
