import { status } from '@grpc/grpc-js';
import {
  encodeInput,
  type InputShape,
  type OutputShape,
  type RequestShape,
  type ResponseShape,
} from '../fixtures/protocol.js';
import { onceInput, onceRequest } from '../fixtures/xsf-client.js';

/**
 * One request, and what every server of this protocol answers to it.
 * The engine is the fixture "scripted", which does what the parameters say.
 */
export interface OnceCase {
  readonly name: string;
  readonly request: RequestShape | Buffer;
  /** gRPC status; OK when absent. */
  readonly status?: number;
  readonly response?: Partial<Pick<ResponseShape, 'code' | 'error_info'>>;
  /** null: no data element. */
  readonly output?: Partial<OutputShape> | null;
  /** `any` where the text is that of another protobuf or gRPC library. */
  readonly text?: 'exact' | 'any';
}

const params = (values: Record<string, string>, changes: InputShape = {}): RequestShape =>
  onceRequest(onceInput({ params: values, ...changes }));

const failed = (code: number, err: string): Partial<OutputShape> => ({ code, err, status: 2, serviceId: '', pl: [] });
const cases: readonly OnceCase[] = [
  // Requests that never reach the engine.
  {
    name: 'unknown op',
    request: onceRequest(undefined, { op: 'Foo' }),
    output: failed(10003, 'invalid service operation'),
  },
  { name: 'empty op', request: onceRequest(undefined, { op: '' }), output: failed(10003, 'invalid service operation') },
  { name: 'empty ReqData', request: Buffer.alloc(0), output: failed(10003, 'invalid service operation') },
  ...['AIIn', 'AIOut', 'AIExcp'].map((op) => ({
    name: `${op} without SeqNo on a handle that never was`,
    request: onceRequest(undefined, { op, s: { h: '07f00000113e2000001000006e' }, param: {} }),
    output: failed(10008, 'service instance invalid'),
  })),
  {
    name: 'SeqNo other than "1"',
    request: onceRequest(undefined, { param: { SeqNo: '2' } }),
    output: failed(10008, 'service instance invalid'),
  },
  {
    name: 'malformed LoaderInput',
    request: onceRequest(Buffer.from([0x0f, 0xff])),
    output: failed(10401, ''),
    text: 'any',
  },
  {
    name: 'malformed LoaderInput under an unknown op',
    request: onceRequest(Buffer.from([0x0f, 0xff]), { op: 'Foo' }),
    output: failed(10401, ''),
    text: 'any',
  },
  { name: 'malformed ReqData', request: Buffer.from([0x0a, 0x7f, 0x41]), status: status.INTERNAL },
  {
    name: 'request of more than 4 MiB',
    request: params({ do: 'echo' }, { serviceName: 'x'.repeat(5 << 20) }),
    status: status.RESOURCE_EXHAUSTED,
  },
  {
    name: 'payload without meta',
    request: params({ do: 'echo' }, { pl: [{ data: Buffer.from('x') }] }),
    output: failed(10009, 'input invalid data'),
  },
  {
    name: 'no payload: answered when waitTime is up',
    request: onceRequest(onceInput({ pl: [] }), { param: { SeqNo: '1', waitTime: '40' } }),
    output: failed(10102, 'service exec once request timeout'),
  },
  {
    name: 'no payload and more than 5 s to wait',
    request: onceRequest(onceInput({ pl: [] })),
    output: failed(10009, 'input invalid data'),
  },
  ...['abc', '-1', '0'].map((waitTime) => ({
    name: `waitTime ${JSON.stringify(waitTime)}`,
    request: onceRequest(undefined, { param: { SeqNo: '1', waitTime } }),
    output: failed(10102, 'service exec once request timeout'),
  })),
  {
    name: 'delivery through a message broker that is not configured',
    request: onceRequest(onceInput({ headers: { downMethod: 'async' } })),
    output: failed(10106, 'invalid downMethod'),
  },
  {
    name: 'AILBType, which is not enabled',
    request: onceRequest(undefined, { op: 'AILBType', param: { authzNo: '1000000' } }),
    output: failed(10003, 'invalid service operation'),
  },
  // Operations that are accepted and do nothing.
  { name: 'ping', request: { op: 'ping' }, output: null },
  ...['AIDetect', 'AILoad', 'AIUnLoad', 'AIHotword'].map((op) => ({
    name: op,
    request: onceRequest(undefined, { op }),
    output: { serviceId: 'svc', code: 0, err: '', status: 0, pl: [] },
  })),
  // Failures of the engine and of what it gives.
  {
    name: 'engine fails',
    request: params({ do: 'refuse', code: '7' }),
    output: failed(10909, 'scripted error 7;code=7'),
  },
  {
    name: 'output key that is not expected',
    request: params({ do: 'echo', outKey: 'other' }),
    output: failed(10106, 'wrapper output data is nil '),
  },
  {
    name: 'no output expected at all',
    request: params({ do: 'echo' }, { expect: [] }),
    output: failed(10106, 'wrapper output data is nil '),
  },
  {
    name: 'output type that is not expected',
    request: params({ do: 'echo', outType: '2' }),
    output: failed(10106, 'wrapper output data invalid(key or type)'),
  },
  {
    name: 'answer of more than 4 MiB',
    request: params({ do: 'fill', bytes: String(5 << 20) }),
    status: status.RESOURCE_EXHAUSTED,
  },
  // Answers.
  {
    name: 'payload with empty data',
    request: params({ do: 'echo' }, { pl: [{ meta: { name: 'input', attribute: { status: '3' } } }] }),
    output: {
      serviceId: 'svc',
      status: 3,
      pl: [{ meta: meta({ encoding: 'utf8', seq: '0', status: '3' }), data: Buffer.alloc(0) }],
    },
  },
  {
    name: 'text, with the attributes that the request expects and without those of the engine',
    request: params({ do: 'echo', 'desc.lang': 'en' }),
    output: {
      serviceId: 'svc',
      status: 3,
      pl: [{ meta: meta({ encoding: 'utf8', seq: '0', status: '3' }), data: Buffer.from('hello') }],
    },
  },
  {
    name: 'the status of the answer is that of the engine',
    request: params({ do: 'echo', outStatus: '2' }),
    output: {
      status: 2,
      pl: [{ meta: meta({ encoding: 'utf8', seq: '0', status: '2' }), data: Buffer.from('hello') }],
    },
  },
  {
    name: 'success without any output',
    request: params({ do: 'null' }),
    output: { serviceId: 'svc', code: 0, err: '', status: 3, pl: [] },
  },
  {
    name: 'without Session',
    request: { op: 'AIIn', param: { SeqNo: '1', waitTime: '20000' }, data: [{ data: encodeInput(onceInput()) }] },
    output: { code: 0, status: 3 },
  },
];

/** Nothing is on the envelope unless a case says so. */
export const onceCases: readonly OnceCase[] = cases.map((one) => ({ response: { code: 0, error_info: '' }, ...one }));

function meta(attribute: Record<string, string>): OutputShape['pl'][number]['meta'] {
  return { name: 'result', dataType: 0, attribute };
}
