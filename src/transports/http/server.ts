import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AigesError } from '../../core/errors.js';
import type { Output } from '../../core/runtime.js';
import { openDeadline } from '../../engine/deadline.js';
import { expectedAttributes } from '../../engine/expect.js';
import { answerStatus } from '../../engine/service.js';
import { decodeOnce, encodeError, encodeOnce, type OnceRequest } from '../json/codec.js';
import { type Endpoint, passedParams } from '../json/endpoint.js';
import { registerPlayground } from './playground.js';
import { httpStatus, retryAfter } from './status.js';

export interface HttpOptions {
  readonly services: readonly Endpoint[];
  readonly maxBodyBytes: number;
  /** Milliseconds that a one-shot call may take. */
  readonly onceTimeoutMs: number;
  /** Whether people find a page at `/`. */
  readonly ui: boolean;
  /** Whether every service can take calls. */
  readonly ready: () => boolean;
  /** Ends what is still running when the time to drain is up. */
  readonly shutdown: AbortSignal;
  /** Told about every call that failed. */
  readonly onError: (error: AigesError, context: { readonly route: string; readonly sid: string }) => void;
}

/** Builds the HTTP server; the caller lets it listen. */
export function createHttpServer(options: HttpOptions): FastifyInstance {
  const app = Fastify({ bodyLimit: options.maxBodyBytes, return503OnClosing: false, forceCloseConnections: 'idle' });
  // Clients of the original send JSON under any content type, or none, or one that is no content type at all.
  app.addHook('onRequest', (request, _reply, done) => {
    request.headers['content-type'] = 'application/octet-stream';
    done();
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });

  // A connection whose call was running when the server began to close would otherwise be kept alive, and keep us.
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing) reply.header('connection', 'close');
    done();
  });

  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const ready = options.ready();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' });
  });
  for (const served of options.services) {
    app.post(served.route, (request, reply) => answerOnce(served, options, request, reply));
  }
  if (options.ui) registerPlayground(app);
  app.setNotFoundHandler((request, reply) => {
    const routes = options.services.map(({ route }) => `POST ${route}`).join(', ');
    const detail = `no route ${request.method} ${request.url}; there is ${routes}`;
    return sendError(reply, new AigesError('invalidOperation', { detail }), '', 404);
  });
  app.setErrorHandler((caught: { statusCode?: number; message: string }, request, reply) => {
    const client = caught.statusCode !== undefined && caught.statusCode < 500;
    const error = client ? new AigesError('undecodableBody', { detail: caught.message }) : AigesError.from(caught);
    options.onError(error, { route: request.url, sid: '' });
    return sendError(reply, error, '', caught.statusCode ?? 500);
  });
  return app;
}

async function answerOnce(
  served: Endpoint,
  options: HttpOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const sid = randomUUID();
  const gone = new AbortController();
  // Closing before the answer has been written is how a client that has left shows.
  reply.raw.once('close', () => {
    gone.abort();
  });
  const deadline = openDeadline(options.onceTimeoutMs, () => new AigesError('timeout'), [
    gone.signal,
    options.shutdown,
  ]);
  try {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const decoded = decodeOnce(body);
    if (decoded.headers.get('downMethod') === 'async') throw new AigesError('invalidDownMethod');
    const output = await served.service.once(
      {
        sid,
        tag: sid,
        params: passedParams(decoded, served, sid),
        resourceIds: [],
        expect: decoded.expect,
        signal: deadline.signal,
        deadline: deadline.at,
      },
      // The decoded frames are buffers of their own, for the garbage collector to take.
      { frames: decoded.frames, release: () => undefined },
    );
    return await sendOutput(reply, sid, decoded, output);
  } catch (caught) {
    const error = AigesError.from(caught);
    options.onError(error, { route: served.route, sid });
    return await sendError(reply, error, sid, httpStatus(error));
  } finally {
    deadline.close();
  }
}

function sendOutput(reply: FastifyReply, sid: string, request: OnceRequest, output: Output): FastifyReply {
  try {
    const payloads = output.frames.map((frame) => {
      const attributes = new Map([...frame.desc, ...(expectedAttributes(frame, request.expect) ?? [])]);
      attributes.set('seq', '0').set('status', String(frame.status));
      return { frame, attributes };
    });
    const text = encodeOnce({ sid, status: answerStatus(output.frames), payloads });
    return reply.type('application/json').send(text);
  } finally {
    // The JSON text holds a copy of every payload.
    output.release();
  }
}

function sendError(reply: FastifyReply, error: AigesError, sid: string, status: number): FastifyReply {
  const seconds = retryAfter(error);
  if (seconds !== null) reply.header('retry-after', seconds);
  return reply.code(status).type('application/json').send(encodeError(error, sid));
}
