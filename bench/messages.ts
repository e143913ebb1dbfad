import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packets } from './rows.js';
import { root } from './places.js';

const schema = new protobuf.Root().loadSync(
  ['xsf.proto', 'loader.proto'].map((file) => join(root, 'proto', file)),
  { keepCase: true },
);
const reqData = schema.lookupType('utils.ReqData');
const resData = schema.lookupType('utils.ResData');
const loaderInput = schema.lookupType('protocol.LoaderInput');
const loaderOutput = schema.lookupType('protocol.LoaderOutput');

/** Full name of the one method of xsf. */
export const xsfPath = '/utils.XsfCall/call';

/** Longer than any answer takes, so that a slow machine is slow and not wrong. */
const waitTime = '60000';

const endOfStream = 2;

/** Printable, so that it is text as well, and without a short period. */
export function payloadOf(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (state * 48271) % 0x7fffffff;
    bytes[i] = 0x30 + (state % 64);
  }
  return bytes;
}

/** What small payloads are; large ones are media. The numbers are the wire's. */
function typeOf(payload: Buffer): { readonly name: 'text' | 'audio'; readonly value: number } {
  return payload.length <= 1024 ? { name: 'text', value: 0 } : { name: 'audio', value: 1 };
}

/** A message as gRPC frames it: not compressed, its length, its bytes. */
export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** @throws Error when this is not exactly one message */
export function unframeMessage(body: Buffer): Buffer {
  if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) {
    throw new Error(`expected one uncompressed gRPC message but received ${body.length} bytes that are none`);
  }
  return body.subarray(5);
}

/** The one-shot request of the tier's own test client. */
export function onceRequest(payload: Buffer): Buffer {
  const input = { ...opening('3', payload), state: 1, pl: [packetOf(payload, '3', '0')] };
  return envelope('AIIn', {}, { SeqNo: '1' }, loaderInput.encode(input).finish());
}

/** @throws Error that says how the answer to `onceRequest(payload)` differs from what it should be */
export function checkOnceAnswer(message: Buffer, payload: Buffer): void {
  const { output } = decodeAnswer(message);
  const [first, ...more] = output.pl;
  if (first === undefined || more.length > 0) throw new Error(`expected one payload, found ${output.pl.length}`);
  if (first.meta.name !== 'result') throw new Error(`expected the output "result", found "${first.meta.name}"`);
  checkBytes(first.data, payload);
}

/** The packet that opens a session: it says what the payloads will be, and holds none. */
export function createRequest(payload: Buffer): Buffer {
  return envelope('AIIn', {}, { SeqNo: '1' }, loaderInput.encode(opening('0', payload)).finish());
}

export function writeRequest(session: Session, payload: Buffer, number: number): Buffer {
  const status = number === packets ? '2' : '1';
  const input = { pl: [packetOf(payload, status, String(number - 1))], sync_id: number };
  return envelope('AIIn', session, {}, loaderInput.encode(input).finish());
}

export function pollRequest(session: Session): Buffer {
  return envelope('AIOut', session, {}, new Uint8Array(0));
}

/** What clients send back with every request of a session. */
export interface Session {
  readonly h: string;
  readonly sess: Readonly<Record<string, string>>;
}

export interface StreamAnswer {
  readonly session: Session;
  /** Results in this answer. */
  readonly results: number;
  readonly ended: boolean;
}

/** @throws Error when a result is not the payload */
export function checkStreamAnswer(message: Buffer, payload: Buffer): StreamAnswer {
  const { session, output } = decodeAnswer(message);
  for (const { data } of output.pl) checkBytes(data, payload);
  return { session, results: output.pl.length, ended: output.status === endOfStream };
}

export function jsonRequest(payload: Buffer): Buffer {
  const { name } = typeOf(payload);
  return Buffer.from(
    JSON.stringify({
      header: { appid: 'bench' },
      parameter: { svcName: { lang: 'zh_cn', result: { encoding: 'utf8' } } },
      payload: { input: { [name]: payload.toString('base64'), encoding: 'utf8', status: 3 } },
    }),
  );
}

/** @throws Error that says how the answer to `jsonRequest(payload)` differs from what it should be */
export function checkJsonAnswer(body: Buffer, payload: Buffer): void {
  const answer = JSON.parse(body.toString()) as {
    header?: { code?: number; message?: string };
    payload?: { result?: Record<string, string> } | null;
  };
  if (answer.header?.code !== 0) {
    throw new Error(`code ${String(answer.header?.code)}: ${answer.header?.message ?? 'no message'}`);
  }
  const { name } = typeOf(payload);
  const data = answer.payload?.result?.[name] ?? '';
  checkBytes(Buffer.from(data, name === 'text' ? 'utf8' : 'base64'), payload);
}

/** @throws Error unless they are the same */
export function checkBytes(found: Uint8Array, expected: Buffer): void {
  if (Buffer.compare(found, expected) === 0) return;
  throw new Error(`the answer is not what was sent: ${found.length} bytes came back for ${expected.length}`);
}

function opening(status: string, payload: Buffer): object {
  return {
    serviceId: 'svcName',
    serviceName: 'svcName',
    headers: { sid: 'ase000100a1@hu18c0ffee1230001500', status, appid: '4CC5779A', uid: '0000000000001' },
    params: { lang: 'zh_cn' },
    expect: [{ name: 'result', dataType: typeOf(payload).value, attribute: { encoding: 'utf8' } }],
  };
}

function packetOf(payload: Buffer, status: string, seq: string): object {
  const attribute = { encoding: 'utf8', status, seq };
  return { meta: { name: 'input', dataType: typeOf(payload).value, attribute }, data: payload };
}

function envelope(op: string, session: object, extra: Readonly<Record<string, string>>, input: Uint8Array): Buffer {
  const param = { ...extra, baseId: '0', version: 'v2', waitTime };
  return Buffer.from(reqData.encode({ op, s: session, param, data: [{ data: input }] }).finish());
}

interface Response {
  readonly code: number;
  readonly error_info: string;
  readonly s: Session | null;
  readonly data: readonly { readonly data: Uint8Array }[];
}

interface Output {
  readonly code: number;
  readonly err: string;
  readonly status: number;
  readonly pl: readonly { readonly meta: { readonly name: string }; readonly data: Uint8Array }[];
}

function decodeAnswer(message: Buffer): { readonly session: Session; readonly output: Output } {
  const response = resData.decode(message) as unknown as Response;
  if (response.error_info !== '') throw new Error(`code ${response.code}: ${response.error_info}`);
  const [data] = response.data;
  if (data === undefined) throw new Error('the answer holds no data');
  const output = loaderOutput.decode(data.data) as unknown as Output;
  if (output.code !== 0) throw new Error(`code ${output.code}: ${output.err}`);
  return { session: { h: response.s?.h ?? '', sess: response.s?.sess ?? {} }, output };
}
