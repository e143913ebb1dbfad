import { onceInput } from '../../fixtures/xsf-client.js';
import {
  abort,
  answer,
  call,
  type Case,
  create,
  entered,
  fails,
  gives,
  noLicence,
  once,
  open,
  opened,
  poll,
  released,
  results,
  type OutputReply,
  type Reply,
  said,
  tooSlow,
  unknown,
  write,
} from '../case.js';
import { session } from './transport.js';

const param = { SeqNo: '1', baseId: '0', version: 'v2', waitTime: '20000' };
const waiting = (
  waitTime: string | null,
): { readonly request: { op: string; s: object; param: Record<string, string> } } => ({
  request: { op: 'AIIn', s: {}, param: { SeqNo: '1', ...(waitTime === null ? {} : { waitTime }) } },
});
const input = (
  name: string,
  data: string,
  attribute = { status: '3' },
): NonNullable<ReturnType<typeof onceInput>['pl']> => [{ meta: { name, attribute }, data: Buffer.from(data) }];
/** Milliseconds that get a call into the engine on any machine, and are up soon enough to be waited for. */
const reached = '5000';
const notAnOperation = fails(10003, 'invalid service operation');
const stranger = '07f00000113e2000001000006e';

/** One-shot calls that are answered with what the engine gives. */
export const onceCases: readonly Case[] = [
  {
    name: 'text, with the attributes that the request expects and without those of the engine',
    covers: ['wire 3.4', 'wire 3.5', 'vector 8'],
    steps: [once({ 'desc.lang': 'en', 'desc.encoding': 'gbk' }, said('hello'))],
  },
  {
    name: 'the status of the engine',
    covers: ['wire 3.6'],
    steps: [
      once({ outStatus: '2' }, said('hello', {}, 2)),
      once({ outStatus: '1' }, said('hello', {}, 1)),
      once({ do: 'null' }, gives({ serviceId: 'svc', status: 3, pl: [] })),
    ],
  },
  {
    name: 'empty output',
    covers: ['wire 3.7', 'error 5'],
    steps: [
      once(
        {},
        gives(
          { serviceId: 'svc', status: 3 },
          {
            wire: [
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
                          [
                            1,
                            [
                              [1, 'result'],
                              [3, { pairs: { encoding: 'utf8', seq: '0', status: '3' } }],
                            ],
                          ],
                        ],
                      ],
                    ],
                  ],
                ],
              ],
            ],
          },
        ),
        { input: { pl: [{ meta: { name: 'input', attribute: { status: '3' } } }] } },
      ),
      once({ do: 'describe' }, said('input 0 3 0 aligned=64 nul=yes desc=status=3\n'), {
        input: { pl: input('input', '') },
      }),
    ],
  },
  {
    name: 'several payloads, the last of which says what becomes of the answer',
    covers: ['wire 3.6'],
    steps: [
      ...[
        ['1', '2'],
        ['2', '1'],
      ].map(([first = '', last = '']) =>
        once({ outStatus: 'input' }, gives({ status: Number(last), serviceId: 'svc' }), {
          input: { pl: [...input('a', 'one', { status: first }), ...input('b', 'two', { status: last })] },
        }),
      ),
      once({}, gives({ status: 3, serviceId: 'svc' }), {
        input: { pl: [...input('a', 'one'), ...input('b', 'two'), ...input('c', 'three')] },
      }),
    ],
  },
  {
    name: 'any sync_id',
    covers: ['wire 6.4'],
    steps: [0, 1, 7, -1, 2 ** 31 - 1].map((number) => once({}, said('hello'), { input: { sync_id: number } })),
  },
  {
    name: 'the tag of the engine',
    covers: ['wire 7.1'],
    steps: [once({ do: 'tag' }, said('my-tag'), { request: { op: 'AIIn', s: { h: 'my-tag' }, param } })],
  },
  {
    name: 'the parameters of the engine',
    covers: ['wire 7.2'],
    steps: [
      once({ do: 'echoParams', lang: 'en' }, said('do=echoParams\nlang=en\nsid=s-1'), {
        input: { headers: { sid: 's-1', appid: 'a' } },
      }),
      once({ do: 'echoParams', sid: 'own' }, said('do=echoParams\nsid=own'), { input: { headers: { sid: 's-1' } } }),
    ],
  },
  {
    name: 'headers that are passed on',
    covers: ['wire 7.2', 'vector 17'],
    on: 'headers',
    steps: [
      once({ do: 'echoParams', uid: 'own' }, said('do=echoParams\nuid=own\nappid=a-1\nsid=s-1'), {
        input: { headers: { sid: 's-1', uid: 'u-1', appid: 'a-1', other: 'o' } },
      }),
      once({ do: 'echoParams' }, said('do=echoParams\nappid=\nsid=\nuid='), { input: { headers: {} } }),
    ],
  },
  {
    name: 'an empty list towards the engine',
    covers: ['wire 7.3'],
    steps: [
      once({ do: 'describe' }, said('input 0 0 5 aligned=64 nul=yes desc=(sentinel)\n'), {
        input: { pl: [{ meta: { name: 'input' }, data: Buffer.from('hello') }] },
      }),
    ],
  },
  {
    name: 'the timeout of an asynchronous call',
    covers: ['wire 7.4'],
    engine: 'asynchronous',
    deviation: 'the engine learns how long the client waits; the original said 0',
    steps: [once({ do: 'stats' }, ofStats(/ timeout=[1-9]\d* /))],
  },
  {
    name: 'memory that the engine gets back',
    covers: ['wire 7.7'],
    engine: 'blocking',
    deviation: 'the original had freed the tag by then',
    steps: [once({ do: 'alias' }, said('hello')), once({ do: 'stats' }, ofStats(/ badFree=0 /))],
  },
  {
    name: 'what no call and no stream makes the engine do',
    covers: ['wire 7.6'],
    deviation:
      'the engine is asked for its version and given the functions of wrapperSetCtrl, once each, when it is loaded; the original did neither',
    steps: [
      create('s'),
      write('s', 1, 'x', { status: 2 }),
      results('s', { text: 'x', status: 2 }),
      // Each as often as wrapperInit, the first of the counts.
      once(
        { do: 'stats' },
        ofStats(/^init=(\d+) .* loadRes=0 unloadRes=0 .* version=\1 setMeter=\1 setTrace=\1 debugInfo=0$/),
      ),
    ],
  },
  {
    name: 'personalised resources that nobody asked for',
    covers: ['wire 7.8'],
    steps: [once({ do: 'ids' }, said('(null)'))],
  },
];

