import type { status } from '@grpc/grpc-js';
import type { LoaderChanges } from '../fixtures/loader.js';
import type { InputShape, OutputShape, RequestShape, Strings } from '../fixtures/protocol.js';
import { onceInput } from '../fixtures/xsf-client.js';
import type { Row } from './rows.js';

/** The loaders that cases run against, and what their configuration changes. */
export const setups = {
  usual: { permits: 32, limits: { threads: 32 } },
  /** A gap of packets is given up soon. */
  impatient: { permits: 32, streams: { gapMs: 100 } },
  oneLicence: { permits: 1 },
  /** With nothing else that could push a handle out of the history. */
  alone: {},
  /** Long enough for the engine to have been called by then. */
  shortLived: { streams: { ttlMs: 5000, rollMs: 20 } },
  headers: { headerPass: ['appid', 'sid', 'uid'] },
  afterInput: { streams: { realTime: false } },
  resizable: { permits: 1, limits: { resize: true } },
  advertised: { grpc: { advertise: '10.20.30.40:5090' } },
  anyAddress: { grpc: { host: '0.0.0.0' } },
  rateLimited: { grpc: { rateLimit: { msPerCall: 3_600_000, burst: 1 } } },
} as const satisfies Readonly<Record<string, LoaderChanges>>;

export type Setup = keyof typeof setups;

/** What a client does, step by step, and what every server of this protocol answers to it. */
export interface Case {
  readonly name: string;
  readonly covers: readonly Row[];
  /** Which loader it needs; `usual` when absent. */
  readonly on?: Setup;
  /** Which kind of engine it is about; both when absent. */
  readonly engine?: 'blocking' | 'asynchronous';
  /** Where we answer otherwise than the original did, and why. */
  readonly deviation?: string;
  readonly steps: readonly Step[];
}

export type Step =
  CallStep | ResultsStep | AnswerStep | EngineStep | CommandStep | Http2Step | PingStep | ReflectionStep;

/** One business call. */
export interface CallStep {
  readonly step: 'call';
  /**
   * Whose call it is. The first one of a session names no handle unless it brings one; those that follow send back
   * the session of the answer before. Without it every call stands alone.
   */
  readonly session?: string;
  readonly request: Omit<RequestShape, 'data'>;
  /** What is in the one data element; none when null. */
  readonly input: InputShape | Buffer | null;
  /** Sent as the whole message instead. */
  readonly message?: Buffer;
  readonly path?: string;
  /** Which of the connections; the first when absent. */
  readonly connection?: number;
  /** So often, each time with the same answer. */
  readonly times?: number;
  /** Over and over until the answer is the expected one. */
  readonly until?: true;
  /** Goes on in the background; an `answer` step of this name waits for it. */
  readonly as?: string;
  readonly reply: Reply;
}

/** Waits for an earlier call that went on in the background. */
export interface AnswerStep {
  readonly step: 'answer';
  readonly of: string;
}

/** Polls a session until it has given so many results, those of earlier answers included. */
export interface ResultsStep {
  readonly step: 'results';
  readonly session: string;
  readonly results: readonly Result[];
}

export interface Result {
  readonly text?: string;
  /** Of the payload and of the whole answer. */
  readonly status?: number;
  readonly attributes?: Strings;
}

/** Something about the engine rather than the client. In parameters, `$file` is the gate and `$calls` the record. */
export interface EngineStep {
  readonly step: 'engine';
  /** The gate that holds calls in the engine: `entered` waits for a call to be there. */
  readonly gate?: 'entered' | 'open';
  /** Waits until the engine was called like this. */
  readonly calls?: readonly string[];
}

/** A call of ToolBox.cmdserver. */
export interface CommandStep {
  readonly step: 'command';
  readonly query: string;
  readonly headers: string;
  readonly reply: { readonly status?: number; readonly body?: RegExp; readonly text?: string };
}

/** A call on a connection of its own, seen below any gRPC library. */
export interface Http2Step {
  readonly step: 'http2';
  readonly path: string;
  readonly headers?: Strings;
  readonly request?: Omit<RequestShape, 'data'>;
  readonly input?: InputShape;
  readonly message?: Buffer;
  readonly gzip?: boolean;
  readonly headersBack: Readonly<Record<string, string | number>>;
  readonly trailersBack: Strings;
  readonly wire: Wire;
}

/** An HTTP/2 PING with these bytes. */
export interface PingStep {
  readonly step: 'ping';
  readonly payload: string;
}

/** Asks reflection for the names of the services. */
export interface ReflectionStep {
  readonly step: 'reflection';
  readonly services: readonly string[];
}

export type Reply =
  OutputReply | { readonly kind: 'noData' } | { readonly kind: 'rpcError'; readonly code: number; readonly text: Text };

/** A `LoaderOutput` in an answer. 10110 has to be on the envelope too, and nothing else may be there. */
export interface OutputReply {
  readonly kind: 'output';
  readonly code: number;
  readonly text: Text;
  readonly output?: Partial<OutputShape>;
  /** The whole answer, field by field. */
  readonly wire?: Wire;
  readonly handle?: RegExp;
  /** PeerAddr. */
  readonly address?: string;
}

/** `any` where the text is that of another protobuf or gRPC library; it may still have a known start. */
export type Text = { readonly exact: string } | { readonly any: true; readonly start?: string };

