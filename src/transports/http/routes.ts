import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { AigesError } from '../../core/errors.js';
import { DataStatus } from '../../core/frame.js';
import { LightSignal, type Signal } from '../../core/signal.js';
import type { Endpoint } from '../json/endpoint.js';
import { checkOneOutput, encodeOutput, sendBytes, sendJson } from './answer.js';
import { type ErrorContext, type OnError, sendError } from './errors.js';
import { errorEvent, type Events, fromFirst, onceEvents, streamEvents, withPings } from './events.js';
import { type Form, negotiate } from './negotiation.js';
import { callOnce, type Exchange } from './once.js';
import { HttpRefusal } from './refusal.js';
import { httpStatus } from './status.js';
import { readRequest } from './upload.js';

export interface CallOptions {
  /** Milliseconds that a one-shot call may take. */
  readonly onceTimeoutMs: number;
  /** Milliseconds of silence after which a stream of events says that it is still there. */
  readonly pingMs: number;
  /** Whether every error has status 500, as in the original. */
  readonly legacyErrors: boolean;
  /** Ends what is still running when the time to drain is up. */
  readonly shutdown: Signal;
  /** Told about every call that failed. */
  readonly onError: OnError;
  /** Told about every request to a service; what it returns, about the code that the request ends with. */
  readonly onCall?: ((service: string) => (code: number) => void) | undefined;
}

/** Serves one service at its path. */
export function serveEndpoint(app: FastifyInstance, endpoint: Endpoint, options: CallOptions): void {
  const { onCall } = options;
  const countFromHeaders: onRequestHookHandler = (_request, reply, done) => {
    countCall(endpoint, onCall, reply);
    done();
  };
  app.post(endpoint.route, { onRequest: countFromHeaders }, async (request, reply) => {
    const sid = randomUUID();
    reply.header('x-aiges-sid', sid);
    try {
      return await answer(endpoint, options, request, reply, sid);
    } catch (caught) {
      const error = AigesError.from(caught);
      tellFailure(error, options, request, reply, sid);
      return await sendError(reply, error, sid, options.legacyErrors ? 500 : httpStatus(error));
    }
  });
}

/** Counts a request when its answer is over, with the code of what it has failed with. */
function countCall({ service }: Endpoint, onCall: CallOptions['onCall'], reply: FastifyReply): void {
  const ended = onCall?.(service.name);
  if (ended === undefined) return;
  void reply.over.then((lost) => {
    ended((reply.failure ?? lost)?.code ?? 0);
  });
}

/** Tells of a failure, and remembers it for the count. */
export function tellFailure(
  error: AigesError,
  { onError }: Pick<CallOptions, 'onError'>,
  request: FastifyRequest,
  reply: FastifyReply,
  sid: string,
): void {
  reply.failure = error;
  onError(error, contextOf(request, sid));
}

/** What the log says about a request besides its error. */
export function contextOf({ url, headers }: FastifyRequest, sid: string): ErrorContext {
  const id = headers['x-request-id'];
  const context = { route: url.split('?')[0] ?? url, sid };
  return typeof id === 'string' ? { ...context, requestId: id.slice(0, longestRequestId) } : context;
}

const longestRequestId = 200;

async function answer(
  endpoint: Endpoint,
  options: CallOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  sid: string,
): Promise<FastifyReply> {
  const gone = new LightSignal();
  // An answer that is over before it has been written is how a client that has left shows.
  void reply.over.then((lost) => {
    if (lost !== null) gone.abort(lost);
  });
  refuseEncoded(request, reply);
  const form = chooseForm(endpoint, request.headers.accept);
  const streams = form === 'events' && endpoint.service.capabilities.stream;
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const query = request.query as Readonly<Record<string, string | string[]>>;
  // The body of a stream is all of it: its inputs end with it, which is what engines look for.
  const status = streams ? DataStatus.end : DataStatus.once;
  const decoded = await readRequest({ bytes, contentType: request.sentType, query }, endpoint, status);
  const exchange: Exchange = {
    endpoint,
    sid,
    request: decoded,
    body: request.bodyHold,
    ends: [gone, options.shutdown],
  };
  if (form === 'events') {
    const events = streams ? streamEvents(exchange) : onceEvents(exchange, options.onceTimeoutMs);
    return sendEvents(withPings(events, options.pingMs), options, request, reply, sid);
  }
  if (form === 'bytes') checkOneOutput(endpoint, decoded);
  const output = await callOnce(exchange, options.onceTimeoutMs);
  return form === 'bytes'
    ? sendBytes(reply, output, decoded.expect)
    : sendJson(reply, encodeOutput(output, sid, decoded.expect));
}

/** @throws HttpRefusal 415 for a body that the plugin would have to decode first */
function refuseEncoded({ headers }: FastifyRequest, reply: FastifyReply): void {
  const encoding = headers['content-encoding'] ?? '';
  if (/^\s*(identity)?\s*$/i.test(encoding)) return;
  reply.header('accept-encoding', 'identity');
  throw new HttpRefusal(415, `a body with Content-Encoding "${encoding}" is not taken; send it as it is`);
}

/** @throws HttpRefusal 406 */
function chooseForm({ service }: Endpoint, accept: string | undefined): Form {
  const { once, stream } = service.capabilities;
  // What can do neither says so itself.
  const streamsOnly = stream && !once;
  const form = negotiate(accept, streamsOnly ? ['events'] : ['json', 'events', 'bytes']);
  if (form !== null) return form;
  throw new HttpRefusal(
    406,
    streamsOnly
      ? 'this service answers with a stream of results; send the header Accept: text/event-stream'
      : `nothing can be sent as "${String(accept)}"; accept application/json, text/event-stream, or a type of data such as image/*`,
  );
}

/**
 * Answers with events. The status waits for the first of them, so that a call that fails before it has said
 * anything is refused as any other is.
 */
async function sendEvents(
  events: Events,
  options: CallOptions,
  request: FastifyRequest,
  reply: FastifyReply,
  sid: string,
): Promise<FastifyReply> {
  const first = await events.next();
  const onFailure = (caught: unknown): string => {
    const error = AigesError.from(caught);
    tellFailure(error, options, request, reply, sid);
    return errorEvent(error, sid);
  };
  return (
    reply
      // The second one is for nginx, which would collect events otherwise.
      .headers({ 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
      .type('text/event-stream')
      .send(Readable.from(fromFirst(first.value ?? '', events, onFailure)))
  );
}
