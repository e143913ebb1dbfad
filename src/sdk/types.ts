import type { StringMap } from '../core/frame.js';
import type { BodyContent, BodyField, IsRequired, JsonBody, ParamField, ParamValue, TextBody } from './fields.js';
import type { Response, ResponseData } from './response.js';

/** One received buffer. The bytes stay as they are for as long as somebody refers to them. */
export interface Input {
  /** Its name on the wire. */
  readonly key: string;
  readonly data: Uint8Array;
  /** A `DataType` value. */
  readonly type: number;
  /** A `DataStatus` value. */
  readonly status: number;
  /** Attributes that the client gave: `encoding`, `sample_rate`, … */
  readonly desc: StringMap;
}

export interface TextInput extends Input {
  /** The bytes as UTF-8. */
  readonly text: string;
}

export interface JsonInput<T> extends TextInput {
  /** The document. A request whose bytes are not JSON is refused before the wrapper sees it. */
  readonly json: T;
}

type InputOf<F> =
  BodyContent<F> extends JsonBody<infer T> ? JsonInput<T> : BodyContent<F> extends TextBody ? TextInput : Input;

/** The parameters of a request by the names of the properties that declare them. */
export type Params<Req> = {
  readonly [K in keyof Req as Req[K] extends ParamField ? K : never]: ParamValue<Req[K]>;
};

/** The inputs of a request by the names of the properties that declare them. */
export type Inputs<Req> = {
  readonly [K in keyof Req as Req[K] extends BodyField ? K : never]: IsRequired<Req[K]> extends false
    ? InputOf<Req[K]> | undefined
    : InputOf<Req[K]>;
};

type OutputOf<F> =
  | ResponseData
  | (BodyContent<F> extends JsonBody<infer T> ? T : BodyContent<F> extends TextBody ? string | Uint8Array : Uint8Array);

/** The outputs of an answer by the names of the properties that declare them. */
export type Outputs<Res> = {
  readonly [K in keyof Res as IsRequired<Res[K]> extends false ? never : K]: OutputOf<Res[K]>;
} & {
  readonly [K in keyof Res as IsRequired<Res[K]> extends false ? K : never]?: OutputOf<Res[K]> | undefined;
};

/** What `onceExec` gives: its outputs, or the answer object of the Python SDK. */
export type WrapperResult<Res> = Outputs<Res> | Response;

/** What a stream gives at a time: at least one of its outputs. */
export type StreamResult<Res> = Partial<Outputs<Res>> | Response;

/** Where a wrapper writes what its operators should see. Lines carry the session id of the call. */
export interface CallLog {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

interface CallView<Req> {
  /** Session id that the client's tier gave. May be empty. */
  readonly sid: string;
  /** Unique name of the call. */
  readonly tag: string;
  /** Checked against their declarations, with defaults filled in. */
  readonly params: Params<Req>;
  /** Every parameter as it came, undeclared ones included. */
  readonly rawParams: StringMap;
  /** Ids of the loaded resources that the client named. */
  readonly resourceIds: readonly number[];
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  readonly log: CallLog;
}

/** One request. */
export interface OnceRequest<Req> extends CallView<Req> {
  readonly inputs: Inputs<Req>;
  /** Every buffer as it came, undeclared ones included. */
  readonly frames: readonly Input[];
  /** When nobody waits for the answer any more, in milliseconds of `performance.now()`; Infinity for never. */
  readonly deadline: number;
}

/** What came with one packet of a stream. */
export interface Packet<Req> {
  readonly inputs: { readonly [K in keyof Inputs<Req>]: Inputs<Req>[K] | undefined };
  readonly frames: readonly Input[];
  /** Every input of the stream has ended with this packet. */
  readonly last: boolean;
}

/** One stream. Iterating gives its packets in order and ends after the last one. */
export interface StreamSession<Req> extends CallView<Req> {
  readonly packets: AsyncIterable<Packet<Req>>;
}

/** Content that is loaded once and used by later calls that name its id. */
export interface Resource {
  readonly id: number;
  readonly frames: readonly Input[];
}
