import { status } from '@grpc/grpc-js';
import { encodeInput } from '../../fixtures/protocol.js';
import { encodeEntry, encodeField, encodeVarint } from '../../fixtures/wire.js';
import { onceInput } from '../../fixtures/xsf-client.js';
import {
  any,
  call,
  type Case,
  create,
  empty,
  fails,
  gives,
  noData,
  once,
  ourAddress,
  ourHandle,
  poll,
  released,
  results,
  rpcError,
  said,
  type Wire,
  write,
} from '../case.js';

/** What every envelope holds: the handle and the address of the server. */
export const session: Wire[number] = [
  3,
  [
    [2, ourHandle],
    [
      3,
      [
        [1, 'PeerAddr'],
        [2, ourAddress],
      ],
    ],
  ],
];

const callPath = '/utils.XsfCall/call';
const onceParam = { SeqNo: '1', baseId: '0', version: 'v2', waitTime: '20000' };
const ok = { 'grpc-status': '0', 'grpc-message': '' };

/** An echoed text of one-shot mode. */
const echoed = (text: string): Wire => [
  session,
  [
    5,
    [
      [
        1,
        [
          [1, 'svc'],
          [4, 3],
          [
            5,
            [
              // TEXT is the default, so the type is not on the wire.
              [
                1,
                [
                  [1, 'result'],
                  [3, { pairs: { encoding: 'utf8', seq: '0', status: '3' } }],
                ],
              ],
              [2, text],
            ],
          ],
        ],
      ],
    ],
  ],
];

const sample = 'thirty-two bytes of plain text..';
const sampleInput = onceInput({
  headers: { sid: 'ase00010001@hu000000000000001500', status: '3', appid: 'demo', uid: 'u1' },
  pl: [
    {
      meta: { name: 'input', dataType: 0, attribute: { encoding: 'utf8', status: '3', seq: '0' } },
      data: Buffer.from(sample),
    },
  ],
});

/** The envelope of the official client's one-shot request, byte by byte, and more fields at the end. */
const envelope = (data: Buffer, ...more: readonly Buffer[]): Buffer =>
  Buffer.concat([
    encodeField(1, 'AIIn'),
    Buffer.from('1200', 'hex'),
    ...Object.entries(onceParam).map(([key, value]) => encodeEntry(3, key, value)),
    encodeField(4, data),
    ...more,
  ]);

/** Fields of numbers that no message of the protocol has, one of each wire type. */
const unknownFields = Buffer.concat([
  encodeVarint(99, 300),
  encodeField(100, 'later'),
  Buffer.from([0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]),
  Buffer.from([0xb5, 0x06, 1, 2, 3, 4]),
]);