/**
 * The fields of a message in the order of the wire: their number, and what is in them. `pairs` are all entries of a map, which
 * follow one another.
 */
export type Wire = readonly WireField[];
export type WireField = readonly [
  number: number,
  content: string | number | RegExp | Wire | { readonly pairs: Strings } | typeof ourHandle | typeof ourAddress,
];

/** A handle that the server has made, with its own address in it. */
export const ourHandle = Symbol('handle');
/** "ip:port" of the server. */
export const ourAddress = Symbol('address');

// Replies

export const any = (start?: string): Text => (start === undefined ? { any: true } : { any: true, start });

const textOf = (text: string | Text): Text => (typeof text === 'string' ? { exact: text } : text);

/** A failure inside a successful reply. */
export const fails = (code: number, text: string | Text): OutputReply => ({
  kind: 'output',
  code,
  text: textOf(text),
  output: { status: 2, serviceId: '', pl: [] },
});

export const gives = (output: Partial<OutputShape>, more: { readonly wire?: Wire } = {}): OutputReply => ({
  kind: 'output',
  code: 0,
  text: { exact: '' },
  output,
  ...more,
});

/** Taken, with nothing to say. */
export const empty: OutputReply = gives({ serviceId: '', status: 0, pl: [] });
/** Taken; a result that was queued may come along. */
export const taken: OutputReply = gives({ serviceId: '' });
export const opened: OutputReply = gives({ serviceId: 'svc', status: 0, pl: [] });
export const noData: Reply = { kind: 'noData' };
export const rpcError = (code: status, text: Text): Reply => ({ kind: 'rpcError', code, text });

export const released = fails(10101, 'service instance inactive, already release');
export const unknown = fails(10008, 'service instance invalid');
export const tooSlow = fails(10102, 'service exec once request timeout');
export const noLicence = fails(10110, 'service license not enough');

/** One text payload, as a one-shot call answers it. */
export const said = (text: string, attribute: Strings = {}, status = 3): OutputReply =>
  gives({
    serviceId: 'svc',
    status,
    pl: [
      {
        meta: {
          name: 'result',
          dataType: 0,
          attribute: { encoding: 'utf8', seq: '0', status: String(status), ...attribute },
        },
        data: Buffer.from(text),
      },
    ],
  });

// Calls

type CallChanges = Partial<Omit<CallStep, 'step' | 'reply' | 'input' | 'request'>> & {
  readonly input?: InputShape;
  readonly request?: Omit<RequestShape, 'data'>;
};

export const call = (step: Omit<CallStep, 'step'>): CallStep => ({ step: 'call', ...step });

const long = '20000';

/** A one-shot call with these parameters. */
export function once(params: Strings, reply: Reply, { input, request, ...changes }: CallChanges = {}): CallStep {
  return call({
    request: { op: 'AIIn', s: {}, param: { SeqNo: '1', baseId: '0', version: 'v2', waitTime: long }, ...request },
    input: onceInput({ params: { do: 'echo', ...params }, ...input }),
    reply,
    ...changes,
  });
}

/** Opens a stream: no payload, no sync_id. */
export function create(
  session: string,
  params: Strings = {},
  { input, request, reply = opened, ...changes }: CallChanges & { readonly reply?: Reply } = {},
): CallStep {
  return call({
    session,
    request: { op: 'AIIn', s: {}, param: { SeqNo: '1', baseId: '0', version: 'v2', waitTime: long }, ...request },
    input: onceInput({ state: 0, headers: { sid: 'sid', status: '0' }, pl: [], params, ...input }),
    reply,
    ...changes,
  });
}

/** A packet of input; `status` is 2 on the last one. */
export function write(
  session: string,
  number: number,
  text: string,
  {
    status: last = 1,
    name = 'input',
    input,
    request,
    reply = taken,
    ...changes
  }: CallChanges & { readonly status?: number; readonly name?: string; readonly reply?: Reply } = {},
): CallStep {
  const attribute = { encoding: 'utf8', seq: String(number - 1), status: String(last) };
  return call({
    session,
    request: { op: 'AIIn', param: { baseId: '0', version: 'v2', waitTime: long }, ...request },
    input: { sync_id: number, pl: [{ meta: { name, attribute }, data: Buffer.from(text) }], ...input },
    reply,
    ...changes,
  });
}

/** How a call is made, for those that have nothing of their own to say. */
type Manner = Pick<CallStep, 'connection' | 'as' | 'until'>;

export function poll(
  session: string,
  reply: Reply,
  { waitTime = long, ...manner }: Partial<Manner> & { readonly waitTime?: string } = {},
): CallStep {
  const param = { baseId: '0', version: 'v2', waitTime };
  return call({ session, request: { op: 'AIOut', param }, input: Buffer.alloc(0), reply, ...manner });
}

export function abort(session: string, reply: Reply = empty): CallStep {
  const param = { baseId: '0', waitTime: long };
  return call({ session, request: { op: 'AIExcp', param }, input: Buffer.alloc(0), reply });
}

// Other steps

export const answer = (of: string): AnswerStep => ({ step: 'answer', of });
export const entered: EngineStep = { step: 'engine', gate: 'entered' };
export const open: EngineStep = { step: 'engine', gate: 'open' };
export const calls = (...names: readonly string[]): EngineStep => ({ step: 'engine', calls: names });

export const results = (session: string, ...list: readonly Result[]): ResultsStep => ({
  step: 'results',
  session,
  results: list,
});
