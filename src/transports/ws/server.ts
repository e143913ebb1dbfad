import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { WebSocketServer } from 'ws';
import { AigesError } from '../../core/errors.js';
import { encodeError } from '../json/codec.js';
import type { Endpoint } from '../json/endpoint.js';
import { binaryProtocol } from './binary.js';
import { ClientSocket } from './client-socket.js';
import { Connection, type ConnectionLimits, type ConnectionOptions } from './connection.js';
import { Echo } from './echo.js';
import { passOn } from './pass-on.js';
import { SessionIds } from './sid.js';

export interface WsLimits extends ConnectionLimits {
  /** Bytes of one frame. */
  readonly maxFrame: number;
  readonly maxConnections: number;
}

export interface WsOptions {
  readonly services: readonly Endpoint[];
  readonly limits: WsLimits;
  /** Origins whose pages may connect; empty for any. Clients that are no browsers name none. */
  readonly origins: readonly string[];
  /** Ends what is still running when the time to drain is up. */
  readonly shutdown: AbortSignal;
  /** Told about every session that failed, and every handshake that was refused: `status` is what it was answered. */
  readonly onError: (error: AigesError, context: ErrorContext) => void;
  readonly onCall?: ConnectionOptions['onCall'] | undefined;
  /** Told about every handshake when it has been answered. */
  readonly onHandshake?: ((entry: HandshakeEntry) => void) | undefined;
}

interface ErrorContext {
  readonly route: string;
  readonly sid: string;
  readonly status?: number;
}

/** A handshake that has been answered. */
export interface HandshakeEntry {
  readonly method: string;
  readonly route: string;
  /** Empty where there is no session. */
  readonly sid: string;
  readonly status: number;
}

/** What serves HTTP at the same port. */
export interface HttpSide extends FastifyInstance {
  /** Whether an answer on this connection has not ended. */
  answering(connection: Duplex): boolean;
}

export interface WsServer {
  /** Takes no new connections, and ends those whose session has not begun. */
  drain(): void;
  /** Resolves when every session is over and its client has been sent the end of it. */
  idle(): Promise<void>;
  /** Cuts every connection. */
  cut(): void;
}

const probe = '/ping';

/** Serves WebSocket where `app` serves HTTP, at the routes of the services. Call it before the app listens. */
export function serveWs(app: HttpSide, options: WsOptions): WsServer {
  const server = new Server(options);
  for (const path of [...options.services.map(({ route }) => route), probe]) app.get(path, upgradeRequired);
  app.server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // What we write now would be taken for that answer, or come in the middle of it.
    if (app.answering(stream)) stream.destroy();
    else if (request.headers.upgrade?.toLowerCase() === 'websocket') server.accept(request, stream, head);
    else passOn(app.server, request, stream, head);
  });
  options.shutdown.addEventListener('abort', () => {
    server.fail(AigesError.from(options.shutdown.reason));
  });
  return server;
}

function upgradeRequired(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const text = `${request.url.replace(/\?.*/, '')} takes WebSocket connections with GET: send the headers of an upgrade\n`;
  return reply.code(426).header('upgrade', 'websocket').type('text/plain; charset=utf-8').send(text);
}

class Server implements WsServer {
  readonly #options: WsOptions;
  readonly #handshakes: InstanceType<typeof WebSocketServer<typeof ClientSocket>>;
  readonly #endpoints: ReadonlyMap<string, Endpoint>;
  readonly #connections = new Set<Connection | Echo>();
  readonly #sids = new SessionIds();
  #draining = false;

