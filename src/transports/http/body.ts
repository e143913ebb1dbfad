import type { IncomingMessage } from 'node:http';
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';
import { AigesError } from '../../core/errors.js';
import { BodyCollector } from './body-collector.js';
import { BodyHold, BodyMemory } from './body-memory.js';
import { mediaTypeName } from './media-types.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Content-Type as the client sent it; empty for none. */
    sentType: string;
    /** What its body holds until the answer is out. */
    bodyHold: BodyHold;
  }
}

export interface BodyLimits {
  readonly maxBodyBytes: number;
  /** For the bodies of all requests together; no less than for one of them. */
  readonly memoryBytes: number;
}

/** Bodies of every type are read into memory; what they are is decided with the service at hand. */
export function takeAnyBody(app: FastifyInstance, { maxBodyBytes, memoryBytes }: BodyLimits): void {
  const memory = new BodyMemory(memoryBytes);
  app.decorateRequest('sentType', '');
  app.decorateRequest('bodyHold');
  // Clients of the original send JSON under any content type, or none, or one that is no content type at all.
  app.addHook('onRequest', (request, _reply, done) => {
    const sent = request.headers['content-type'] ?? '';
    request.sentType = mediaTypeName(sent) === '' ? '' : sent;
    request.headers['content-type'] = 'application/octet-stream';
    done();
  });
  app.removeAllContentTypeParsers();
  app.addHook('preParsing', (request, { over }, _payload, done) => {
    const hold = new BodyHold(memory);
    request.bodyHold = hold;
    void over.then(() => {
      hold.release();
    });
    done();
  });
  app.addContentTypeParser('*', ({ bodyHold }: FastifyRequest, payload: IncomingMessage) =>
    readBody(payload, maxBodyBytes, bodyHold),
  );
}

/** @throws why there is no body; what else comes of it is thrown away then */
function readBody(payload: IncomingMessage, maxBytes: number, hold: BodyHold): Promise<Buffer> {
  const header = payload.headers['content-length'];
  const announced = header === undefined ? null : Number(header);
  const body = new BodyCollector(announced, hold);
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      const length = body.length + chunk.length;
      if (length > maxBytes) stop(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      else if (announced !== null && length > announced) stop(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
      else add(chunk);
    };
    const add = (chunk: Buffer): void => {
      try {
        body.add(chunk);
      } catch (error) {
        stop(error as AigesError);
      }
    };
    const onEnd = (): void => {
      if (announced !== null && body.length !== announced) stop(new errorCodes.FST_ERR_CTP_INVALID_CONTENT_LENGTH());
      else {
        // Whoever leaves from here on leaves a body that is in use.
        listenNoMore();
        resolve(body.finish());
      }
    };
    const onError = (): void => {
      stop(new AigesError('cancelled'));
    };
    const listenNoMore = (): void => {
      payload.off('data', onData).off('end', onEnd).off('error', onError);
    };
    const stop = (why: Error): void => {
      listenNoMore();
      payload.resume();
      // Its answer may have to wait for others on the same connection.
      body.drop();
      reject(why);
    };
    if (announced !== null && announced > maxBytes) {
      stop(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
      return;
    }
    payload.on('data', onData).on('end', onEnd).on('error', onError);
  });
}