export const transportCases: readonly Case[] = [
  {
    name: 'another spelling of the method',
    covers: ['wire 1.1'],
    steps: ['/utils.XsfCall/Call', '/utils.xsfcall/call', '/XsfCall/call'].map((path) =>
      once({}, rpcError(status.UNIMPLEMENTED, any()), { path }),
    ),
  },
  {
    name: 'commands of ToolBox',
    covers: ['wire 1.2', 'vector 15'],
    steps: [
      { step: 'command', query: '{"cmd":"health"}', headers: '{"method":"GET"}', reply: { body: /^health staus:\n/ } },
      { step: 'command', query: '{"cmd":"health"}', headers: '{"method":"get"}', reply: { body: /^health staus:\n/ } },
      // Who looks at the health of a server takes these letters for bad news.
      { step: 'command', query: '{"cmd":"health"}', headers: '{"method":"GET"}', reply: { body: /^((?!err)[^])*$/i } },
      {
        step: 'command',
        query: '{"cmd":"status"}',
        headers: '{"method":"GET"}',
        reply: { body: /pid\D*\d+[^]*uptime\D*\d+s/ },
      },
      {
        step: 'command',
        query: '{"cmd":"nonsense"}',
        headers: '{"method":"GET"}',
        reply: { body: /^don't support the cmd$/ },
      },
      {
        step: 'command',
        query: '{"cmd":"health"}',
        headers: '{"method":"POST"}',
        reply: { status: status.UNKNOWN, text: "don't support the method" },
      },
      { step: 'command', query: '{', headers: '{"method":"GET"}', reply: { status: status.UNKNOWN } },
    ],
  },
  {
    name: 'reflection',
    covers: ['wire 1.3'],
    steps: [{ step: 'reflection', services: ['utils.XsfCall', 'utils.ToolBox'] }],
  },
  {
    name: 'health of gRPC',
    covers: ['wire 1.4'],
    deviation: 'we serve grpc.health.v1 as well: nobody who knows the original asks for it, and other tools do',
    steps: [
      {
        step: 'http2',
        path: '/grpc.health.v1.Health/Check',
        message: encodeField(1, 'utils.XsfCall'),
        headersBack: { ':status': 200 },
        trailersBack: ok,
        wire: [[1, 1]],
      },
    ],
  },
  {
    name: 'one-shot request of the official client, and what the wire looks like',
    covers: ['wire 1.5', 'wire 1.8', 'wire 1.9', 'wire 2.2', 'wire 3.1', 'wire 3.2', 'wire 3.3', 'wire 3.8'],
    steps: [
      {
        step: 'http2',
        path: callPath,
        headers: { 'user-agent': 'grpc-go/1.43.0', 'grpc-timeout': '20049954u' },
        message: envelope(encodeField(1, encodeInput(sampleInput))),
        headersBack: { ':status': 200, 'content-type': 'application/grpc' },
        trailersBack: ok,
        wire: echoed(sample),
      },
    ],
  },
  {
    name: 'ping of HTTP/2',
    covers: ['wire 1.8'],
    steps: [{ step: 'ping', payload: '02041010090e0707' }],
  },
  {
    name: 'a request in gzip',
    covers: ['wire 1.6'],
    deviation: 'the original has no gzip and refuses it; refusing what we understand would help nobody',
    steps: [
      {
        step: 'http2',
        path: callPath,
        gzip: true,
        message: envelope(encodeField(1, encodeInput(sampleInput))),
        headersBack: { ':status': 200, 'content-type': 'application/grpc' },
        trailersBack: ok,
        wire: echoed(sample),
      },
    ],
  },
  {
    name: 'fields that the protocol does not have, at every level',
    covers: ['wire 2.1'],
    steps: [
      call({
        request: {},
        input: null,
        message: envelope(
          Buffer.concat([
            encodeVarint(2, 1),
            encodeField(1, Buffer.concat([encodeInput(sampleInput), unknownFields])),
            encodeEntry(3, 'desc', 'ignored'),
            unknownFields,
          ]),
          encodeField(2, unknownFields),
          unknownFields,
        ),
        reply: gives({ code: 0, status: 3 }, { wire: echoed(sample) }),
      }),
    ],
  },
  {
    name: 'a second data element',
    covers: ['wire 2.1'],
    steps: [
      call({
        request: {},
        input: null,
        message: envelope(encodeField(1, encodeInput(sampleInput)), encodeField(4, encodeField(1, 'nonsense'))),
        reply: gives({ code: 0, status: 3 }, { wire: echoed(sample) }),
      }),
    ],
  },
  {
    name: 'one session over three connections in turn',
    covers: ['wire 1.7'],
    steps: [
      create('s', {}, { connection: 0 }),
      write('s', 1, 'one', { connection: 1 }),
      write('s', 2, 'two', { connection: 2 }),
      write('s', 3, 'three', { connection: 0, status: 2 }),
      results('s', { text: 'one' }, { text: 'two' }, { text: 'three', status: 2 }),
      poll('s', released, { connection: 1 }),
    ],
  },
  {
    name: 'handle and address',
    covers: ['wire 4.1', 'wire 4.4'],
    steps: [
      create('s', {}, { reply: gives({}, { wire: [session, [5, [[1, [[1, 'svc']]]]]] }) }),
      // The whole session comes back with every call that follows.
      poll('s', empty, { waitTime: '10' }),
    ],
  },
  {
    name: 'address in handles when the server listens on all of them',
    covers: ['wire 4.2'],
    on: 'anyAddress',
    deviation: 'the original says 0.0.0.0 then, which reaches it from the same machine only',
    steps: [create('s', {}, { reply: gives({}, { wire: [session, [5, [[1, [[1, 'svc']]]]]] }) })],
  },
  {
    name: 'address in handles when the configuration says it',
    covers: ['wire 4.2', 'wire 4.4'],
    on: 'advertised',
    steps: [
      create('s', {}, { reply: { ...empty, output: {}, handle: /^00a141e2813e2/, address: '10.20.30.40:5090' } }),
    ],
  },
  {
    name: 'a handle that the client brings',
    covers: ['wire 4.3'],
    steps: [
      once({}, { ...said('hello'), handle: /^abc$/ }, { request: { op: 'AIIn', s: { h: 'abc' }, param: onceParam } }),
      create('s', {}, { request: { s: { h: 'mine' } }, reply: { ...gives({ serviceId: 'svc' }), handle: /^mine$/ } }),
      write('s', 1, 'x', { status: 2 }),
      results('s', { text: 'x', status: 2 }),
    ],
  },
  {
    name: 'ping',
    covers: ['vector 1', 'error 22'],
    steps: [
      call({ request: { op: 'ping' }, input: null, reply: noData }),
      call({ request: { op: 'ping' }, input: Buffer.from('nonsense'), reply: noData }),
    ],
  },
  {
    name: 'a request beyond the limit',
    covers: ['error 20'],
    steps: [
      once({}, rpcError(status.RESOURCE_EXHAUSTED, any()), { input: { serviceName: 'x'.repeat(5 << 20) } }),
      once({}, said('hello')),
    ],
  },
  {
    name: 'an answer beyond the limit',
    covers: ['error 21'],
    steps: [
      once(
        { do: 'fill', bytes: String(5 << 20) },
        rpcError(status.RESOURCE_EXHAUSTED, any('grpc: trying to send message larger than max (')),
      ),
      once({}, said('hello')),
    ],
  },
  {
    name: 'calls beyond the rate',
    covers: ['protocol 1.7'],
    on: 'rateLimited',
    steps: [
      call({ request: { op: 'ping' }, input: null, reply: noData }),
      once({}, rpcError(status.UNKNOWN, { exact: 'request traffic exceeds limit,and rateFallback not defined' })),
    ],
  },
  {
    name: 'malformed ReqData',
    covers: ['error 19'],
    steps: ['0a7f41', '00', '0f', '1205', '22ffffffffffffffffff01'].map((hex) =>
      call({
        request: {},
        input: null,
        message: Buffer.from(hex, 'hex'),
        reply: rpcError(status.INTERNAL, any('grpc: error unmarshalling request: ')),
      }),
    ),
  },
  {
    name: 'malformed LoaderInput',
    covers: ['error 18'],
    steps: ['AIIn', 'AIOut', 'AILoad', 'Foo', ''].map((op) =>
      call({
        request: { op, s: {}, param: onceParam },
        input: Buffer.from([0x0f, 0xff]),
        reply: fails(10401, any()),
      }),
    ),
  },
  {
    name: 'a request without a session',
    covers: ['error 24'],
    steps: [call({ request: { op: 'AIIn', param: onceParam }, input: onceInput(), reply: said('hello') })],
  },
];
