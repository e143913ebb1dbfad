import type { Address } from '../../core/address.js';
import type { Call } from '../../core/call.js';
import { AigesError } from '../../core/errors.js';
import { emptyMap, isFinal } from '../../core/frame.js';
import type { Signal } from '../../core/signal.js';
import { aborted, openDeadline, within } from '../../engine/deadline.js';
import type { GrpcCall, GrpcServer, Reply } from '../grpc/server.js';
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
import { OnceCall } from './once.js';
import type { Postback } from './postback.js';
import { type Answer, checkMeta, empty, hold, pluginParams, type Request, type Served } from './request.js';
import { changeResource, isResourceOperation, namedResources } from './resources.js';
import { envelopeError, failedOutput, malformedEnvelope, rateExceeded } from './status.js';
import { XsfStream } from './stream.js';

export interface XsfOptions extends Advertising {
  /** At least one. The first gets what names none of them. */
  readonly services: readonly Served[];
  /** Milliseconds that an operation on a resource may take where the client does not say. */
  readonly resourceTimeoutMs: number;
  /** Milliseconds between two looks for streams that nobody touches. */
  readonly rollMs: number;
  /** Whether clients may change the number of licences: nothing tells one client from another here. */
  readonly resizable: boolean;
  /** Told when one has. */
  readonly onResized?: (context: { readonly service: string; readonly permits: number }) => void;
  /** Takes the results of requests with `downMethod` async; null refuses such requests. */
  readonly postback: Postback | null;
  /** What passes on the way in; null lets everything pass. */
  readonly rateLimit: { take(): boolean } | null;
  /** Where the server listens: what handles and answers name to a client that came through a Unix socket. */
  readonly listening: () => Address;
  /** Ends what is still running when the time to drain is up. */
  readonly shutdown: AbortSignal;
  /** Told when a call begins that is no ping; what it returns is told the code of the answer. */
  readonly onCall?: () => (code: number) => void;
  /** Told about every call that failed. */
  readonly onError: (
    error: AigesError,
    context: {
      /** Its name; null when the call did not come so far as to be for one. */
      readonly service: string | null;
      readonly op: string;
      readonly handle: string;
      readonly sid: string;
    },
  ) => void;
}

const defaultWaitMs = 500;

/** Serves `/utils.XsfCall/call`: every business call of the AthenaServing tier. */
export function serveXsf(server: GrpcServer, options: XsfOptions): void {
  const xsf = new XsfServer(options);
  server.unary('/utils.XsfCall/call', (call) => xsf.call(call));
}

/** How long the news of a failure waits for the engine to let go of the session. */
const letGoMs = 1000;

/** Longest handle that a client may bring; those of this loader have 26 characters. */
const longestHandle = 256;

/** What is behind a live handle. */
type Live = XsfStream | OnceCall;

class XsfServer {
  readonly #options: XsfOptions;
  readonly #services: ReadonlyMap<string, Served>;
  readonly #defaultService: Served;
  readonly #handles = new Handles<Live>();
  #sweeper: NodeJS.Timeout | null = null;
  /** What clients are told, by our end of their connection: it stays the same for as long as that lasts. */
  readonly #addresses = new WeakMap<Address, Address>();
  /** `options.shutdown`, in a form that every call can listen to. */
  readonly #shutdown: Signal;

  constructor(options: XsfOptions) {
    this.#options = options;
    const [first] = options.services;
    if (first === undefined) throw new RangeError('expected at least one service');
    this.#defaultService = first;
    this.#services = new Map(options.services.map((served) => [served.service.name, served]));
    options.shutdown.addEventListener('abort', () => {
      this.#endStreams(() => true, options.shutdown.reason as AigesError);
    });
    this.#shutdown = openDeadline(Infinity, () => new AigesError('shuttingDown'), [options.shutdown]).signal;
  }

  async call(call: GrpcCall): Promise<Reply> {
    if (this.#options.rateLimit?.take() === false) throw rateExceeded();
    const envelope = readEnvelope(call);
    const address = this.#addressFor(call.local ?? this.#options.listening());
    const handle = envelope.handle === '' ? this.#handles.create(address) : envelope.handle;
    if (envelope.op === 'ping') return reply(handle, address, null);
    const defaultMs = isResourceOperation(envelope.op) ? this.#options.resourceTimeoutMs : defaultWaitMs;
    const wait = Math.min(waitTime(envelope.param.get('waitTime'), defaultMs), call.deadline - performance.now());
    const shutdown = this.#shutdown;
    const deadline = openDeadline(wait, () => new AigesError('timeout'), [shutdown]);
    let left = call.deadline <= performance.now();
    call.onCancel(() => {
      left = true;
      deadline.abort(new AigesError('cancelled'));
    });
    const ended = this.#options.onCall?.();
    let code = 0;
    let sid = '';
    let service: string | null = null;
    try {
      if (handle.length > longestHandle) {
        throw new AigesError('invalidInput', { detail: `the handle has ${handle.length} characters` });
      }
      const input = readLoaderInput(envelope);
      sid = input.headers.get('sid') ?? '';
      const served = this.#servedFor(envelope, handle, input);
      service = served.service.name;
      const request = {
        op: envelope.op,
        handle,
        param: envelope.param,
        input,
        served,
        message: call.message,
        address,
        left,
        gone: () => [call.signal, shutdown],
        deadline,
      };
      const answer = await this.#dispatch(request);
      return reply(handle, address, answer.output, answer);
    } catch (caught) {
      const error = AigesError.from(caught);
      code = error.code;
      this.#options.onError(error, { service, op: envelope.op, handle, sid });
      return reply(handle, address, failedOutput(error));
    } finally {
      deadline.close();
      ended?.(code);
    }
  }

  /**
   * The service of the handle that a request goes on with, or the one that it names.
   * @throws AigesError `releasedHandle` or `unknownHandle`
   */
  #servedFor({ op, param }: Envelope, handle: string, { serviceId, serviceName }: LoaderInput): Served {
    if (isOfSessions(op) && !opens(param)) return this.#handles.find(handle).served;
    return this.#services.get(serviceId) ?? this.#services.get(serviceName) ?? this.#defaultService;
  }

