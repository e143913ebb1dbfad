import { status } from '@grpc/grpc-js';
import { expect, vi } from 'vitest';
import { CallRecord } from '../fixtures/call-record.js';
import { FileGate } from '../fixtures/file-gate.js';
import { callHttp2, pingHttp2 } from '../fixtures/http2-call.js';
import { type Loader, patience } from '../fixtures/loader.js';
import {
  CommandRequest,
  CommandResponse,
  encodeInput,
  encodeRequest,
  type InputShape,
  type OutputShape,
  type RequestShape,
} from '../fixtures/protocol.js';
import type { RawClient } from '../fixtures/raw-client.js';
import { fieldOf, fieldsOf, type WireField as FoundField } from '../fixtures/wire.js';
import { callXsf, type XsfAnswer } from '../fixtures/xsf-client.js';
import {
  type CallStep,
  type Case,
  type CommandStep,
  type EngineStep,
  type Http2Step,
  ourAddress,
  ourHandle,
  type ReflectionStep,
  type Reply,
  type ResultsStep,
  type Step,
  type Text,
  type Wire,
} from './case.js';

/** Does what the steps of a case say, and compares every answer. */
export async function runCase(loader: Loader, { steps }: Case): Promise<void> {
  const run = new Run(loader);
  try {
    for (const step of steps) await run.do(step);
  } finally {
    await run.end();
  }
}

interface SessionSeen {
  readonly s: NonNullable<RequestShape['s']>;
  /** Payloads that no step has looked at yet, each with the status of its answer. */
  readonly results: { readonly status: number; readonly payload: OutputShape['pl'][number] }[];
}

class Run {
  readonly #loader: Loader;
  readonly #gate = new FileGate();
  readonly #record = new CallRecord();
  readonly #sessions = new Map<string, SessionSeen>();
  readonly #connections: RawClient[];
  readonly #background = new Map<string, Promise<void>>();

  constructor(loader: Loader) {
    this.#loader = loader;
    this.#connections = [loader.client];
  }

