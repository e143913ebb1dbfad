import { AigesError } from '../../core/errors.js';
import { type Frame, isFinal } from '../../core/frame.js';
import type { Output } from '../../core/runtime.js';
import { openDeadline } from '../../engine/deadline.js';
import { StreamAttributes } from '../../engine/output-attributes.js';
import { resultStatus } from '../../engine/service.js';
import { encodeError, encodeOnce } from '../json/codec.js';
import { encodeOutput } from './answer.js';
import { callOf } from '../json/endpoint.js';
import { callOnce, type Exchange, inputOf } from './once.js';

/** Server-sent events, each with the blank line at its end. */
export type Events = AsyncGenerator<string, void, undefined>;

/** The answer of a service without streams: one event. */
export async function* onceEvents(exchange: Exchange, timeoutMs: number): Events {
  const output = await callOnce(exchange, timeoutMs);
  yield resultEvent(encodeOutput(output, exchange.sid, exchange.request.expect));
}

/**
 * Runs a stream whose whole input is there, and gives its results as they come. The next one is taken from the plugin
 * when the one before has been taken from here.
 * @throws AigesError why the stream has ended early
 */
export async function* streamEvents(exchange: Exchange): Events {
  const { endpoint, request, sid } = exchange;
  const { service } = endpoint;
  const { frames } = request;
  checkWhole(frames);
  service.checkInputs(frames);
  const end = openDeadline(Infinity, () => new AigesError('timeout'), exchange.ends);
  try {
    const session = service.open(callOf(endpoint, request, sid), 1);
    const close = (): void => {
      void session.close(AigesError.from(end.signal.reason));
    };
    // At once: nobody may be waiting for a result just now, because the client reads slowly.
    end.signal.addEventListener('abort', close);
    if (end.signal.aborted) close();
    try {
      session.put(1, { ...inputOf(exchange), last: true });
      const attributes = new StreamAttributes(request.expect);
      for (let final = false; !final;) {
        const output = await session.next(end.signal);
        if (output === null) throw AigesError.from(end.signal.reason);
        final = output.frames.some(isFinal);
        yield resultEvent(encodeResult(output, sid, attributes));
      }
    } finally {
      // A stream that has ended by itself does not mind.
      void session.close(new AigesError('cancelled'));
    }
  } finally {
    end.close();
  }
}

/** Lets go of the output: the text holds a copy of it. */
function encodeResult(output: Output, sid: string, attributes: StreamAttributes): string {
  try {
    const payloads = output.frames.map((frame) => ({ frame, attributes: attributes.next(frame) }));
    return encodeOnce({ sid, status: resultStatus(output.frames), payloads });
  } finally {
    output.release();
  }
}

/** A comment, for proxies that cut silent connections. */
export const pingEvent = ': ping\n\n';

export function errorEvent(error: AigesError, sid: string): string {
  return `event: error\ndata: ${encodeError(error, sid)}\n`;
}

/** The text of a document is one line and ends with a line break. */
function resultEvent(text: string): string {
  return `event: result\ndata: ${text}\n`;
}

/**
 * Says something now and then while nothing comes.
 * @param everyMs milliseconds of silence
 */
export async function* withPings(events: Events, everyMs: number): Events {
  try {
    let next = events.next();
    for (;;) {
      const step = await within(everyMs, next);
      if (step?.done === true) return;
      yield step?.value ?? pingEvent;
      if (step !== null) next = events.next();
    }
  } finally {
    await events.return();
  }
}

/** Waits no longer than that: null then. */
async function within<T>(ms: number, awaited: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([awaited, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}

/** What follows the first event: a failure from here on is an event too, and the last one. */
export async function* fromFirst(first: string, rest: Events, onFailure: (caught: unknown) => string): Events {
  let open = true;
  try {
    yield first;
    for (;;) {
      let step;
      try {
        step = await rest.next();
      } catch (caught) {
        open = false;
        yield onFailure(caught);
        return;
      }
      open = step.done !== true;
      if (step.done === true) return;
      yield step.value;
    }
  } finally {
    // Who takes events has gone in the middle.
    if (open) onFailure(new AigesError('cancelled'));
    await rest.return();
  }
}

/** @throws AigesError `invalidInput` for an input of which more would have to follow */
function checkWhole(frames: readonly Frame[]): void {
  const open = frames.find((frame) => !isFinal(frame));
  if (open === undefined) return;
  throw new AigesError('invalidInput', {
    detail: `payload.${open.key}.status is ${open.status}, but the body is the whole input; leave status out, or set 2 or 3`,
  });
}
