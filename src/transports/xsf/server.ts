import type { Address } from '../../core/address.js';
import type { Call } from '../../core/call.js';
import { AigesError } from '../../core/errors.js';
import { DataStatus } from '../../core/frame.js';
import type { Output } from '../../core/runtime.js';
import { aborted, type Deadline, openDeadline } from '../../engine/deadline.js';
import { expectedAttributes } from '../../engine/expect.js';
import type { Input } from '../../engine/input.js';
import { answerStatus, type Service } from '../../engine/service.js';
import type { GrpcCall, GrpcServer, Message, Reply } from '../grpc/server.js';
import { advertisedAddress, type Advertising } from './address.js';
import {
  decodeEnvelope,
  decodeLoaderInput,
  encodeReply,
  type Envelope,
  type LoaderInput,
  type LoaderOutput,
} from './codec.js';
import { Handles } from './handles.js';
import { envelopeError, failedOutput, malformedEnvelope, rateExceeded } from './status.js';
import { type Answer, endsSession, releaseOf, XsfStream } from './stream.js';

export interface XsfOptions extends Advertising {
  readonly service: Service;
  /** Names of headers that the plugin gets as parameters. */
  readonly headerPass: readonly string[];
  /** Milliseconds after which a stream is ended that neither its client nor the plugin has touched. */
  readonly ttlMs: number;
  /** Milliseconds between two looks for such streams. */
  readonly rollMs: number;
  /** Whether clients may change the number of licences: nothing tells one client from another here. */
  readonly resizable: boolean;
  /** What passes on the way in; null lets everything pass. */
  readonly rateLimit: { take(): boolean } | null;
  /** Ends what is still running when the time to drain is up. */
  readonly shutdown: AbortSignal;
  /** Told about every call that failed. */
  readonly onError: (
    error: AigesError,
    context: { readonly op: string; readonly handle: string; readonly sid: string },
  ) => void;
}

/** How long the original waits for the payload of a one-shot request that came without one. */
const payloadWaitMs = 5000;
const defaultWaitMs = 500;

/** Serves `/utils.XsfCall/call`: every business call of the AthenaServing tier. */
export function serveXsf(server: GrpcServer, options: XsfOptions): void {
  const xsf = new XsfServer(options);
  server.unary('/utils.XsfCall/call', (call) => xsf.call(call));
}

/** Longest handle that a client may bring; those of this loader have 26 characters. */
const longestHandle = 256;

/** What is behind a live handle: a stream, or a one-shot call that is running. */
type Live = XsfStream | OnceCall;

/** A one-shot call, for whoever waits for it. */
type OnceCall = Deadline;

/** One request with everything that its handling needs. */
interface Request {
  readonly op: string;
  readonly handle: string;
  readonly param: Envelope['param'];
  readonly input: LoaderInput;
  readonly message: Message;
  /** Abort when the client has left, and at shutdown. */
  readonly gone: readonly AbortSignal[];
  /** Aborts when the client waits no longer, and with every signal above. */
  readonly deadline: Deadline;
}

class XsfServer {
  readonly #options: XsfOptions;
  readonly #handles = new Handles<Live>();
  /** Handles that plugin code still knows as the tag of a call. They outlive the call's answer. */
  readonly #inside = new Set<string>();
  #sweeper: NodeJS.Timeout | null = null;

  constructor(options: XsfOptions) {
    this.#options = options;
    options.shutdown.addEventListener('abort', () => {
      this.#endStreams(() => true, options.shutdown.reason as AigesError);
    });
  }

