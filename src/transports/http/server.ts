import { type Duplex, finished } from 'node:stream';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { AigesError } from '../../core/errors.js';
import type { Endpoint } from '../json/endpoint.js';
import { type BodyLimits, takeAnyBody } from './body.js';
import { answerBadUrl, answerBrokenRequest, answerUnknownRoutes, sendError } from './errors.js';
import { OpenAnswers } from './open-answers.js';
import { serveDocs } from './pages.js';
import { registerPlayground } from './playground.js';
import { type CallOptions, contextOf, serveEndpoint, tellFailure } from './routes.js';
import { httpStatus } from './status.js';

export interface HttpOptions extends CallOptions, BodyLimits {
  readonly services: readonly Endpoint[];
  /** Whether every service can take calls. */
  readonly ready: () => boolean;
  /** The OpenAPI document about the services. */
  readonly document: () => object;
  /** What Prometheus reads. */
  readonly metrics?: (() => Promise<string>) | undefined;
  /** Whether people get pages to look at. */
  readonly ui: boolean;
  /** Origins of pages that may call; "*" for all. */
  readonly cors: readonly string[];
  readonly patience: Patience;
  /** Connections at the same time; further ones are closed at once. */
  readonly maxConnections: number;
  /** Told about every request when it is over. */
  readonly onRequest?: ((entry: RequestEntry) => void) | undefined;
}

/** How long a client may take, in milliseconds. */
export interface Patience {
  /** For the headers of a request. */
  readonly headersMs: number;
  /** For the body after them. */
  readonly bodyMs: number;
  /** Without taking any of its answer. */
  readonly sendMs: number;
  /** From one request to the next. */
  readonly keepAliveMs: number;
}

/** A request that is over. */
export interface RequestEntry {
  readonly method: string;
  readonly route: string;
  readonly sid: string;
  readonly requestId?: string;
  /** What was answered, if anything. */
  readonly status: number;
  /** Whether the client got the whole answer. */
  readonly complete: boolean;
  /** From the headers of the request to the end of the answer. */
  readonly ms: number;
}

export interface HttpServer extends FastifyInstance {
  /** Resolves when every answer that has begun by now is out, or its client has left. */
  answered(): Promise<void>;
  /** Whether an answer on this connection has not ended. */
  answering(connection: Duplex): boolean;
}

declare module 'fastify' {
  interface FastifyReply {
    /** Resolves when the answer is out, with null, or will not get to its client, with why. Never rejects. */
    over: Promise<AigesError | null>;
    /** What the request has failed with, if it has. */
    failure: AigesError | null;
  }
}

/** Builds the HTTP server; the caller lets it listen. */
export function createHttpServer(options: HttpOptions): HttpServer {
  const { patience } = options;
  const open = new OpenAnswers();
  const app = Fastify({
    return503OnClosing: false,
    // Fastify's 10 s count for the hook below too, which waits for clients that read slowly.
    pluginTimeout: 0,
    forceCloseConnections: 'idle',
    keepAliveTimeout: patience.keepAliveMs,
    requestTimeout: patience.headersMs + patience.bodyMs,
    http: {
      headersTimeout: patience.headersMs,
      connectionsCheckingInterval: Math.min(5000, Math.ceil(Math.min(patience.headersMs, patience.bodyMs) / 2)),
    },
    clientErrorHandler: (error, socket) => {
      answerBrokenRequest(open, error, socket);
    },
    frameworkErrors: answerBadUrl,
  });
  app.server.maxConnections = options.maxConnections;
  takeAnyBody(app, options);
  endSlowReaders(app, patience.sendMs);
  const answered = watchAnswers(app, open, options.onRequest);
  closeConnectionsAtTheEnd(app, answered);
  if (options.cors.length > 0) {
    app.register(cors, {
      origin: options.cors.includes('*') ? '*' : [...options.cors],
      methods: ['GET', 'POST'],
      exposedHeaders: ['X-Aiges-Sid', 'X-Aiges-Code', 'Retry-After'],
      maxAge: 600,
    });
  }

  answerUnknownRoutes(
    app,
    options.services.map(({ route }) => route),
  );

  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const ready = options.ready();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' });
  });
  app.get('/openapi.json', (_request, reply) => reply.send(options.document()));
  const { metrics } = options;
  if (metrics !== undefined) {
    app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4').send(await metrics()));
  }
  if (options.ui) {
    serveDocs(app, options.document);
    registerPlayground(app);
  }
  for (const endpoint of options.services) serveEndpoint(app, endpoint, options);
  app.setErrorHandler((caught: { statusCode?: number; message: string }, request, reply) => {
    const client = caught.statusCode !== undefined && caught.statusCode < 500;
    const refusal = client ? new AigesError('undecodableBody', { detail: caught.message }) : AigesError.from(caught);
    // What is wrong with a body that breaks off is that it does.
    const error = request.raw.socket.destroyed ? open.whyLost(request.raw.socket) : refusal;
    tellFailure(error, options, request, reply, '');
    return sendError(reply, error, '', options.legacyErrors ? 500 : (caught.statusCode ?? httpStatus(error)));
  });
  return Object.assign(app, { answered, answering: open.has.bind(open) });
}

/** A connection whose call was running when the server began to close would otherwise be kept alive, and keep us. */
function closeConnectionsAtTheEnd(app: FastifyInstance, answered: () => Promise<void>): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
    // Node takes a connection for idle whose answer has been written and not read yet, and cuts it.
    await answered();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });
}

/** A client that takes nothing of its answer keeps memory, and with a stream a licence. */
function endSlowReaders(app: FastifyInstance, ms: number): void {
  app.addHook('onRequest', (_request, { raw }, done) => {
    // Silence while there is nothing to send is the plugin's.
    raw.setTimeout(ms, () => {
      if (raw.writableLength > 0) raw.destroy();
    });
    done();
  });
}

/**
 * Watches answers from the headers of their requests to their end.
 * @returns what waits for those whose request has arrived as a whole by then
 */
function watchAnswers(
  app: FastifyInstance,
  open: OpenAnswers,
  onRequest: HttpOptions['onRequest'],
): () => Promise<void> {
  const answering = new Set<Promise<unknown>>();
  app.decorateReply('over');
  app.decorateReply('failure', null);
  app.addHook('onRequest', (request, reply, done) => {
    const start = performance.now();
    const { socket } = request.raw;
    open.add(socket, reply.raw);
    reply.over = new Promise((resolve) => {
      finished(reply.raw, (error) => {
        open.delete(socket, reply.raw);
        // A connection that breaks while the last bytes wait ends the answer without an error.
        const complete = (error ?? null) === null && (!socket.destroyed || socket.writableFinished);
        resolve(complete ? null : open.whyLost(socket));
        const sid = reply.getHeader('x-aiges-sid');
        onRequest?.({
          method: request.method,
          ...contextOf(request, typeof sid === 'string' ? sid : ''),
          status: reply.raw.headersSent ? reply.statusCode : 0,
          complete,
          ms: Math.round(performance.now() - start),
        });
      });
    });
    done();
  });
  app.addHook('preHandler', (_request, { over }, done) => {
    answering.add(over);
    void over.then(() => answering.delete(over));
    done();
  });
  return async () => {
    await Promise.all(answering);
  };
}
