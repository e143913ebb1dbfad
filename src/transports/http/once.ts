import type { Output } from '../../core/runtime.js';
import type { Signal } from '../../core/signal.js';
import { AigesError } from '../../core/errors.js';
import { openDeadline } from '../../engine/deadline.js';
import type { Input } from '../../engine/input.js';
import type { OnceRequest } from '../json/codec.js';
import { type Endpoint, passedParams } from '../json/endpoint.js';
import type { BodyHold } from './body-memory.js';

/** A request on its way: what every form of answer needs of it. */
export interface Exchange {
  readonly endpoint: Endpoint;
  readonly sid: string;
  readonly request: OnceRequest;
  /** The memory that its frames lie in. */
  readonly body: Pick<BodyHold, 'retain' | 'release'>;
  /** Abort when nobody waits for an answer any more: the client has left, or the loader stops. */
  readonly ends: readonly Signal[];
}

/** What the plugin gets of a request, whether it is a call or a stream. */
export function callOf({ endpoint, sid, request }: Exchange): {
  readonly sid: string;
  readonly tag: string;
  readonly params: Map<string, string>;
  readonly resourceIds: readonly number[];
  readonly expect: OnceRequest['expect'];
} {
  if (request.headers.get('downMethod') === 'async') throw new AigesError('invalidDownMethod');
  return { sid, tag: sid, params: passedParams(request, endpoint, sid), resourceIds: [], expect: request.expect };
}

/** Its whole input. What takes it releases it. */
export function inputOf({ request, body }: Exchange): Input {
  body.retain();
  return {
    frames: request.frames,
    release: () => {
      body.release();
    },
  };
}

/**
 * Makes a one-shot call.
 * @param timeoutMs milliseconds that it may take
 * @throws AigesError why there is no answer
 */
export async function callOnce(exchange: Exchange, timeoutMs: number): Promise<Output> {
  const call = callOf(exchange);
  const deadline = openDeadline(timeoutMs, () => new AigesError('timeout'), exchange.ends);
  try {
    return await exchange.endpoint.service.once(
      { ...call, signal: deadline.signal, deadline: deadline.at },
      inputOf(exchange),
    );
  } finally {
    deadline.close();
  }
}