  constructor(options: WsOptions) {
    this.#options = options;
    this.#endpoints = new Map(options.services.map((endpoint) => [endpoint.route, endpoint]));
    const { maxFrame } = options.limits;
    this.#handshakes = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      WebSocket: ClientSocket,
      maxPayload: maxFrame,
      // Each piece of a frame that arrives on its own costs some hundred bytes besides what is in it.
      maxBufferedChunks: 4096 + Math.ceil(maxFrame / 512),
      maxFragments: 4096 + Math.ceil(maxFrame / 512),
      handleProtocols: (offered) => (offered.has(binaryProtocol) ? binaryProtocol : false),
    });
    this.#handshakes.on('wsClientError', ({ message }: Error, stream: Duplex, request: IncomingMessage) => {
      this.#refuse(request, stream, brokenHandshake(request, message));
    });
  }

  accept(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const route = routeOf(request);
    const endpoint = this.#endpoints.get(route) ?? null;
    const refusal = this.#refusal(request, route);
    if (refusal !== null) {
      this.#refuse(request, stream, refusal);
      return;
    }
    this.#handshakes.handleUpgrade(request, stream, head, (socket) => {
      const sid = endpoint === null ? '' : this.#nextSid(stream);
      const connection = this.#connect(socket, stream, endpoint, sid);
      this.#connections.add(connection);
      this.#options.onHandshake?.({ method: request.method ?? '', route, sid, status: 101 });
      socket.on('close', () => {
        this.#connections.delete(connection);
      });
    });
  }

  #connect(socket: ClientSocket, stream: Duplex, endpoint: Endpoint | null, sid: string): Connection | Echo {
    const { limits, onError, onCall } = this.#options;
    if (endpoint === null) return new Echo(socket, limits);
    return new Connection(socket, stream, { endpoint, sid, limits, onError, onCall });
  }

  #nextSid(stream: Duplex): string {
    const { localAddress: host = '', localPort: port = 0 } = stream instanceof Socket ? stream : {};
    return this.#sids.next({ host, port });
  }

  /** Answers a handshake as the HTTP server would, and tells of it. */
  #refuse(request: IncomingMessage, stream: Duplex, { status, error }: Refusal): void {
    const { onCall, onError, onHandshake } = this.#options;
    const route = routeOf(request);
    const endpoint = this.#endpoints.get(route);
    if (endpoint !== undefined) onCall?.(endpoint.service.name)(error.code);
    onError(error, { route, sid: '', status });
    onHandshake?.({ method: request.method ?? '', route, sid: '', status });
    answerRefused(stream, status, error);
  }

  #refusal({ headers }: IncomingMessage, route: string): Refusal | null {
    const { origins, limits } = this.#options;
    if (!this.#endpoints.has(route) && route !== probe) {
      const routes = [...this.#endpoints.keys(), probe].join(', ');
      const detail = `no WebSocket at ${route}; there is ${routes}`;
      return { status: 404, error: new AigesError('invalidOperation', { detail }) };
    }
    const { origin } = headers;
    if (origin !== undefined && origins.length > 0 && !origins.includes(origin)) {
      const detail = `pages of ${origin} may not connect; [ws].origins says which may`;
      return { status: 403, error: new AigesError('invalidOperation', { detail }) };
    }
    if (this.#draining) return { status: 503, error: new AigesError('shuttingDown') };
    if (this.#connections.size >= limits.maxConnections) {
      const message = `service license not enough: ${limits.maxConnections} connections are open`;
      return { status: 503, error: new AigesError('noLicense', { message }) };
    }
    return null;
  }

  fail(error: AigesError): void {
    for (const connection of this.#connections) connection.fail(error);
  }

  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.drain();
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#connections].map(({ done }) => done));
  }

  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }
}

interface Refusal {
  readonly status: number;
  readonly error: AigesError;
}

/** Without the query, which is nobody's business but the client's. */
function routeOf({ url = '' }: IncomingMessage): string {
  return url.replace(/\?.*/s, '');
}

/** A handshake against the rules of WebSocket. */
function brokenHandshake({ method }: IncomingMessage, detail: string): Refusal {
  return { status: method === 'GET' ? 400 : 405, error: new AigesError('invalidOperation', { detail }) };
}

function answerRefused(stream: Duplex, status: number, error: AigesError): void {
  const body = encodeError(error, '');
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...(status === 503 ? ['retry-after: 1'] : []),
    ...(status === 405 ? ['allow: GET'] : []),
    ...(status === 400 ? ['sec-websocket-version: 13, 8'] : []),
  ];
  stream.on('error', () => stream.destroy());
  stream.once('finish', () => stream.destroy());
  stream.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
