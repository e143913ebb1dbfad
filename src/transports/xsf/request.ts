import type { Address } from '../../core/address.js';
import { AigesError } from '../../core/errors.js';
import { DataStatus, type StringMap } from '../../core/frame.js';
import type { Signal } from '../../core/signal.js';
import type { Deadline } from '../../engine/deadline.js';
import type { Input } from '../../engine/input.js';
import type { Service } from '../../engine/service.js';
import type { Message } from '../grpc/server.js';
import type { Envelope, LoaderInput, LoaderOutput } from './codec.js';

/** A service as clients of this protocol find it. */
export interface Served {
  readonly service: Service;
  /** Names of headers that the plugin gets as parameters. */
  readonly headerPass: readonly string[];
  /** Milliseconds after which a stream is ended that neither its client nor the plugin has touched. */
  readonly ttlMs: number;
}

/** One request with everything that its handling needs. */
export interface Request {
  readonly op: string;
  readonly handle: string;
  readonly param: Envelope['param'];
  readonly input: LoaderInput;
  /** The service that a request which opens something is for; one that goes on with a handle stays with that. */
  readonly served: Served;
  readonly message: Message;
  /** Where clients reach this server. */
  readonly address: Address;
  /** Whether the client had cancelled the call, or its gRPC deadline had passed, before the handling began. */
  readonly left: boolean;
  /** Abort when the client has left, and at shutdown. */
  readonly gone: () => readonly Signal[];
  /** Aborts when the client waits no longer, and with every signal above. */
  readonly deadline: Deadline;
}

/** A reply, and what holds the memory behind its payloads. */
export interface Answer {
  readonly output: LoaderOutput;
  /** What stands beside the output. */
  readonly param?: StringMap;
  readonly release?: () => void;
  /** Whether some of it lies in memory of an engine. */
  readonly leased?: boolean;
}

/** An answer that says no more than that the request was taken. */
export function empty(serviceId: string): Answer {
  return { output: { serviceId, error: null, status: DataStatus.begin, payloads: [] } };
}

/** @throws AigesError `invalidInput` for a payload that nobody could tell from another */
export function checkMeta(input: LoaderInput): void {
  if (input.missingMeta) throw new AigesError('invalidInput', { detail: 'a payload has no meta, so no name' });
}

/** The frames of a request, with a reference of their own on its message. */
export function hold({ input, message }: Request): Input {
  message.retain();
  return {
    frames: input.frames,
    release: () => {
      message.release();
    },
  };
}

/** The parameters that the plugin gets: those of the request, and the headers that are passed on. */
export function pluginParams(input: LoaderInput, headerPass: readonly string[]): StringMap {
  const missing = headerPass.filter((name) => !input.params.has(name));
  if (missing.length === 0) return input.params;
  return new Map([...input.params, ...missing.map((name) => [name, input.headers.get(name) ?? ''] as const)]);
}
