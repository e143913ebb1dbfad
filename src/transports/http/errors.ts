import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AigesError } from '../../core/errors.js';
import { encodeError } from '../json/codec.js';
import type { OpenAnswers } from './open-answers.js';
import { HttpRefusal } from './refusal.js';
import { httpStatus, retryAfter } from './status.js';

/** What the log says about a call besides its error. */
export interface ErrorContext {
  readonly route: string;
  readonly sid: string;
  /** As the client sent it in X-Request-Id; absent when it did not. */
  readonly requestId?: string;
}

export type OnError = (error: AigesError, context: ErrorContext) => void;

/** Answers with the document of an error. */
export function sendError(reply: FastifyReply, error: AigesError, sid: string, status: number): FastifyReply {
  const seconds = retryAfter(error);
  if (seconds !== null) reply.header('retry-after', seconds);
  return reply
    .code(status)
    .header('x-aiges-code', String(error.code))
    .type('application/json')
    .send(encodeError(error, sid));
}

/**
 * Answers whatever no route does: 405 where there is a route for another method, else 404. Call it before there are
 * routes.
 * @param routes of services
 */
export function answerUnknownRoutes(app: FastifyInstance, routes: readonly string[]): void {
  // To ask the router would be to let clients write patterns.
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ method, url }) => {
    const methods = known.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    known.set(url, methods);
  });
  app.setNotFoundHandler((request, reply) => {
    const url = request.url.split('?')[0] ?? '';
    const methods = ['GET', 'POST'].filter((method) => known.get(url)?.has(method));
    const there = routes.map((route) => `POST ${route}`).join(', ');
    const exists = methods.length > 0;
    const error = exists
      ? new HttpRefusal(405, `${url} is for ${methods.join(', ')}, not for ${request.method}`)
      : new HttpRefusal(404, `no route ${request.method} ${request.url}; there is ${there}`);
    if (exists) reply.header('allow', methods.join(', '));
    return sendError(reply, error, '', httpStatus(error));
  });
}

/** Answers a request whose URL cannot be decoded. */
export function answerBadUrl(_error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const message = `the URL ${request.url} cannot be decoded: after each % there have to be two hexadecimal digits, of UTF-8`;
  void sendError(reply, new AigesError('undecodableBody', { message }), '', 400);
}

/** Answers what never became a request: it came too slowly, or is no HTTP. */
export function answerBrokenRequest(open: OpenAnswers, error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (!open.canRefuse(socket)) {
    socket.destroy();
    return;
  }
  const [status, message] = brokenRequests[error.code ?? ''] ?? [400, `the request is not HTTP (${error.message})`];
  const refusal = new AigesError('undecodableBody', { message });
  // It may read this answer; that it has left is likelier.
  if (error.code !== 'HPE_INVALID_EOF_STATE') open.refuse(socket, refusal);
  const body = encodeError(refusal, '');
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}

const brokenRequests: Readonly<Record<string, readonly [status: number, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time ([http].headersTimeout, [http].bodyTimeout)'],
  HPE_HEADER_OVERFLOW: [431, 'the headers of the request are too large'],
};
