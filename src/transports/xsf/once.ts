import type { Call } from '../../core/call.js';
import { AigesError } from '../../core/errors.js';
import type { Output } from '../../core/runtime.js';
import type { Signal } from '../../core/signal.js';
import type { Permit } from '../../engine/admission.js';
import { aborted, type Deadline, openDeadline } from '../../engine/deadline.js';
import { expectedAttributes } from '../../engine/expect.js';
import { answerStatus } from '../../engine/service.js';
import type { LoaderInput, LoaderOutput } from './codec.js';
import type { Handles } from './handles.js';
import type { Posting } from './posting.js';
import { type Answer, hold, type Request, type Served } from './request.js';
import { releaseOf } from './stream.js';

/** How long the original waits for the payload of a one-shot request that came without one. */
const payloadWaitMs = 5000;

/** A one-shot call that is running. Its one answer goes to the request that made it, or is posted back. */
export class OnceCall {
  readonly served: Served;
  /** Where the answer is posted; null when the request waits for it. */
  readonly posting: Posting | null;
  #wait: Pick<Deadline, 'abort'> | null;

  constructor(served: Served, wait: Pick<Deadline, 'abort'>, posting: Posting | null) {
    this.served = served;
    this.#wait = wait;
    this.posting = posting;
  }

  /**
   * @param permit of `Service.admit`
   * @throws AigesError the plugin's failure, or why nobody waits any more
   */
  async run(
    handles: Handles<unknown>,
    request: Request,
    call: Omit<Call, 'signal' | 'deadline'>,
    permit: Permit,
  ): Promise<Answer> {
    const { input, deadline } = request;
    const { service } = this.served;
    const patienceMs = payloadPatience(request);
    if (patienceMs !== null) throw await service.hold(() => payloadNeverCame(patienceMs, deadline.signal), permit);
    const held = hold(request);
    const { sid, tag, params, resourceIds, expect } = call;
    handles.enter(tag);
    const release = (): void => {
      held.release();
      handles.leave(tag);
    };
    const output = await service.once(
      // Not `...call`: a member after a spread gives the object a shape of its own, which outlives the call by far.
      { sid, tag, params, resourceIds, expect, signal: deadline.signal, deadline: deadline.at },
      { frames: held.frames, release },
      permit,
    );
    return { output: onceOutput(input, output), release: releaseOf(output), leased: output.leased === true };
  }

  /** Ends the wait for the answer. */
  close(reason: AigesError): void {
    this.#wait?.abort(reason);
  }

  /** It has ended. The table of handles may refer to it for a while (see `CallTable`), and through it to no more. */
  forget(): void {
    this.#wait = null;
  }
}

/** One-shot answers repeat the attributes that the client asked for; those of the plugin are dropped. */
function onceOutput(input: LoaderInput, output: Output): LoaderOutput {
  const payloads = output.frames.map((frame) => {
    const attributes = new Map(expectedAttributes(frame, input.expect));
    attributes.set('seq', '0').set('status', String(frame.status));
    return { frame, attributes };
  });
  return { serviceId: input.serviceId, error: null, status: answerStatus(output.frames), payloads };
}

/**
 * Milliseconds to wait for the payload, null when it is there. Only AIIn brings one: what another operation has with it
 * is not looked at.
 */
function payloadPatience({ op, input }: Request): number | null {
  if (op !== 'AIIn') return Infinity;
  return input.frames.length === 0 ? payloadWaitMs : null;
}

/** A payload may come late in this protocol, so clients know its absence as a timeout of one kind or another. */
async function payloadNeverCame(ms: number, signal: Signal): Promise<AigesError> {
  const wait = openDeadline(ms, () => new AigesError('invalidInput'), [signal]);
  await aborted(wait.signal);
  wait.close();
  return AigesError.from(wait.signal.reason);
}
