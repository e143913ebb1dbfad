import protobuf from 'protobufjs/minimal.js';
import type { ExpectedOutput } from '../../core/call.js';
import type { AigesError } from '../../core/errors.js';
import { emptyMap, type Frame, type StringMap } from '../../core/frame.js';
import { ProtobufWriter } from './protobuf-writer.js';

const { Reader } = protobuf;
type Reader = protobuf.Reader;

/** What the loader reads of a `utils.ReqData`. */
export interface Envelope {
  readonly op: string;
  /** The client's handle, empty to ask for a new one. */
  readonly handle: string;
  readonly param: StringMap;
  /** A serialized `protocol.LoaderInput`, a view on the message; empty when there is none. */
  readonly body: Uint8Array;
}

/** A `protocol.LoaderInput`. */
export interface LoaderInput {
  readonly serviceId: string;
  readonly serviceName: string;
  readonly once: boolean;
  readonly headers: StringMap;
  readonly params: StringMap;
  readonly expect: readonly ExpectedOutput[];
  /** Views on the message. */
  readonly frames: readonly Frame[];
  /** A payload came without its meta, and so without a name. */
  readonly missingMeta: boolean;
  /** Number of the packet in its stream. */
  readonly syncId: number;
}

/** The outer part of an answer. */
export interface ReplyEnvelope {
  readonly handle: string;
  /** "ip:port" of this server, which clients send back on the calls that follow. */
  readonly peerAddress: string;
  /** Set only for errors that send the client to another node. */
  readonly error: AigesError | null;
  readonly param: StringMap;
}

export interface LoaderOutput {
  readonly serviceId: string;
  readonly error: AigesError | null;
  readonly status: number;
  readonly payloads: readonly Payload[];
}

export interface Payload {
  readonly frame: Frame;
  readonly attributes: StringMap;
}

/** @throws Error when the bytes are not a `utils.ReqData` */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const reader = Reader.create(bytes);
  let op = '';
  let handle = '';
  let body: Uint8Array | null = null;
  const param = new Map<string, string>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag) {
      case field(1, lengthDelimited):
        op = readString(reader);
        break;
      case field(2, lengthDelimited):
        handle = readHandle(reader, handle);
        break;
      case field(3, lengthDelimited):
        readEntry(reader, param);
        break;
      case field(4, lengthDelimited):
        // Further elements are skipped, as clients know it.
        if (body === null) body = readBody(reader);
        else reader.skipType(lengthDelimited);
        break;
      default:
        skip(reader, tag);
    }
  }
  return { op, handle, param, body: body ?? new Uint8Array(0) };
}

/** @throws Error when the bytes are not a `protocol.LoaderInput` */
export function decodeLoaderInput(bytes: Uint8Array): LoaderInput {
  const reader = Reader.create(bytes);
  let serviceId = '';
  let serviceName = '';
  let state = 0;
  let missingMeta = false;
  let syncId = 0;
  const headers = new Map<string, string>();
  const params = new Map<string, string>();
  const expect: ExpectedOutput[] = [];
  const frames: Frame[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    switch (tag) {
      case field(1, lengthDelimited):
        serviceId = readString(reader);
        break;
      case field(2, lengthDelimited):
        serviceName = readString(reader);
        break;
      case field(3, varint):
        state = reader.int32();
        break;
      case field(4, lengthDelimited):
        readEntry(reader, headers);
        break;
      case field(5, lengthDelimited):
        readEntry(reader, params);
        break;
      case field(6, lengthDelimited): {
        const meta = readMeta(reader, null);
        expect.push({ name: meta.name, type: meta.type, attributes: meta.attributes });
        break;
      }
      case field(7, lengthDelimited): {
        const frame = readPayload(reader);
        if (frame === null) missingMeta = true;
        else frames.push(frame);
        break;
      }
      case field(8, varint):
        syncId = reader.int32();
        break;
      default:
        skip(reader, tag);
    }
  }
  return { serviceId, serviceName, once: state === 1, headers, params, expect, frames, missingMeta, syncId };
}

/**
 * Encodes a `utils.ResData` around a `protocol.LoaderOutput`, without copying large payloads.
 * @returns the message in pieces, to be sent in order; payload pieces are the frames' own memory
 */
export function encodeReply(envelope: ReplyEnvelope, output: LoaderOutput | null): Uint8Array[] {
  const writer = new ProtobufWriter();
  if (output !== null) {
    const end = writer.length;
    writeOutput(writer, output);
    // An empty output is an empty data element: clients index it without a look.
    if (writer.length !== end) writer.header(field(1, lengthDelimited), writer.length - end);
    writer.header(field(5, lengthDelimited), writer.length - end);
  }
  writer.entries(field(4, lengthDelimited), envelope.param);
  const end = writer.length;
  writer.entry(field(3, lengthDelimited), 'PeerAddr', envelope.peerAddress);
  if (envelope.handle !== '') writer.stringField(field(2, lengthDelimited), envelope.handle);
  writer.header(field(3, lengthDelimited), writer.length - end);
  if (envelope.error !== null) {
    writer.stringField(field(2, lengthDelimited), envelope.error.message);
    writer.int32Field(field(1, varint), envelope.error.code);
  }
  return writer.finish();
}

