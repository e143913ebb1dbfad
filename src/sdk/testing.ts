import { DataStatus, type Frame } from '../core/frame.js';
import type { Declaration } from './declaration.js';
import { Driver, type DriverCall } from './driver.js';
import { lend, takeOver } from './handover.js';
import type { EngineOpener } from './native-plugin.js';
import type { BodyField, ParamField, ParamValue } from './fields.js';
import { decodeInput } from './request.js';
import { TestClient } from './test-client.js';
import type { TextInput } from './types.js';
import type { WrapperBase } from './wrapper-base.js';

/** What a test sends as one buffer: bytes, text, or what becomes JSON. */
export type Sent =
  Uint8Array | string | number | boolean | null | readonly unknown[] | Readonly<Record<string, unknown>>;

/** A request by the names of the properties that declare its parts. */
export interface TestRequest<Req> {
  readonly params?: { readonly [K in keyof Req as Req[K] extends ParamField ? K : never]?: ParamValue<Req[K]> };
  readonly inputs?: { readonly [K in keyof Req as Req[K] extends BodyField ? K : never]?: Sent };
  /** Parameters as a client sends them, for what the types do not allow. */
  readonly rawParams?: Readonly<Record<string, string>>;
  readonly sid?: string;
  /** Aborts when the client leaves: the wrapper learns of it, and the call rejects with code 10102. */
  readonly signal?: AbortSignal;
  /** Milliseconds until nobody waits any more, with the same effect. */
  readonly timeoutMs?: number;
  readonly resourceIds?: readonly number[];
}

/** One output of an answer, with its bytes also as text. */
export interface TestOutput extends TextInput {
  /** The bytes as JSON. @throws SyntaxError */
  json(): unknown;
}

/** An answer by the names of the properties that declare its outputs. */
export type TestAnswer<Res> = { readonly [K in keyof Res]?: TestOutput };

/** A line that the wrapper has logged. */
export interface TestLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: object;
}

/** A wrapper under test: everything goes through the code that drives wrappers in the loader. */
export interface TestedWrapper<Req, Res> {
  /** @throws Error with the `code` that a client gets, and the `pluginCode` of the wrapper, if any */
  once(request?: TestRequest<Req>): Promise<TestAnswer<Res>>;
  /**
   * Sends packets one after the other, the last one as such, and collects every result.
   * @throws TypeError without packets, else what `once` throws; the wrapper's `finally` blocks have run by then, unless
   *   they take longer than a second
   */
  stream(
    packets: readonly NonNullable<TestRequest<Req>['inputs']>[],
    request?: Omit<TestRequest<Req>, 'inputs'>,
  ): Promise<TestAnswer<Res>[]>;
  loadResource(id: number, content: Readonly<Record<string, Sent>>): Promise<void>;
  unloadResource(id: number): Promise<void>;
  fini(): Promise<void>;
  /** What it has logged, metered and traced so far. */
  readonly lines: readonly TestLine[];
  readonly meters: readonly { readonly key: string; readonly count: number }[];
  readonly traces: readonly { readonly key: string; readonly value: string }[];
}

/** How long a stream that nobody waits for may take to end, in milliseconds. */
const closingMs = 1000;

/**
 * Makes a wrapper and calls its `init`.
 * @throws Error with the text that the loader would end with
 */
