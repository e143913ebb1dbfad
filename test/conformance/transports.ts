import { type DataTypeName, DataType, dataTypeName } from '../../src/core/frame.js';
import { openEvents } from '../fixtures/event-client.js';
import { form } from '../fixtures/forms.js';
import type { RunningHost } from '../fixtures/host.js';
import type { InputShape, OutputShape, PayloadShape, Strings } from '../fixtures/protocol.js';
import { packed, unpacked, WsClient, type WsFrame } from '../fixtures/ws-client.js';
import { callXsf, onceInput, onceRequest, StreamClient, type XsfAnswer } from '../fixtures/xsf-client.js';

/** A request, whatever it travels in. */
export interface Ask {
  readonly params?: Readonly<Record<string, string | number>>;
  /** Outputs that the client wants, with what it says of each; all that there are when absent. */
  readonly expect?: Readonly<Record<string, Strings>>;
  /** The input, in several packets where the transport has any, else each input in one piece. */
  readonly packets: readonly (readonly Input[])[];
}

export interface Input {
  readonly name: string;
  readonly type: DataTypeName;
  readonly data: Buffer;
  readonly attributes?: Strings;
}

/** An answer, whatever it came in. */
export type Answer =
  | { readonly code: number; readonly message: string }
  | {
      readonly code: 0;
      /** Of the last result. */
      readonly status: number;
      /** All outputs of all results. */
      readonly outputs: readonly Output[];
    };

export interface Output {
  readonly name: string;
  readonly type: string;
  readonly data: Buffer;
  readonly attributes: Strings;
}

export interface Transport {
  readonly name: string;
  readonly over: 'xsf' | 'http' | 'ws';
  /** What it makes of the plugin: one call, a stream that gets the whole input in one packet, or a stream of packets. */
  readonly kind: 'call' | 'whole' | 'packets';
  readonly ask: (host: RunningHost, ask: Ask) => Promise<Answer>;
}

export const transports: readonly Transport[] = [
  { name: 'xsf', over: 'xsf', kind: 'call', ask: askXsf },
  { name: 'a stream over xsf', over: 'xsf', kind: 'packets', ask: askXsfStream },
  { name: 'JSON over HTTP', over: 'http', kind: 'call', ask: askJson },
  { name: 'a form over HTTP', over: 'http', kind: 'call', ask: askForm },
  { name: 'events over HTTP', over: 'http', kind: 'whole', ask: askEvents },
  { name: 'WebSocket', over: 'ws', kind: 'packets', ask: (host, ask) => askWs(host, ask, false) },
  { name: 'WebSocket with aiges.binary', over: 'ws', kind: 'packets', ask: (host, ask) => askWs(host, ask, true) },
];

const path = '/v1/private/svc';

// xsf

async function askXsf({ client }: RunningHost, ask: Ask): Promise<Answer> {
  const input = onceInput({ ...openingOf(ask), pl: payloadsOf(wholeOf(ask), 3) });
  return answerOf([await callXsf(client, onceRequest(input))]);
}

async function askXsfStream({ client }: RunningHost, ask: Ask): Promise<Answer> {
  const stream = new StreamClient(client);
  const answers = [await stream.create(openingOf(ask))];
  const isOver = (): boolean => {
    const last = answers.at(-1)?.output;
    return last?.code !== 0 || last.status >= 2;
  };
  for (const [index, packet] of ask.packets.entries()) {
    if (isOver()) break;
    const pl = payloadsOf(packet, statusOf(index, ask.packets.length));
    answers.push(await stream.send('AIIn', { sync_id: index + 1, pl }));
  }
  while (!isOver()) answers.push(await stream.poll());
  return answerOf(answers);
}

function openingOf({ params = {}, expect = {} }: Ask): InputShape {
  return {
    params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
    expect: Object.entries(expect).map(([name, { data_type: type = 'text', ...attribute }]) => ({
      name,
      dataType: DataType[type as DataTypeName],
      attribute,
    })),
  };
}

function payloadsOf(inputs: readonly Input[], status: number): PayloadShape[] {
  return inputs.map(({ name, type, data, attributes }) => ({
    meta: { name, dataType: DataType[type], attribute: { ...attributes, status: String(status) } },
    data,
  }));
}

function answerOf(answers: readonly XsfAnswer[]): Answer {
  const all = answers.map(({ output }): OutputShape => {
    if (output === null) throw new Error('an answer without data');
    return output;
  });
  const last = all.at(-1);
  if (last?.code !== 0) return { code: last?.code ?? -1, message: last?.err ?? 'no answer' };
  const outputs = all.flatMap(({ pl }) =>
    pl.map(({ meta: { name, dataType, attribute }, data }) => {
      const type = dataTypeName(dataType) ?? String(dataType);
      return { name, type, data: Buffer.from(data), attributes: attribute };
    }),
  );
  return { code: 0, status: last.status, outputs };
}

// JSON

type Document = WsFrame;
type Json = Readonly<Record<string, unknown>>;

const base64 = ({ data }: Input): string => data.toString('base64');

function documentOf({ params = {}, expect = {} }: Ask, payload: Json): Json {
  return { parameter: { svc: { ...params, ...expect } }, payload };
}

function payloadOf(inputs: readonly Input[], status: number, encode: (input: Input) => unknown): Json {
  return Object.fromEntries(
    inputs.map((input) => {
      const data = encode(input);
      return [input.name, { ...input.attributes, status, ...(data === undefined ? {} : { [input.type]: data }) }];
    }),
  );
}

