import type { Call } from '../../core/call.js';
import { AigesError } from '../../core/errors.js';
import type { Output } from '../../core/runtime.js';
import { openDeadline } from '../../engine/deadline.js';
import { answerStatus, expectedAttributes, type Service } from '../../engine/service.js';
import type { Address, GrpcCall, GrpcServer, Reply } from '../grpc/server.js';
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
import { envelopeError, failedOutput, malformedEnvelope } from './status.js';

export interface XsfOptions extends Advertising {
  readonly service: Service;
  /** Names of headers that the plugin gets as parameters. */
  readonly headerPass: readonly string[];
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

interface Answer {
  readonly output: LoaderOutput;
  readonly release?: () => void;
}

class XsfServer {
  readonly #options: XsfOptions;
  readonly #handles = new Handles();

  constructor(options: XsfOptions) {
    this.#options = options;
  }

  async call(call: GrpcCall): Promise<Reply> {
    const envelope = readEnvelope(call);
    const address = advertisedAddress(this.#options, call.local ?? { host: '', port: 0 });
    const handle = envelope.handle === '' ? this.#handles.create(address) : envelope.handle;
    if (envelope.op === 'ping') return reply(handle, address, null);
    let sid = '';
    try {
      const input = readLoaderInput(envelope);
      sid = input.headers.get('sid') ?? '';
      const answer = await this.#dispatch(call, envelope, handle, input);
      return reply(handle, address, answer.output, answer.release);
    } catch (caught) {
      const error = AigesError.from(caught);
      this.#options.onError(error, { op: envelope.op, handle, sid });
      return reply(handle, address, failedOutput(error));
    }
  }

  #dispatch(call: GrpcCall, envelope: Envelope, handle: string, input: LoaderInput): Answer | Promise<Answer> {
    switch (envelope.op) {
      case 'AIIn':
      case 'AIOut':
      case 'AIExcp':
        if (envelope.param.get('SeqNo') !== '1') throw this.#handles.absent(handle);
        return this.#create(call, envelope, handle, input);
      case 'AIDetect':
      case 'AIHotword':
      case 'AILoad':
      case 'AIUnLoad':
        return { output: { serviceId: input.serviceId, error: null, status: 0, payloads: [] } };
      default:
        throw new AigesError('invalidOperation', { detail: `op is "${envelope.op}"` });
    }
  }

  async #create(call: GrpcCall, envelope: Envelope, handle: string, input: LoaderInput): Promise<Answer> {
    if (input.headers.get('downMethod') === 'async') throw new AigesError('invalidDownMethod');
    if (!input.once || envelope.op !== 'AIIn') {
      throw new AigesError('unsupported', { detail: 'stream sessions are not offered by this version' });
    }
    this.#handles.open(handle);
    try {
      return await this.#once(call, envelope, handle, input);
    } finally {
      this.#handles.release(handle);
    }
  }

  async #once(call: GrpcCall, envelope: Envelope, handle: string, input: LoaderInput): Promise<Answer> {
    const deadline = openDeadline(waitTime(envelope.param.get('waitTime')), () => new AigesError('timeout'), [
      call.signal,
      this.#options.shutdown,
    ]);
    try {
      if (input.missingMeta) throw new AigesError('invalidInput', { detail: 'a payload has no meta, so no name' });
      if (input.frames.length === 0) throw await payloadNeverCame(deadline.signal);
      const request: Call = {
        sid: input.headers.get('sid') ?? '',
        tag: handle,
        params: this.#params(input),
        resourceIds: [],
        expect: input.expect,
        signal: deadline.signal,
        deadline: deadline.at,
      };
      call.message.retain();
      const held = {
        frames: input.frames,
        release: () => {
          call.message.release();
        },
      };
      const output = await this.#options.service.once(request, held, 'reject');
      return {
        output: onceOutput(input, output),
        release: () => {
          output.release();
        },
      };
    } finally {
      deadline.close();
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
function payloadNeverCame(signal: AbortSignal): Promise<AigesError> {
  const wait = openDeadline(payloadWaitMs, () => new AigesError('invalidInput'), [signal]);
  return new Promise((resolve) => {
    const done = (): void => {
      wait.close();
      resolve(AigesError.from(wait.signal.reason));
    };
    if (wait.signal.aborted) done();
    else wait.signal.addEventListener('abort', done, { once: true });
  });
}