export async function testWrapper<Req extends object, Res extends object>(
  wrapper: new () => WrapperBase<Req, Res>,
  config: Readonly<Record<string, string>> = {},
  openEngine?: EngineOpener,
): Promise<TestedWrapper<Req, Res>> {
  const lines: TestLine[] = [];
  const meters: { key: string; count: number }[] = [];
  const traces: { key: string; value: string }[] = [];
  const driver = new Driver(wrapper, {
    log: (level, message, fields) => {
      lines.push({ level, message, fields });
    },
    meter: (_call, key, count) => {
      meters.push({ key, count });
    },
    trace: (_call, key, value) => {
      traces.push({ key, value });
    },
    ...(openEngine === undefined ? {} : { openEngine }),
  });
  await driver.init(new Map(Object.entries(config)));
  const { declaration } = driver;
  let calls = 0;
  const clientOf = ({ signal, timeoutMs = Infinity }: Omit<TestRequest<Req>, 'inputs'>): TestClient =>
    new TestClient(signal, timeoutMs);
  const callOf = (request: Omit<TestRequest<Req>, 'inputs'>, { signal, deadline }: TestClient): DriverCall => ({
    sid: request.sid ?? 'test',
    tag: `test-${++calls}`,
    params: new Map(
      Object.entries({ ...named(declaration.params, request.params ?? {}), ...request.rawParams }).map(
        ([name, value]) => [name, String(value)],
      ),
    ),
    resourceIds: request.resourceIds ?? [],
    signal,
    deadline,
  });
  return {
    lines,
    meters,
    traces,

    async once(request = {}) {
      const client = clientOf(request);
      try {
        client.signal.throwIfAborted();
        const frames = framesOf(declaration, request.inputs ?? {}, DataStatus.once);
        return answerOf<Res>(declaration, await client.wait(driver.once(callOf(request, client), frames)));
      } finally {
        client.end();
      }
    },

    async stream(packets, request = {}) {
      const client = clientOf(request);
      try {
        client.signal.throwIfAborted();
        const stream = driver.open(callOf(request, client));
        if (packets.length === 0) throw new TypeError('expected at least one packet: a stream ends with its last one');
        const write = async (): Promise<void> => {
          for (const [n, packet] of packets.entries()) {
            const last = n === packets.length - 1;
            const status = last ? DataStatus.end : n === 0 ? DataStatus.begin : DataStatus.continue;
            await stream.write(framesOf(declaration, packet, status), last);
          }
        };
        const answers: TestAnswer<Res>[] = [];
        const read = async (): Promise<void> => {
          for await (const frames of stream.results()) answers.push(answerOf<Res>(declaration, frames));
        };
        try {
          await client.wait(Promise.all([write(), read()]));
        } finally {
          await client.waitForEnd(stream.close(), closingMs);
        }
        return answers;
      } finally {
        client.end();
      }
    },

    loadResource: (id, content) =>
      driver.loadResource(
        id,
        Object.entries(content).map(([key, sent]) => frameOf(key, 4, sent, DataStatus.end)),
      ),
    unloadResource: (id) => driver.unloadResource(id),
    fini: () => driver.fini(),
  };
}

/** From the names that a wrapper uses to those on the wire. */
function named(declared: Declaration['params'], values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = new Map(declared.map(({ property, descriptor }) => [property, descriptor.name]));
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([property, value]) => [names.get(property) ?? property, value]),
  );
}

function framesOf({ inputs }: Declaration, values: Readonly<Record<string, unknown>>, status: number): Frame[] {
  return Object.entries(values).map(([property, value]) => {
    const descriptor = inputs.find((each) => each.property === property)?.descriptor;
    return frameOf(descriptor?.name ?? property, descriptor?.type ?? 0, value as Sent, status, descriptor?.content);
  });
}

function frameOf(key: string, type: number, sent: Sent, status: number, content = 'text'): Frame {
  const raw = sent instanceof Uint8Array || (typeof sent === 'string' && content !== 'json');
  return { key, data: lend(Buffer.from(raw ? sent : JSON.stringify(sent))), type, status, desc: new Map() };
}

function answerOf<Res>({ outputs }: Declaration, frames: readonly Frame[]): TestAnswer<Res> {
  const answer: Record<string, TestOutput> = {};
  for (const frame of takeOver(frames)) {
    const property = outputs.find(({ descriptor }) => descriptor.name === frame.key)?.property ?? frame.key;
    const decoded = decodeInput(frame);
    answer[property] = Object.assign(decoded, { json: (): unknown => JSON.parse(decoded.text) });
  }
  return answer;
}