async function askJson(host: RunningHost, ask: Ask): Promise<Answer> {
  const document = documentOf(ask, payloadOf(wholeOf(ask), 3, base64));
  return post(host, JSON.stringify(document), { 'content-type': 'application/json' });
}

async function askForm(host: RunningHost, ask: Ask): Promise<Answer> {
  const { params = {}, expect = {} } = ask;
  const inputs = wholeOf(ask);
  const request = documentOf(
    { packets: [], expect },
    payloadOf(inputs, 3, () => undefined),
  );
  const body = form([
    { name: 'request', data: JSON.stringify(request) },
    ...Object.entries(params).map(([name, value]) => ({ name, data: String(value) })),
    // Of no encoding: what the request says of it are attributes.
    ...inputs.map(({ name, type, data }) => ({ name, data, filename: name, type: `${type}/x-any` })),
  ]);
  return post(host, body, { 'content-type': 'multipart/form-data; boundary=x' });
}

async function post({ httpUrl }: RunningHost, body: string | Buffer, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(httpUrl + path, { method: 'POST', headers, body });
  return answerOfDocuments([(await response.json()) as Document], fromText);
}

async function askEvents({ started }: RunningHost, ask: Ask): Promise<Answer> {
  const document = documentOf(ask, payloadOf(wholeOf(ask), 3, base64));
  const headers = { 'content-type': 'application/json' };
  const call = await openEvents(started.http?.port ?? 0, path, JSON.stringify(document), headers);
  if (call.response.headers['content-type']?.startsWith('text/event-stream') !== true) {
    const chunks: Buffer[] = [];
    for await (const chunk of call.response) chunks.push(chunk as Buffer);
    return answerOfDocuments([JSON.parse(Buffer.concat(chunks).toString()) as Document], fromText);
  }
  const events = await call.rest();
  return answerOfDocuments(
    events.map(({ data }) => JSON.parse(data) as Document),
    fromText,
  );
}

async function askWs({ httpUrl }: RunningHost, ask: Ask, binary: boolean): Promise<Answer> {
  const client = await WsClient.connect(httpUrl + path, binary ? ['aiges.binary'] : []);
  for (const [index, packet] of ask.packets.entries()) {
    const status = statusOf(index, ask.packets.length);
    const payload = payloadOf(packet, status, binary ? ({ data }) => data.length : base64);
    const document = index === 0 ? documentOf(ask, payload) : { payload };
    if (binary) client.socket.send(packed(document, ...packet.map(({ data }) => data)));
    else client.send(document);
  }
  await client.ended;
  // The first frame acknowledges the request, unless it was refused.
  const [first, ...results] = client.messages.map(readFrame);
  if (first === undefined) throw new Error(`no frame: ${JSON.stringify(await client.ended)}`);
  const given = results.length === 0 ? [first] : results;
  return answerOfDocuments(
    given.map(({ document }) => document),
    (value, { index, name }) => given[index]?.bytes.get(name) ?? Buffer.from(String(value), 'base64'),
  );
}

/** A frame of the server, with the bytes of its payloads by name. */
function readFrame(message: WsClient['messages'][number]): {
  readonly document: Document;
  readonly bytes: ReadonlyMap<string, Buffer>;
} {
  const bytes = new Map<string, Buffer>();
  if (!message.binary) return { document: JSON.parse(message.data.toString()) as Document, bytes };
  const { document, rest } = unpacked(message);
  let end = 0;
  for (const [name, piece] of Object.entries(document.payload ?? {})) {
    const length = Object.values(piece).find((value) => typeof value === 'number') ?? 0;
    bytes.set(name, rest.subarray(end, end + length));
    end += length;
  }
  if (end !== rest.length) throw new Error(`${rest.length - end} bytes are left over`);
  return { document, bytes };
}

type Decode = (value: unknown, of: { index: number; name: string; type: string }) => Buffer;

/** Text comes as it is, everything else as base64. */
const fromText: Decode = (value, { type }) => Buffer.from(String(value), type === 'text' ? 'utf8' : 'base64');

function answerOfDocuments(documents: readonly Document[], decode: Decode): Answer {
  const last = documents.at(-1);
  if (last === undefined) throw new Error('no document');
  const { code, message, status } = last.header;
  if (code !== 0) return { code, message };
  const outputs = documents.flatMap(({ payload = {} }, index) =>
    Object.entries(payload).map(([name, piece]) => {
      const type = Object.keys(DataType).find((each) => Object.hasOwn(piece, each)) ?? 'none';
      const { [type]: value, ...attributes } = piece;
      return { name, type, data: decode(value, { index, name, type }), attributes: attributes as Strings };
    }),
  );
  return { code: 0, status, outputs };
}

/** Of a packet that others follow, or of the last one. */
function statusOf(index: number, packets: number): number {
  if (packets === 1) return 3;
  return index === packets - 1 ? 2 : index === 0 ? 0 : 1;
}

/** Every input in one piece. */
function wholeOf({ packets }: Ask): Input[] {
  const whole = new Map<string, Input>();
  for (const input of packets.flat()) {
    const before = whole.get(input.name)?.data ?? Buffer.alloc(0);
    whole.set(input.name, { ...input, data: Buffer.concat([before, input.data]) });
  }
  return [...whole.values()];
}
