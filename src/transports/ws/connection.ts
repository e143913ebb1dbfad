import type { Duplex } from 'node:stream';
import type { Call } from '../../core/call.js';
import { AigesError } from '../../core/errors.js';
import { DataStatus, type Frame, isFinal } from '../../core/frame.js';
import type { Output } from '../../core/runtime.js';
import { LightSignal } from '../../core/signal.js';
import { openDeadline, within } from '../../engine/deadline.js';
import { frameAttributes, StreamAttributes } from '../../engine/output-attributes.js';
import { answerStatus, resultStatus } from '../../engine/service.js';
import type { Session } from '../../engine/session.js';
import { decodeDocument, errorText, type OnceRequest, parseDocument, takeData } from '../json/codec.js';
import { callOf, type Endpoint } from '../json/endpoint.js';
import { encodeFailure, encodeResult, type Result } from '../json/result.js';
import { BinaryFrame, binaryProtocol, encodeBinary } from './binary.js';
import type { ClientSocket } from './client-socket.js';
import { IdleTimer } from './idle-timer.js';
import { Intake } from './intake.js';
import { Keepalive } from './keepalive.js';
import { Progress } from './progress.js';
import { closeCode, closeReason, closing } from './status.js';

export interface ConnectionLimits {
  /** Milliseconds without a frame or a part of one, where the client is the one to go on; 0 for no limit. */
  readonly idleTimeoutMs: number;
  /** Milliseconds from the handshake to the end; 0 for no limit. */
  readonly sessionTimeoutMs: number;
  /** Milliseconds between two pings; 0 never pings. */
  readonly pingMs: number;
  /** Frames, and bytes of them, that the plugin has not taken; the connection is not read beyond. */
  readonly maxFrames: number;
  readonly maxFrameBytes: number;
  /** Bytes that the client has not taken; no result is fetched beyond. */
  readonly maxUnsentBytes: number;
  /** Milliseconds that a one-shot call may take. */
  readonly onceTimeoutMs: number;
}

export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  /** Name of the session. */
  readonly sid: string;
  readonly limits: ConnectionLimits;
  readonly onError: (error: AigesError, context: { readonly route: string; readonly sid: string }) => void;
  /** Told about every session; what it returns, about the code that the session ends with. */
  readonly onCall?: ((service: string) => (code: number) => void) | undefined;
}

interface Message {
  readonly data: Buffer;
  readonly binary: boolean;
}

/** How long the news of a failure waits for the plugin to let go of the session. */
const letGoMs = 1000;

/** One connection, which is one session: frames in, results out, at the pace of each side. */
export class Connection {
  /** Resolves when the session is over and what it had to say has left the process, or nobody is there to hear it. */
  readonly done: Promise<void>;
  readonly #socket: ClientSocket;
  readonly #options: ConnectionOptions;
  readonly #intake: Intake<Message>;
  readonly #idle: IdleTimer;
  readonly #keepalive: Keepalive;
  readonly #sessionTimer: NodeJS.Timeout | undefined;
  /** Aborts when the client has left, or is about to be told why it should. */
  readonly #over = new LightSignal();
  readonly #ended: ((code: number) => void) | undefined;
  #finished: () => void = () => undefined;
  /** Whether frames of the client are of interest; otherwise they are thrown away. */
  #reading = true;
  #begun = false;
  /** Whether we are the ones to close the connection right now, with something to say that is still on its way. */
  #telling = false;
  #session: Session | null = null;
  #packets = 0;
  /** Inputs of which a packet has come. */
  readonly #inputs = new Set<string>();
  /** Resolves when everything that was sent has left the process. */
  #sent: Promise<void> = Promise.resolve();