/** Encodes a `protocol.LoaderOutput` that travels without an envelope, in memory of its own. */
export function encodeOutput(output: LoaderOutput): Buffer {
  const writer = new ProtobufWriter();
  writeOutput(writer, output);
  return Buffer.concat(writer.finish());
}

function writeOutput(writer: ProtobufWriter, { serviceId, error, status, payloads }: LoaderOutput): void {
  for (const payload of payloads.toReversed()) writePayload(writer, payload);
  if (status !== 0) writer.int32Field(field(4, varint), status);
  if (error !== null) {
    writer.stringField(field(3, lengthDelimited), error.message);
    writer.int32Field(field(2, varint), error.code);
  }
  if (serviceId !== '') writer.stringField(field(1, lengthDelimited), serviceId);
}

function writePayload(writer: ProtobufWriter, { frame, attributes }: Payload): void {
  const end = writer.length;
  if (frame.data.length > 0) writer.bytesField(field(2, lengthDelimited), frame.data);
  const metaEnd = writer.length;
  writer.entries(field(3, lengthDelimited), attributes);
  if (frame.type !== 0) writer.int32Field(field(2, varint), frame.type);
  if (frame.key !== '') writer.stringField(field(1, lengthDelimited), frame.key);
  writer.header(field(1, lengthDelimited), writer.length - metaEnd);
  writer.header(field(5, lengthDelimited), writer.length - end);
}

const varint = 0;
const lengthDelimited = 2;

function field(number: number, wireType: number): number {
  return (number << 3) | wireType;
}

function skip(reader: Reader, tag: number): void {
  // Field 0 does not exist: what looks like it is not protobuf.
  if (tag >>> 3 === 0) throw new RangeError('illegal tag 0');
  reader.skipType(tag & 7);
}

/** @returns the end of the message that starts here, which must lie within the reader's bytes */
function messageEnd(reader: Reader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError(`message of ${length} bytes at offset ${reader.pos} ends beyond the data`);
  return end;
}

function finishAt(reader: Reader, end: number): void {
  if (reader.pos !== end) throw new RangeError(`field at offset ${reader.pos} ends beyond its message`);
}

/** protobufjs cuts a string that runs beyond the data short; we refuse it. */
function readString(reader: Reader): string {
  const start = reader.pos;
  messageEnd(reader);
  reader.pos = start;
  return reader.string();
}

function readHandle(reader: Reader, before: string): string {
  let handle = before;
  const end = messageEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(2, lengthDelimited)) handle = readString(reader);
    else skip(reader, tag);
  }
  finishAt(reader, end);
  return handle;
}

function readBody(reader: Reader): Uint8Array {
  let body: Uint8Array = new Uint8Array(0);
  const end = messageEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(1, lengthDelimited)) body = reader.bytes();
    else skip(reader, tag);
  }
  finishAt(reader, end);
  return body;
}

function readEntry(reader: Reader, map: Map<string, string>): void {
  let key = '';
  let value = '';
  const end = messageEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(1, lengthDelimited)) key = readString(reader);
    else if (tag === field(2, lengthDelimited)) value = readString(reader);
    else skip(reader, tag);
  }
  finishAt(reader, end);
  map.set(key, value);
}

interface Meta {
  name: string;
  type: number;
  readonly attributes: Map<string, string>;
}

/** Reads a `MetaDesc`; one that comes in several pieces is merged, as protobuf has it. */
function readMeta(reader: Reader, before: Meta | null): Meta {
  const meta = before ?? { name: '', type: 0, attributes: new Map<string, string>() };
  const end = messageEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(1, lengthDelimited)) meta.name = readString(reader);
    else if (tag === field(2, varint)) meta.type = reader.int32();
    else if (tag === field(3, lengthDelimited)) readEntry(reader, meta.attributes);
    else skip(reader, tag);
  }
  finishAt(reader, end);
  return meta;
}

/** @returns null when the payload has no meta */
function readPayload(reader: Reader): Frame | null {
  let meta: Meta | null = null;
  let data: Uint8Array = new Uint8Array(0);
  const end = messageEnd(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === field(1, lengthDelimited)) meta = readMeta(reader, meta);
    else if (tag === field(2, lengthDelimited)) data = reader.bytes();
    else skip(reader, tag);
  }
  finishAt(reader, end);
  if (meta === null) return null;
  return {
    key: meta.name,
    data,
    type: meta.type,
    status: decimal(meta.attributes.get('status')),
    desc: meta.attributes.size === 0 ? emptyMap : meta.attributes,
  };
}

/** Attributes are strings; one that is not a decimal number counts as 0. */
function decimal(text: string | undefined): number {
  return text !== undefined && /^[+-]?\d{1,9}$/.test(text) ? Number(text) : 0;
}
