import type { FastifyReply } from 'fastify';
import type { Output } from '../../core/runtime.js';
import { frameAttributes } from '../../engine/output-attributes.js';
import { answerStatus } from '../../engine/service.js';
import { bytesOf, encodeOnce, type OnceRequest } from '../json/codec.js';
import type { Endpoint } from '../json/endpoint.js';
import { mediaTypeOf } from './media-types.js';
import { HttpRefusal } from './refusal.js';

/** The output of a one-shot call as the text of its document. Lets go of the output. */
export function encodeOutput(output: Output, sid: string, expect: OnceRequest['expect']): string {
  try {
    const payloads = output.frames.map((frame) => ({ frame, attributes: frameAttributes(frame, expect, 0) }));
    return encodeOnce({ sid, status: answerStatus(output.frames), payloads });
  } finally {
    // The JSON text holds a copy of every payload.
    output.release();
  }
}

export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('x-aiges-code', '0').type('application/json').send(text);
}

/** Answers with the bytes of the one output. Lets go of the output when they are out. */
export function sendBytes(reply: FastifyReply, output: Output, expect: OnceRequest['expect']): FastifyReply {
  const [frame, ...more] = output.frames;
  if (frame === undefined || more.length > 0) {
    output.release();
    throw notOne(output.frames.map(({ key }) => key));
  }
  let bytes = bytesOf(frame);
  if (output.leased === true) {
    // A slow client must not keep an engine from its memory.
    bytes = Buffer.from(bytes);
    output.release();
  } else {
    void reply.over.then(() => {
      output.release();
    });
  }
  return reply
    .headers({ 'x-aiges-code': '0', 'x-content-type-options': 'nosniff' })
    .type(mediaTypeOf(frame.type, frameAttributes(frame, expect, 0)))
    .send(bytes);
}

/**
 * Refuses a request for bytes before the plugin has worked on it in vain.
 * @throws HttpRefusal 406
 */
export function checkOneOutput({ descriptor }: Endpoint, { expect }: Pick<OnceRequest, 'expect'>): void {
  const names = (expect ?? descriptor?.outputs)?.map(({ name }) => name);
  if (names !== undefined && names.length !== 1) throw notOne(names);
}

function notOne(outputs: readonly string[]): HttpRefusal {
  const names = outputs.map((name) => JSON.stringify(name)).join(', ') || 'none';
  return new HttpRefusal(
    406,
    `only a single output can be sent as it is, but there is ${names}; name one in "parameter", or accept application/json`,
  );
}