  /** @param stream what the connection runs on; its end is the first sign of a client that has left */
  constructor(socket: ClientSocket, stream: Duplex, options: ConnectionOptions) {
    const { limits } = options;
    this.#socket = socket;
    this.#options = options;
    this.#ended = options.onCall?.(options.endpoint.service.name);
    this.done = new Promise((resolve) => (this.#finished = resolve));
    this.#intake = new Intake<Message>({
      maxMessages: limits.maxFrames,
      maxBytes: limits.maxFrameBytes,
      sizeOf: ({ data }) => data.length,
      admit: (message, done) => {
        this.#take(message, done);
      },
      hold: () => {
        socket.pause();
      },
      resume: () => {
        this.#keepalive.hear();
        socket.resume();
      },
    });
    const progress = new Progress(socket, stream);
    this.#idle = new IdleTimer(
      limits.idleTimeoutMs,
      () => progress.made() || this.#busy,
      () => {
        this.fail(new AigesError('idleTimeout'));
      },
    );
    this.#keepalive = new Keepalive(socket, stream, limits.pingMs);
    if (limits.sessionTimeoutMs > 0) {
      this.#sessionTimer = setTimeout(() => {
        this.fail(new AigesError('sessionTimeout'));
      }, limits.sessionTimeoutMs);
    }
    const leave = (): void => {
      this.#leave();
    };
    stream.once('end', leave).once('close', leave);
    socket.on('closing', () => {
      if (!this.#telling) leave();
    });
    socket.on('close', leave).on('error', leave);
    socket.on('message', (data: Buffer, binary) => {
      if (!this.#reading) return;
      // All of it is over: what counts from here on is the next one.
      progress.made();
      this.#idle.touch();
      this.#intake.push({ data, binary });
    });
  }

  /** Ends the session, and says why. Does nothing when it is over. */
  fail(error: AigesError): void {
    if (this.#over.aborted) return;
    const { endpoint, sid, onError } = this.#options;
    onError(error, { route: endpoint.route, sid });
    this.#stop(error);
    void this.#tell(error);
  }

  /** Ends a session that has not begun; one that has may go on. */
  drain(): void {
    if (!this.#begun) this.fail(new AigesError('shuttingDown'));
  }

  /** Cuts the connection. */
  cut(): void {
    this.#socket.terminate();
  }

  /** Whether binary frames are of our own kind. */
  get #binary(): boolean {
    return this.#socket.protocol === binaryProtocol;
  }

  /** Whether somebody else than the client is the one to go on. */
  get #busy(): boolean {
    const waitsForResult = this.#begun && (this.#session === null || this.#session.inputEnded);
    return waitsForResult || this.#intake.busy || this.#socket.bufferedAmount > 0;
  }

  #leave(): void {
    if (!this.#over.aborted) this.#stop(new AigesError('cancelled'));
    this.#finished();
  }

  /** Lets go of everything but the connection. @param code what the session ended with, 0 for its own end */
  #stop(reason: AigesError, code = reason.code): void {
    this.#ended?.(code);
    clearTimeout(this.#sessionTimer);
    this.#idle.stop();
    this.#keepalive.stop();
    this.#over.abort(reason);
    // Before the session lets go of its input: that makes room for frames that wait, which nobody wants any more.
    this.#stopReading();
    void this.#session?.close(reason);
  }

  #stopReading(): void {
    this.#reading = false;
    this.#intake.clear();
    // The end of the other side is behind what is thrown away.
    this.#socket.resume();
  }

  async #tell(error: AigesError): Promise<void> {
    // Who is told that a session has failed finds its licence free. A plugin that is stuck does not keep the news for
    // long, and at a shutdown nobody gets the licence.
    if (this.#session !== null && error.kind !== 'shuttingDown') {
      await within(letGoMs, this.#session.done);
    }
    this.#send(encodeFailure(error, this.#options.sid));
    this.#telling = true;
    this.#socket.close(closeCode(error), closeReason(errorText(error)));
    this.#telling = false;
    await this.#sent;
    this.#finished();
  }

  /** Takes a frame of the client. @param done says that its memory is not needed any more */
  #take(message: Message, done: () => void): void {
    try {
      const request = this.#decode(message);
      if (this.#session === null) this.#begin(request, done);
      else {
        this.#options.endpoint.service.checkInputs(request.frames);
        this.#session.put(++this.#packets, { frames: request.frames, release: done });
      }
    } catch (caught) {
      done();
      this.fail(AigesError.from(caught));
    }
  }

  #begin(request: OnceRequest, done: () => void): void {
    const { endpoint, sid } = this.#options;
    const { service } = endpoint;
    const call = callOf(endpoint, request, sid);
    if (!service.capabilities.stream) {
      this.#begun = true;
      // It takes one request; nothing waits for its turn behind it.
      this.#stopReading();
      done();
      void this.#once(call, request.frames);
      return;
    }
    service.checkInputs(request.frames);
    const session = service.open(call, ++this.#packets);
    this.#begun = true;
    this.#session = session;
    // Before any result can be there, so that clients always get it first.
    this.#sendResult({ sid, status: DataStatus.begin, payloads: [] });
    void this.#pump(session, new StreamAttributes(request.expect));
    session.put(this.#packets, { frames: request.frames, release: done });
  }

  /** @throws AigesError `undecodableFrame` or `inconvertibleBody` */
  #decode({ data, binary }: Message): OnceRequest {
    const frame = binary && this.#binary ? new BinaryFrame(data) : null;
    try {
      const document = parseDocument(frame?.document ?? data);
      const apart =
        frame === null ? new Map<string, Buffer>() : takeData(document, (length, path) => frame.take(length, path));
      frame?.end();
      const { endpoint } = this.#options;
      const { stream } = endpoint.service.capabilities;
      endpoint.check(document, this.#begun ? { continues: true } : { begins: stream, apart });
      const request = decodeDocument(document, { statusOf: (input) => this.#defaultStatus(input), apart });
      for (const { key } of request.frames) this.#inputs.add(key);
      return request;
    } catch (caught) {
      const error = AigesError.from(caught);
      if (error.kind !== 'undecodableBody') throw error;
      // Over WebSocket it has another code.
      throw new AigesError('undecodableFrame', { detail: error.detail ?? 'no JSON', cause: error });
    }
  }

  /** A request is complete, a packet the first of its input or a further one. */
  #defaultStatus(input: string): number {
    if (!this.#options.endpoint.service.capabilities.stream) return DataStatus.once;
    return this.#inputs.has(input) ? DataStatus.continue : DataStatus.begin;
  }

  async #once(call: Omit<Call, 'signal' | 'deadline'>, frames: readonly Frame[]): Promise<void> {
    const { endpoint, limits } = this.#options;
    const deadline = openDeadline(limits.onceTimeoutMs, () => new AigesError('timeout'), [this.#over]);
    try {
      const unfinished = frames.find((frame) => !isFinal(frame));
      if (unfinished !== undefined) {
        throw new AigesError('invalidInput', {
          detail: `payload.${unfinished.key}.status is ${unfinished.status}, but the service takes its whole input in one frame; leave status out, or send 3`,
        });
      }
      const output = await endpoint.service.once(
        { ...call, signal: deadline.signal, deadline: deadline.at },
        // The frames are for the garbage collector to take.
        { frames, release: () => undefined },
      );
      this.#sendOutput(output, answerStatus(output.frames), (frame) => frameAttributes(frame, call.expect, 0));
      await this.#end();
    } catch (caught) {
      this.fail(AigesError.from(caught));
    } finally {
      deadline.close();
    }
  }

  /** Sends results as they come, until the last one. */
  async #pump(session: Session, attributes: StreamAttributes): Promise<void> {
    const { maxUnsentBytes } = this.#options.limits;
    try {
      for (;;) {
        if (this.#socket.bufferedAmount > maxUnsentBytes) await this.#sent;
        const output = await session.next(this.#over);
        if (output === null) break;
        this.#sendOutput(output, resultStatus(output.frames), (frame) => attributes.next(frame));
        this.#idle.touch();
        if (output.frames.some(isFinal)) break;
      }
      await this.#end();
    } catch (caught) {
      this.fail(AigesError.from(caught));
    }
  }

  /** Closes the connection when the client has been sent everything. */
  async #end(): Promise<void> {
    this.#stopReading();
    await this.#sent;
    if (this.#over.aborted) return;
    this.#stop(new AigesError('releasedHandle'), 0);
    this.#socket.close(closing.normal);
    this.#finished();
  }

  /** Sends an output as one frame, or as several where it has more than one piece of the same name. */
  #sendOutput(output: Output, status: number, attributesOf: (frame: Frame) => Map<string, string>): void {
    // Text holds a copy of every payload, and memory of an engine is not for clients to hold.
    const lent = this.#binary && output.leased !== true;
    const batches = separate(output.frames);
    try {
      for (const [index, batch] of batches.entries()) {
        const payloads = batch.map((frame) => ({
          frame: this.#binary && !lent ? { ...frame, data: Buffer.from(frame.data) } : frame,
          attributes: attributesOf(frame),
        }));
        const last = index === batches.length - 1;
        this.#sendResult({ sid: this.#options.sid, status: last ? status : DataStatus.continue, payloads });
      }
    } finally {
      const release = (): void => {
        output.release();
      };
      if (lent) void this.#sent.then(release);
      else release();
    }
  }

  #sendResult(result: Result): void {
    const types = this.#options.endpoint.attributeType ?? ((): null => null);
    if (this.#binary && result.payloads.length > 0) {
      const pieces = encodeBinary(result, types);
      for (const [index, piece] of pieces.entries()) this.#send(piece, index === pieces.length - 1);
    } else this.#send(encodeResult(result, types));
  }

  #send(data: string | Buffer, fin = true): void {
    this.#sent = new Promise((resolve) => {
      this.#socket.send(data, { fin }, () => {
        resolve();
      });
    });
  }
}

/** Puts frames into groups, in their order, so that no name is twice in one: an object of JSON has room for one. */
function separate(frames: readonly Frame[]): readonly (readonly Frame[])[] {
  let group = new Map<string, Frame>();
  const groups = [group];
  for (const frame of frames) {
    if (group.has(frame.key)) groups.push((group = new Map<string, Frame>()));
    group.set(frame.key, frame);
  }
  return groups.map((each) => [...each.values()]);
}