  async do(step: Step): Promise<void> {
    switch (step.step) {
      case 'call':
        return this.#call(step);
      case 'answer':
        return this.#background.get(step.of);
      case 'results':
        return this.#results(step);
      case 'engine':
        return this.#engine(step);
      case 'command':
        return this.#command(step);
      case 'http2':
        return this.#http2(step);
      case 'ping': {
        const payload = Buffer.from(step.payload, 'hex');
        expect(await pingHttp2(this.#loader.port, payload)).toEqual(payload);
        return;
      }
      case 'reflection':
        return this.#reflection(step);
    }
  }

  /** Lets go of everything: a case that failed half-way must not be in the way of the next one. */
  async end(): Promise<void> {
    this.#gate.open();
    await Promise.allSettled(this.#background.values());
    for (const { s } of this.#sessions.values()) {
      const end = { op: 'AIExcp', s, param: { waitTime: '20000' } };
      await callXsf(this.#loader.client, end);
    }
    this.#gate.remove();
    this.#record.remove();
  }

  async #call(step: CallStep): Promise<void> {
    if (step.as !== undefined) {
      const answered = this.#answered(step);
      // The step that asks for it reports a failure; until then nobody listens.
      answered.catch(() => undefined);
      this.#background.set(step.as, answered);
    } else if (step.until === true) await vi.waitFor(() => this.#answered(step), patience);
    else await this.#repeated(step, step.times ?? 1);
  }

  /** Several at a time, which must not need more licences than a loader has by default. */
  async #repeated(step: CallStep, times: number): Promise<void> {
    for (let left = times; left > 0; left -= 8) {
      await Promise.all(Array.from({ length: Math.min(left, 8) }, () => this.#answered(step)));
    }
  }

  async #answered(step: CallStep): Promise<void> {
    const { session, reply } = step;
    const message = step.message ?? encodeRequest(this.#request(step));
    const found = await callXsf(this.#connection(step.connection ?? 0), message, { path: step.path });
    if (session !== undefined && found.response !== null) {
      const { h, sess } = found.response.s;
      const before = this.#sessions.get(session)?.results ?? [];
      const results = (found.output?.pl ?? []).map((payload) => ({ status: found.output?.status ?? 0, payload }));
      this.#sessions.set(session, { s: { h, sess }, results: [...before, ...results] });
    }
    this.#compare(found, reply);
  }

  #request({ session, request, input }: CallStep): RequestShape {
    const known = session === undefined ? undefined : this.#sessions.get(session);
    return {
      ...request,
      ...(known === undefined ? {} : { s: known.s }),
      ...(input === null ? {} : { data: [{ data: Buffer.isBuffer(input) ? input : encodeInput(this.#named(input)) }] }),
    };
  }

  /** Puts the names of this run's gate and record where the parameters ask for them. */
  #named(input: InputShape): InputShape {
    const names = new Map([
      ['$file', this.#gate.file],
      ['$calls', this.#record.params.calls],
    ]);
    const params = Object.entries(input.params ?? {}).map(([key, value]) => [key, names.get(value) ?? value] as const);
    return { ...input, params: Object.fromEntries(params) };
  }

  #compare(found: XsfAnswer, reply: Reply): void {
    if (reply.kind === 'rpcError') {
      expect(found.status).toBe(reply.code);
      compareText(found.details, reply.text);
      return;
    }
    expect(found).toMatchObject({ status: status.OK, details: '' });
    expect(found.response?.s.sess).toEqual({ PeerAddr: expect.stringMatching(/^[\d.]+:\d+$/) as string });
    expect(found.response).toMatchObject({ s: { t: '' }, param: {} });
    if (reply.kind === 'noData') {
      expect(found.response).toMatchObject({ code: 0, error_info: '', data: [] });
      return;
    }
    expect(found.response?.data).toHaveLength(1);
    expect(found.output).toMatchObject({ ...reply.output, code: reply.code });
    compareText(found.output?.err ?? '', reply.text);
    // What sends clients to another node is on the envelope as well.
    const outside = reply.code === 10110 ? { code: 10110, error_info: found.output?.err } : { code: 0, error_info: '' };
    expect(found.response).toMatchObject(outside);
    if (reply.handle !== undefined) expect(found.response?.s.h).toMatch(reply.handle);
    if (reply.address !== undefined) expect(found.response?.s.sess).toEqual({ PeerAddr: reply.address });
    if (reply.wire !== undefined) this.#compareWire(found.bytes ?? Buffer.alloc(0), reply.wire);
  }

  #compareWire(message: Uint8Array, wire: Wire): void {
    const { port } = this.#loader;
    const hexPort = port.toString(16).padStart(4, '0');
    const left: FoundField[] = fieldsOf(message);
    for (const [number, content] of wire) {
      const field = left.shift();
      expect(field?.number).toBe(number);
      const bytes = field?.bytes ?? Buffer.alloc(0);
      if (content === ourHandle) expect(bytes.toString()).toMatch(new RegExp(`^07f000001${hexPort}[\\da-f]{13}$`));
      else if (content === ourAddress) expect(bytes.toString()).toBe(`127.0.0.1:${port}`);
      else if (typeof content === 'string') expect(bytes.toString()).toBe(content);
      else if (typeof content === 'number') expect(varintOf(bytes)).toBe(content);
      else if (content instanceof RegExp) expect(bytes.toString()).toMatch(content);
      else if ('pairs' in content) {
        const entries = [bytes];
        while (left[0]?.number === number) entries.push(left.shift()?.bytes ?? Buffer.alloc(0));
        const found = entries.map((entry) => [fieldOf(entry, 1).toString(), fieldOf(entry, 2).toString()] as const);
        expect(Object.fromEntries(found)).toEqual(content.pairs);
        expect(found).toHaveLength(Object.keys(content.pairs).length);
      } else this.#compareWire(bytes, content);
    }
    expect(left).toEqual([]);
  }

  async #results({ session, results }: ResultsStep): Promise<void> {
    const seen = (): SessionSeen['results'] => this.#sessions.get(session)?.results ?? [];
    while (seen().length < results.length) {
      const before = seen().length;
      await this.#answered({
        step: 'call',
        session,
        request: { op: 'AIOut', param: { baseId: '0', version: 'v2', waitTime: '20000' } },
        input: Buffer.alloc(0),
        reply: { kind: 'output', code: 0, text: { exact: '' } },
      });
      // Each answer carries one result of the engine, which is one payload in these cases.
      expect(seen().length - before).toBeLessThanOrEqual(1);
    }
    const found = seen().splice(0);
    expect(found.map(({ payload }) => Buffer.from(payload.data).toString())).toEqual(
      results.map(({ text = '' }) => text),
    );
    found.forEach(({ status: ofAnswer, payload }, index) => {
      const wanted = results[index];
      if (wanted?.attributes !== undefined) expect(payload.meta.attribute).toEqual(wanted.attributes);
      expect(payload.meta.attribute['status']).toBe(String(ofAnswer));
      if (wanted?.status !== undefined) expect(ofAnswer).toBe(wanted.status);
    });
  }

  async #engine({ gate, calls }: EngineStep): Promise<void> {
    if (gate === 'open') this.#gate.open();
    if (gate === 'entered') await this.#gate.entered();
    if (calls !== undefined) {
      await vi.waitFor(() => {
        expect(this.#record.calls).toEqual(calls);
      }, patience);
    }
  }

  async #command({ query, headers, reply }: CommandStep): Promise<void> {
    const message = Buffer.from(CommandRequest.encode({ query, headers }).finish());
    const found = await this.#loader.client.unary('/utils.ToolBox/cmdserver', message);
    expect(found.code).toBe(reply.status ?? status.OK);
    if (reply.text !== undefined) expect(found.details).toBe(reply.text);
    if (reply.body === undefined) return;
    const { body } = CommandResponse.toObject(CommandResponse.decode(found.bytes ?? Buffer.alloc(0)), {
      defaults: true,
    }) as { body: string };
    expect(body).toMatch(reply.body);
  }

  async #http2(step: Http2Step): Promise<void> {
    const data = step.input === undefined ? {} : { data: [{ data: encodeInput(this.#named(step.input)) }] };
    const found = await callHttp2(this.#loader.port, {
      path: step.path,
      headers: step.headers ?? {},
      message: step.message ?? encodeRequest({ ...step.request, ...data }),
      gzip: step.gzip === true,
    });
    expect(found.headers).toMatchObject(step.headersBack);
    expect({ ...found.headers, ...found.trailers }).toMatchObject(step.trailersBack);
    expect(found.order).toEqual(['headers', 'data', 'trailers']);
    // A listed deviation: the original took frames of 16 KiB only. Larger ones spare large payloads many small reads.
    expect(found.settings.maxFrameSize).toBeGreaterThanOrEqual(16_384);
    expect(found.messages).toHaveLength(1);
    this.#compareWire(found.messages[0] ?? Buffer.alloc(0), step.wire);
  }

  async #reflection({ services }: ReflectionStep): Promise<void> {
    // ServerReflectionRequest{ list_services = 7: "" } -> ServerReflectionResponse{ list_services_response = 6 }
    const found = await callHttp2(this.#loader.port, {
      path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
      message: Buffer.from([0x3a, 0x00]),
    });
    const list = fieldOf(found.messages[0] ?? Buffer.alloc(0), 6);
    const names = fieldsOf(list).map(({ bytes }) => fieldOf(bytes, 1).toString());
    expect(names).toEqual(expect.arrayContaining([...services]));
  }

  #connection(number: number): RawClient {
    while (this.#connections.length <= number) this.#connections.push(this.#loader.connect());
    return this.#connections[number] ?? this.#loader.client;
  }
}

function compareText(found: string, wanted: Text): void {
  if ('exact' in wanted) expect(found).toBe(wanted.exact);
  else {
    expect(found.startsWith(wanted.start ?? '')).toBe(true);
    expect(found.length).toBeGreaterThan((wanted.start ?? '').length);
  }
}

function varintOf(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 128 + (byte & 0x7f), 0);
}