  #addressFor(local: Address): Address {
    let address = this.#addresses.get(local);
    if (address === undefined) {
      address = advertisedAddress(this.#options, local);
      this.#addresses.set(local, address);
    }
    return address;
  }

  #dispatch(request: Request): Answer | Promise<Answer> {
    switch (request.op) {
      case 'AIIn':
      case 'AIOut':
      case 'AIExcp':
        return opens(request.param) ? this.#create(request) : this.#continue(request);
      case 'AIDetect':
        return empty(request.input.serviceId);
      case 'AIHotword':
      case 'AILoad':
      case 'AIUnLoad': {
        const { resources } = request.served.service;
        return resources === null ? empty(request.input.serviceId) : changeResource(resources, request);
      }
      case 'AILBType':
        return this.#resize(request);
      default:
        throw new AigesError('invalidOperation', { detail: `op is "${request.op}"` });
    }
  }

  /** AILBType: param `authzNo` is the new number of licences, `timeout` the milliseconds to wait for calls to end. */
  async #resize(request: Request): Promise<Answer> {
    const { param } = request;
    if (!this.#options.resizable) throw new AigesError('invalidOperation', { detail: 'AILBType is not enabled' });
    const permits = param.get('authzNo') ?? '';
    const timeout = param.get('timeout') ?? '0';
    if (!/^[1-9]\d{0,6}$/.test(permits) || !/^\d{1,9}$/.test(timeout)) throw new AigesError('badLicenses');
    const wait = openDeadline(Number(timeout), () => new AigesError('resizeTimeout'), request.gone());
    try {
      const { service } = request.served;
      await service.resize(Number(permits), wait.signal);
      this.#options.onResized?.({ service: service.name, permits: Number(permits) });
      return empty(request.input.serviceId);
    } finally {
      wait.close();
    }
  }

  #create(request: Request): Answer | Promise<Answer> {
    const { input, handle, left, served } = request;
    // Nobody would learn the handle: a stream would keep its licence until it has been idle for long enough.
    if (left) throw new AigesError('timeout', { detail: 'the client had left before the call began' });
    const postback = this.#postbackOf(input);
    checkMeta(input);
    if (!input.once) served.service.checkInputs(input.frames);
    this.#handles.checkFree(handle);
    postback?.checkRoom();
    if (!input.once) return this.#open(request, postback);
    if (request.op === 'AIExcp') return this.#onceEnded(request);
    return postback === null ? this.#once(request) : this.#onceLater(request, postback);
  }

  /** @returns null when the client fetches its results itself */
  #postbackOf(input: LoaderInput): Postback | null {
    if (input.headers.get('downMethod') !== 'async') return null;
    if (this.#options.postback === null) throw new AigesError('invalidDownMethod');
    return this.#options.postback;
  }

  async #once(request: Request): Promise<Answer> {
    const { handle, deadline } = request;
    const { service } = request.served;
    const call = this.#pluginCall(request);
    // First: a call that is not let in leaves no trace of its handle.
    const permit = service.admit();
    const once = new OnceCall(request.served, deadline, null);
    this.#handles.open(handle, once);
    try {
      return await once.run(this.#handles, request, call, permit);
    } finally {
      this.#handles.release(handle);
      once.forget();
    }
  }

  /** A one-shot call that ends with the request that opens it: its handle has been in use, and nothing more. */
  #onceEnded({ handle, served, deadline }: Request): Answer {
    served.service.admit().release();
    this.#handles.open(handle, new OnceCall(served, deadline, null));
    this.#handles.release(handle);
    return empty('');
  }

  /** Answers at once; the call goes on by itself, whether its client stays or leaves. */
  #onceLater(request: Request, postback: Postback): Answer {
    const { input, handle } = request;
    const { service } = request.served;
    const abort = new AbortController();
    const call = this.#pluginCall(request);
    const permit = service.admit();
    const posting = postback.open(request, call.params);
    const once = new OnceCall(request.served, abort, posting);
    this.#handles.open(handle, once);
    postback.once(posting, [this.#shutdown, abort.signal], (deadline) =>
      once.run(this.#handles, { ...request, deadline }, call, permit).finally(() => {
        this.#handles.release(handle);
      }),
    );
    return empty(input.serviceId);
  }

  #open(request: Request, postback: Postback | null): Answer | Promise<Answer> {
    const { input, handle, served } = request;
    const call = this.#pluginCall(request);
    const session = served.service.open(call, input.syncId);
    const posting = postback?.open(request, call.params) ?? null;
    const stream = new XsfStream(served, session, input.expect, posting);
    this.#handles.open(handle, stream);
    this.#handles.enter(handle);
    void stream.done.then(() => {
      this.#handles.leave(handle);
    });
    if (posting !== null) {
      postback?.stream(
        posting,
        (wait) => stream.next(input.serviceId, wait),
        () => {
          // Whoever ended the stream may have let go of the handle, and somebody else may have it by now.
          if (this.#handles.live.get(handle) === stream) this.#handles.release(handle);
        },
      );
    }
    this.#sweep();
    if (request.op !== 'AIIn') return this.#continue(request);
    // Clients know that opening succeeds: what fails shows on the next call.
    stream.put(input.syncId, hold(request));
    return empty(input.serviceId);
  }

  async #continue(request: Request): Promise<Answer> {
    const { op, handle, input, deadline } = request;
    const stream = this.#handles.find(handle);
    if (stream instanceof OnceCall) {
      if (op !== 'AIExcp') {
        if (stream.posting !== null) return empty(input.serviceId);
        throw new AigesError('timeout', { detail: `${handle} is a one-shot call that is running` });
      }
      stream.posting?.cancel();
      stream.close(new AigesError('releasedHandle'));
      return empty('');
    }
    if (op === 'AIExcp') {
      this.#handles.release(handle);
      stream.posting?.cancel();
      const ended = stream.close(new AigesError('releasedHandle'));
      // So that who opens the next session right away finds the licence free; but not longer than the client waits.
      await Promise.race([ended, aborted(deadline.signal)]);
      return empty('');
    }
    // The session goes on: its client may send the packet again as it should be.
    if (op === 'AIIn') stream.served.service.checkInputs(input.frames);
    try {
      if (op === 'AIIn') {
        checkMeta(input);
        stream.put(input.syncId, hold(request));
      }
      if (stream.posting !== null) {
        stream.touch();
        return empty(input.serviceId);
      }
      // Input is never held up by output: what is there is taken along.
      const wait = op === 'AIIn' ? AbortSignal.abort() : deadline.signal;
      const answer = await stream.next(input.serviceId, wait);
      if (isFinal(answer.output)) this.#handles.release(handle);
      return answer;
    } catch (caught) {
      const error = AigesError.from(caught);
      this.#handles.release(handle);
      // Who is told that a session has failed finds its licence free. An engine that is stuck does not keep the news for
      // long, and at a shutdown nobody gets the licence.
      await within(letGoMs, stream.close(error), [this.#shutdown]);
      throw error;
    }
  }

  /** Looks for streams that nobody touches, for as long as there are any. */
  #sweep(): void {
    this.#sweeper ??= setInterval(() => {
      const now = performance.now();
      this.#endStreams(({ touched, served }) => touched < now - served.ttlMs, new AigesError('unknownHandle'));
      if (this.#handles.live.size > 0 || this.#sweeper === null) return;
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }, this.#options.rollMs).unref();
  }

  /** Ends streams without waiting for the plugin, which may be stuck in one of them. */
  #endStreams(which: (stream: XsfStream) => boolean, reason: AigesError): void {
    for (const [handle, stream] of this.#handles.live) {
      if (stream instanceof OnceCall || !which(stream)) continue;
      this.#handles.forget(handle);
      void stream.close(reason);
    }
  }

  #pluginCall({ input, handle, param, served }: Request): Omit<Call, 'signal' | 'deadline'> {
    return {
      sid: input.headers.get('sid') ?? '',
      tag: handle,
      params: pluginParams(input, served.headerPass),
      resourceIds: served.service.resources === null ? [] : namedResources({ input, param }),
      expect: input.expect,
    };
  }
}

function isOfSessions(op: string): boolean {
  return op === 'AIIn' || op === 'AIOut' || op === 'AIExcp';
}

/** Whether a request of those opens a call or a session; else it goes on with one. */
function opens(param: Envelope['param']): boolean {
  return param.get('SeqNo') === '1';
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

function reply(
  handle: string,
  address: Address,
  output: LoaderOutput | null,
  { param = emptyMap, release, leased = false }: Omit<Answer, 'output'> = {},
): Reply {
  const error = output?.error ?? null;
  const peerAddress = `${address.host}:${address.port}`;
  const chunks = encodeReply(
    { handle, peerAddress, error: error === null ? null : envelopeError(error), param },
    output,
  );
  return release === undefined ? { chunks } : { chunks, release, leased };
}

/** Milliseconds that the client waits for its answer. What is not a positive number gives up at once. */
function waitTime(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