  async call(call: GrpcCall): Promise<Reply> {
    if (this.#options.rateLimit?.take() === false) throw rateExceeded();
    const envelope = readEnvelope(call);
    const address = advertisedAddress(this.#options, call.local ?? { host: '', port: 0 });
    const handle = envelope.handle === '' ? this.#handles.create(address) : envelope.handle;
    if (envelope.op === 'ping') return reply(handle, address, null);
    const wait = Math.min(waitTime(envelope.param.get('waitTime')), call.deadline - performance.now());
    const { shutdown } = this.#options;
    const deadline = openDeadline(wait, () => new AigesError('timeout'), [shutdown]);
    call.onCancel(() => {
      deadline.abort(new AigesError('cancelled'));
    });
    let sid = '';
    try {
      if (handle.length > longestHandle) {
        throw new AigesError('invalidInput', { detail: `the handle has ${handle.length} characters` });
      }
      const input = readLoaderInput(envelope);
      sid = input.headers.get('sid') ?? '';
      const request = {
        op: envelope.op,
        handle,
        param: envelope.param,
        input,
        message: call.message,
        get gone() {
          return [call.signal, shutdown];
        },
        deadline,
      };
      const answer = await this.#dispatch(request);
      return reply(handle, address, answer.output, answer.release);
    } catch (caught) {
      const error = AigesError.from(caught);
      this.#options.onError(error, { op: envelope.op, handle, sid });
      return reply(handle, address, failedOutput(error));
    } finally {
      deadline.close();
    }
  }

  #dispatch(request: Request): Answer | Promise<Answer> {
    switch (request.op) {
      case 'AIIn':
      case 'AIOut':
      case 'AIExcp':
        return request.param.get('SeqNo') === '1' ? this.#create(request) : this.#continue(request);
      case 'AIDetect':
      case 'AIHotword':
      case 'AILoad':
      case 'AIUnLoad':
        return empty(request);
      case 'AILBType':
        return this.#resize(request);
      default:
        throw new AigesError('invalidOperation', { detail: `op is "${request.op}"` });
    }
  }

  /** AILBType: param `authzNo` is the new number of licences, `timeout` the milliseconds to wait for calls to end. */
  async #resize(request: Request): Promise<Answer> {
    const { param, gone } = request;
    if (!this.#options.resizable) throw new AigesError('invalidOperation', { detail: 'AILBType is not enabled' });
    const permits = param.get('authzNo') ?? '';
    const timeout = param.get('timeout') ?? '0';
    if (!/^[1-9]\d{0,6}$/.test(permits) || !/^\d{1,9}$/.test(timeout)) throw new AigesError('badLicenses');
    const wait = openDeadline(Number(timeout), () => new AigesError('resizeTimeout'), gone);
    try {
      await this.#options.service.resize(Number(permits), wait.signal);
      return empty(request);
    } finally {
      wait.close();
    }
  }

  #create(request: Request): Promise<Answer> {
    const { input, handle } = request;
    if (input.headers.get('downMethod') === 'async') throw new AigesError('invalidDownMethod');
    checkMeta(input);
    this.#handles.checkFree(handle);
    if (this.#inside.has(handle)) throw new AigesError('duplicateTag');
    if (input.once) return this.#once(request);
    const session = this.#options.service.open(
      {
        sid: input.headers.get('sid') ?? '',
        tag: handle,
        params: this.#params(input),
        resourceIds: [],
        expect: input.expect,
      },
      input.syncId,
    );
    const stream = new XsfStream(session, input.expect);
    this.#handles.open(handle, stream);
    this.#inside.add(handle);
    void stream.done.then(() => this.#inside.delete(handle));
    this.#sweep();
    if (request.op !== 'AIIn') return this.#continue(request);
    // Clients know that opening succeeds: what fails shows on the next call.
    stream.put(input.syncId, hold(request));
    return Promise.resolve(empty(request));
  }

  async #once(request: Request): Promise<Answer> {
    const { input, handle, deadline } = request;
    this.#handles.open(handle, deadline);
    try {
      if (input.frames.length === 0) throw await this.#options.service.hold(() => payloadNeverCame(deadline.signal));
      const call: Call = {
        sid: input.headers.get('sid') ?? '',
        tag: handle,
        params: this.#params(input),
        resourceIds: [],
        expect: input.expect,
        signal: deadline.signal,
        deadline: deadline.at,
      };
      const held = hold(request);
      this.#inside.add(handle);
      const release = (): void => {
        held.release();
        this.#inside.delete(handle);
      };
      const output = await this.#options.service.once(call, { ...held, release }, 'reject');
      return { output: onceOutput(input, output), release: releaseOf(output) };
    } catch (caught) {
      // A call that was never let in leaves no trace.
      if (caught instanceof AigesError && caught.code === 10110) this.#handles.forget(handle);
      throw caught;
    } finally {
      this.#handles.release(handle);
    }
  }

