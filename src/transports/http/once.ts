import type { Output } from '../../core/runtime.js';
import type { Signal } from '../../core/signal.js';
import { AigesError } from '../../core/errors.js';
import { openDeadline } from '../../engine/deadline.js';
import type { Input } from '../../engine/input.js';
import type { OnceRequest } from '../json/codec.js';
import { callOf, type Endpoint } from '../json/endpoint.js';
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
  const { endpoint, request, sid } = exchange;
  const call = callOf(endpoint, request, sid);
  const deadline = openDeadline(timeoutMs, () => new AigesError('timeout'), exchange.ends);
  try {
    return await endpoint.service.once({ ...call, signal: deadline.signal, deadline: deadline.at }, inputOf(exchange));
  } finally {
    deadline.close();
  }
}