/** One-shot calls and others that are not. */
export const refusalCases: readonly Case[] = [
  {
    name: 'an operation that does not exist',
    covers: ['error 0', 'error 1', 'vector 2'],
    steps: [
      ...['Foo', '', 'aiin', 'AIIN'].map((op) =>
        call({ request: { op, s: {}, param }, input: onceInput(), reply: notAnOperation }),
      ),
      call({ request: {}, input: null, message: Buffer.alloc(0), reply: notAnOperation }),
      // Byte by byte: the failure is in the output, and nothing of it on the envelope.
      call({
        request: { op: 'Foo' },
        input: null,
        reply: {
          ...notAnOperation,
          wire: [
            session,
            [
              5,
              [
                [
                  1,
                  [
                    [2, 10003],
                    [3, 'invalid service operation'],
                    [4, 2],
                  ],
                ],
              ],
            ],
          ],
        },
      }),
    ],
  },
  {
    name: 'a handle that never was',
    covers: ['error 2', 'vector 3'],
    steps: ['AIIn', 'AIOut', 'AIExcp'].flatMap((op) => [
      call({ request: { op, s: { h: stranger }, param: {} }, input: onceInput(), reply: unknown }),
      call({ request: { op, s: { h: stranger }, param: { SeqNo: '2' } }, input: onceInput(), reply: unknown }),
      call({ request: { op, s: { h: stranger }, param: { SeqNo: '01' } }, input: null, reply: unknown }),
      call({ request: { op, s: {}, param: { SeqNo: '' } }, input: null, reply: unknown }),
    ]),
  },
  {
    name: 'a handle that has ended',
    covers: ['error 3', 'vector 3'],
    steps: [
      once({}, said('hello'), { session: 'ended' }),
      poll('ended', released),
      abort('ended', released),
      poll('ended', released, { connection: 1 }),
      call({
        session: 'ended',
        request: { op: 'AIIn', param: { waitTime: '20000' } },
        input: onceInput(),
        reply: released,
      }),
    ],
  },
  {
    name: 'a handle that ended 1000 handles ago',
    covers: ['error 3', 'vector 3'],
    on: 'alone',
    steps: [
      once({}, said('hello'), { session: 'first' }),
      once({}, said('hello'), { times: 999 }),
      poll('first', released),
      once({}, said('hello')),
      poll('first', unknown),
    ],
  },
  {
    name: 'no payload',
    covers: ['error 4'],
    steps: [
      once({}, tooSlow, { ...waiting('40'), input: { pl: [] } }),
      call({
        request: { op: 'AIIn', s: {}, param: { SeqNo: '1', waitTime: '40' } },
        input: onceInput({ pl: [] }),
        reply: tooSlow,
      }),
    ],
  },
  {
    name: 'no payload, and more than five seconds to wait',
    covers: ['error 4'],
    steps: [once({}, fails(10009, 'input invalid data'), { input: { pl: [] } })],
  },
  {
    name: 'a payload without meta',
    covers: ['error 0'],
    deviation: 'the original ends with all its calls',
    steps: [
      once({}, fails(10009, 'input invalid data'), { input: { pl: [{ data: Buffer.from('x') }] } }),
      once({}, said('hello')),
    ],
  },
  {
    name: 'an engine that is slower than waitTime keeps its licence until it is done',
    covers: ['error 6', 'vector 6'],
    engine: 'blocking',
    on: 'oneLicence',
    steps: [
      once({ do: 'waitFile', file: '$file' }, tooSlow, { ...waiting(reached), as: 'slow' }),
      entered,
      once({}, noLicence),
      answer('slow'),
      once({}, noLicence),
      open,
      once({}, said('hello'), { until: true }),
    ],
  },
  {
    name: 'an asynchronous engine that is slower than waitTime gives its licence back',
    covers: ['error 6', 'vector 6'],
    engine: 'asynchronous',
    on: 'oneLicence',
    deviation: 'in the original a lost callback takes its licence along for good',
    steps: [
      once({ do: 'waitFile', file: '$file' }, tooSlow, { ...waiting(reached), as: 'slow' }),
      entered,
      once({}, noLicence),
      answer('slow'),
      once({}, said('hello'), { until: true }),
      open,
    ],
  },
  {
    name: 'no waitTime',
    covers: ['error 7'],
    steps: [once({ do: 'waitFile', file: '$file' }, tooSlow, waiting(null)), open],
  },
  {
    name: 'a waitTime that is no time to wait',
    covers: ['error 7'],
    steps: ['abc', '-1', '0', '', '1.5', '1e3', '9'.repeat(40)].map((waitTime) => once({}, tooSlow, waiting(waitTime))),
  },
  {
    name: 'an output key that is not expected',
    covers: ['error 8', 'vector 10'],
    steps: [
      once({ outKey: 'other' }, fails(10106, 'wrapper output data is nil ')),
      once({}, fails(10106, 'wrapper output data is nil '), { input: { expect: [] } }),
    ],
  },
  {
    name: 'an output type that is not expected',
    covers: ['error 10'],
    steps: [once({ outType: '2' }, fails(10106, 'wrapper output data invalid(key or type)'))],
  },
  {
    name: 'an engine that fails',
    covers: ['error 11', 'vector 9'],
    steps: [
      once({ do: 'refuse', code: '7' }, fails(10909, 'scripted error 7;code=7')),
      once({ do: 'refuse', code: '10013' }, fails(10909, 'scripted error 10013;code=10013')),
      once({ do: 'refuse', code: '-1' }, fails(10909, 'scripted error -1;code=-1')),
    ],
  },
  {
    name: 'a callback that brings a failure',
    covers: ['error 12'],
    engine: 'asynchronous',
    steps: [once({ do: 'fail', code: '9' }, fails(10910, 'scripted error 9;code=9'))],
  },
  {
    name: 'no licence',
    covers: ['error 16', 'vector 4'],
    on: 'oneLicence',
    steps: [
      create('first'),
      create('second', {}, { reply: noLicence }),
      once({}, noLicence),
      // Who was never let in leaves no handle behind.
      poll('second', unknown),
      abort('first'),
      create('third'),
      abort('third'),
      once({}, said('hello')),
    ],
  },
  {
    name: 'a handle that is in use',
    covers: ['error 17'],
    steps: [
      create('first', {}, { request: { op: 'AIIn', s: { h: 'in-use' }, param } }),
      create(
        'second',
        {},
        {
          request: { op: 'AIIn', s: { h: 'in-use' }, param },
          reply: fails(10110, 'handle:in-use is already stored'),
        },
      ),
      once({}, fails(10110, 'handle:in-use is already stored'), { request: { op: 'AIIn', s: { h: 'in-use' }, param } }),
      // The first one is not in the least affected.
      write('first', 1, 'x', { status: 2 }),
      results('first', { text: 'x', status: 2 }),
      once({}, said('hello'), { request: { op: 'AIIn', s: { h: 'in-use' }, param } }),
    ],
  },
  {
    name: 'a handle whose one-shot call is running',
    covers: ['error 17'],
    steps: [
      once({ do: 'waitFile', file: '$file' }, said('ok'), {
        request: { op: 'AIIn', s: { h: 'busy' }, param },
        as: 'running',
      }),
      entered,
      once({}, fails(10110, 'handle:busy is already stored'), { request: { op: 'AIIn', s: { h: 'busy' }, param } }),
      open,
      answer('running'),
    ],
  },
  {
    name: 'a handle that the engine still owes a callback for',
    covers: ['error 17'],
    engine: 'asynchronous',
    steps: [
      once({ callback: 'never' }, tooSlow, {
        request: { op: 'AIIn', s: { h: 'owed' }, param: { SeqNo: '1', waitTime: reached } },
      }),
      once({}, fails(10105, 'wrapper handle repeat acquire async chan'), {
        request: { op: 'AIIn', s: { h: 'owed' }, param },
      }),
    ],
  },
  {
    name: 'delivery through a message broker that is not configured',
    covers: ['error 0'],
    steps: [once({}, fails(10106, 'invalid downMethod'), { input: { headers: { downMethod: 'async' } } })],
  },
  {
    name: 'operations that do nothing',
    covers: ['error 22'],
    steps: ['AIDetect', 'AILoad', 'AIUnLoad', 'AIHotword'].map((op) =>
      call({ request: { op, s: {}, param }, input: onceInput(), reply: opened }),
    ),
  },
  {
    name: 'AILBType where clients may not change the number of licences',
    covers: ['error 23'],
    deviation: 'the original lets anyone do it; here the configuration has to allow it',
    steps: [
      call({
        request: { op: 'AILBType', s: {}, param: { authzNo: '1000000' } },
        input: onceInput(),
        reply: notAnOperation,
      }),
    ],
  },
  {
    name: 'AILBType',
    covers: ['error 23'],
    on: 'resizable',
    deviation: 'the original answers that it is done whether it is or not',
    steps: [
      create('first'),
      create('second', {}, { reply: noLicence }),
      resize('2', '0', opened),
      create('third'),
      resize('1', '50', fails(10104, 'licences are still in use')),
      resize('0', '50', fails(10107, 'expected a positive number of licences')),
      resize('many', '50', fails(10107, 'expected a positive number of licences')),
      abort('third'),
      resize('1', '20000', opened),
      create('fourth', {}, { reply: noLicence }),
      abort('first'),
    ],
  },
];

function resize(authzNo: string, timeout: string, reply: Reply): ReturnType<typeof call> {
  return call({
    request: { op: 'AILBType', s: {}, param: { authzNo, timeout, lbType: '1' } },
    input: onceInput(),
    reply,
  });
}

/** The counts of the engine, as a one-shot call gives them. */
function ofStats(counts: RegExp): OutputReply {
  return gives(
    {},
    {
      wire: [
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
                    [1, /result/],
                    [2, counts],
                  ],
                ],
              ],
            ],
          ],
        ],
      ],
    },
  );
}