  async #continue(request: Request): Promise<Answer> {
    const { op, handle, input, deadline } = request;
    const stream = this.#handles.find(handle);
    if (!(stream instanceof XsfStream)) {
      // The one answer of a one-shot call goes to the request that made it.
      if (op !== 'AIExcp') throw new AigesError('timeout', { detail: `${handle} is a one-shot call that is running` });
      stream.abort(new AigesError('releasedHandle'));
      return empty({ input: { serviceId: '' } });
    }
    if (op === 'AIExcp') {
      this.#handles.release(handle);
      const ended = stream.close(new AigesError('releasedHandle'));
      // So that who opens the next session right away finds the licence free; but not longer than the client waits.
      await Promise.race([ended, aborted(deadline.signal)]);
      return empty({ input: { serviceId: '' } });
    }
    try {
      if (op === 'AIIn') {
        checkMeta(input);
        stream.put(input.syncId, hold(request));
      }
      // Input is never held up by output: what is there is taken along.
      const wait = op === 'AIIn' ? AbortSignal.abort() : deadline.signal;
      const answer = await stream.next(input.serviceId, wait);
      if (endsSession(answer.output)) this.#handles.release(handle);
      return answer;
    } catch (caught) {
      const error = AigesError.from(caught);
      this.#handles.release(handle);
      void stream.close(error);
      throw error;
    }
  }

  /** Looks for streams that nobody touches, for as long as there are any. */
  #sweep(): void {
    this.#sweeper ??= setInterval(() => {
      const oldest = performance.now() - this.#options.ttlMs;
      this.#endStreams((stream) => stream.touched < oldest, new AigesError('unknownHandle'));
      if (this.#handles.live.size > 0 || this.#sweeper === null) return;
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }, this.#options.rollMs).unref();
  }

  /** Ends streams without waiting for the plugin, which may be stuck in one of them. */
  #endStreams(which: (stream: XsfStream) => boolean, reason: AigesError): void {
    for (const [handle, stream] of this.#handles.live) {
      if (!(stream instanceof XsfStream) || !which(stream)) continue;
      this.#handles.forget(handle);
      void stream.close(reason);
    }
  }

  #params(input: LoaderInput): Map<string, string> {
    const params = new Map(input.params);
    for (const name of this.#options.headerPass) {
      if (!params.has(name)) params.set(name, input.headers.get(name) ?? '');
    }
    return params;
  }
}

function readEnvelope(call: GrpcCall): Envelope {
  try {
    return decodeEnvelope(call.message.bytes);
  } catch (error) {
    throw malformedEnvelope(error);
  }
}

function readLoaderInput(envelope: Envelope): LoaderInput {
  try {
    return decodeLoaderInput(envelope.body);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AigesError('malformedInput', { message: `proto: cannot parse LoaderInput: ${reason}`, cause: error });
  }
}

function reply(handle: string, address: Address, output: LoaderOutput | null, release?: () => void): Reply {
  const error = output?.error ?? null;
  const chunks = encodeReply(
    { handle, peerAddress: `${address.host}:${address.port}`, error: error === null ? null : envelopeError(error) },
    output,
  );
  return release === undefined ? { chunks } : { chunks, release };
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

/** Milliseconds that the client waits for its answer. What is not a positive number gives up at once. */
function waitTime(text: string | undefined): number {
  if (text === undefined) return defaultWaitMs;
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** A payload may come late in this protocol, so clients know its absence as a timeout of one kind or another. */
async function payloadNeverCame(signal: AbortSignal): Promise<AigesError> {
  const wait = openDeadline(payloadWaitMs, () => new AigesError('invalidInput'), [signal]);
  await aborted(wait.signal);
  wait.close();
  return AigesError.from(wait.signal.reason);
}

function checkMeta(input: LoaderInput): void {
  if (input.missingMeta) throw new AigesError('invalidInput', { detail: 'a payload has no meta, so no name' });
}

/** The frames of a request, with a reference of their own on its message. */
function hold({ input, message }: Request): Input {
  message.retain();
  return {
    frames: input.frames,
    release: () => {
      message.release();
    },
  };
}

function empty({ input }: { readonly input: Pick<LoaderInput, 'serviceId'> }): Answer {
  return { output: { serviceId: input.serviceId, error: null, status: DataStatus.begin, payloads: [] } };
}
