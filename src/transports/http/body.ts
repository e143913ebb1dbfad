import type { IncomingMessage } from 'node:http';
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';
import { AigesError } from '../../core/errors.js';
import { BodyCollector } from './body-collector.js';
import { mediaTypeName } from './media-types.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Content-Type as the client sent it; empty for none. */
    sentType: string;
  }
}

/** Bodies of every type are read into memory; what they are is decided with the service at hand. */
export function takeAnyBody(app: FastifyInstance, maxBytes: number): void {
  app.decorateRequest('sentType', '');
  // Clients of the original send JSON under any content type, or none, or one that is no content type at all.
  app.addHook('onRequest', (request, _reply, done) => {
    const sent = request.headers['content-type'] ?? '';
    request.sentType = mediaTypeName(sent) === '' ? '' : sent;
    request.headers['content-type'] = 'application/octet-stream';
    done();
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request: FastifyRequest, payload: IncomingMessage) => readBody(payload, maxBytes));
}

/** @throws why there is no body; what else comes of it is thrown away then */
function readBody(payload: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const header = payload.headers['content-length'];
  const announced = header === undefined ? null : Number(header);
  const body = new BodyCollector(announced);
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      const length = body.length + chunk.length;
      if (length > maxBytes) stop(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      else if (announced !== null && length > announced) stop(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
      else body.add(chunk);
    };
    const onEnd = (): void => {
      if (announced === null || body.length === announced) resolve(body.finish());
      else stop(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
    };
    const stop = (why: Error): void => {
      payload.off('data', onData).off('end', onEnd).resume();
      reject(why);
    };
    if (announced !== null && announced > maxBytes) {
      stop(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      return;
    }
    payload.on('data', onData).on('end', onEnd);
    payload.on('error', () => {
      stop(new AigesError('cancelled'));
    });
  });
}
