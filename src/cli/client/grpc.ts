import { fileURLToPath } from 'node:url';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { DataStatus, DataType } from '../../core/frame.js';
import { type Answer, type OnceRequest, typeName } from './request.js';

interface ResData {
  readonly code: number;
  readonly error_info: string;
  readonly data: readonly { readonly data: Uint8Array }[];
}

interface LoaderOutput {
  readonly code: number;
  readonly err: string;
  readonly pl: readonly {
    readonly meta: { readonly name: string; readonly dataType: number };
    readonly data: Uint8Array;
  }[];
}

const files = ['xsf.proto', 'loader.proto'].map((file) =>
  fileURLToPath(new URL(`../../../proto/${file}`, import.meta.url)),
);
const root = new protobuf.Root().loadSync(files, { keepCase: true });
const reqData = root.lookupType('utils.ReqData');
const resData = root.lookupType('utils.ResData');
const loaderInput = root.lookupType('protocol.LoaderInput');
const loaderOutput = root.lookupType('protocol.LoaderOutput');

/** Large enough for any payload that the other side accepts: limits are the server's to set. */
const unlimited = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

/**
 * Sends a one-shot request as clients of the AthenaServing tier do.
 * @param address "host:port"
 */
export async function callGrpc(address: string, request: OnceRequest): Promise<Answer> {
  const input = loaderInput.encode({
    serviceId: request.service,
    serviceName: request.service,
    state: 1,
    headers: { status: '3' },
    params: Object.fromEntries(request.params),
    expect: request.outputs.map(({ name, type }) => ({ name, dataType: DataType[type ?? 'text'] })),
    pl: request.inputs.map(({ name, type, data }) => ({
      meta: { name, dataType: DataType[type], attribute: { seq: '0', status: String(DataStatus.once) } },
      data,
    })),
  });
  const param = { SeqNo: '1', baseId: '0', version: 'v2', waitTime: String(request.timeoutMs) };
  const message = reqData.encode({ op: 'AIIn', s: {}, param, data: [{ data: input.finish() }] });
  const bytes = await send(address, Buffer.from(message.finish()), request.timeoutMs);

  const envelope = resData.decode(bytes) as unknown as ResData;
  if (envelope.error_info !== '') throw new Error(`code ${envelope.code}: ${envelope.error_info}`);
  const output = loaderOutput.decode(envelope.data[0]?.data ?? new Uint8Array(0)) as unknown as LoaderOutput;
  if (output.code !== 0) throw new Error(`code ${output.code}: ${output.err}`);
  return {
    payloads: output.pl.map(({ meta, data }) => ({
      name: meta.name,
      type: typeName(meta.dataType),
      data: Buffer.from(data),
    })),
  };
}

function send(address: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure(), unlimited);
  const identity = (bytes: Buffer): Buffer => bytes;
  // The loader answers at the end of its wait; the answer needs a moment to arrive.
  const deadline = Date.now() + timeoutMs + 500;
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      '/utils.XsfCall/call',
      identity,
      identity,
      message,
      { deadline },
      (error: ServiceError | null, value?: Buffer) => {
        client.close();
        if (value !== undefined) resolve(value);
        else reject(new Error(`gRPC call to ${address} failed: ${error?.details ?? 'no answer'}`, { cause: error }));
      },
    );
  });
}
