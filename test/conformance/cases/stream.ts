import { encodeField } from '../../fixtures/wire.js';
import { onceInput } from '../../fixtures/xsf-client.js';
import {
  abort,
  answer,
  call,
  calls,
  type Case,
  create,
  empty,
  entered,
  fails,
  gives,
  open,
  opened,
  poll,
  released,
  results,
  unknown,
  write,
} from '../case.js';
import { session } from './transport.js';

const wrongOutput = fails(10106, 'wrapper output data invalid(key or type)');
/** An empty LoaderOutput is no bytes at all: the data element is there, and empty. */
const emptyBytes = gives({ serviceId: '', status: 0, pl: [] }, { wire: [session, [5, '']] });
/** Waits so long that there is no doubt that nothing comes. */
const briefly = { waitTime: '60' };

export const streamCases: readonly Case[] = [
  {
    name: 'a stream of the official client from create to the last result',
    covers: ['wire 5.1', 'wire 5.2', 'wire 5.3', 'wire 5.6', 'wire 5.7', 'wire 5.9', 'vector 7'],
    steps: [
      create('s', { 'desc.lang': 'en' }, { reply: { ...opened, wire: [session, [5, [[1, [[1, 'svc']]]]]] } }),
      write('s', 1, 'one'),
      write('s', 2, 'two'),
      write('s', 3, 'three', { status: 2 }),
      results(
        's',
        { text: 'one', status: 1, attributes: { lang: 'en', encoding: 'utf8', seq: '1', status: '1' } },
        { text: 'two', status: 1, attributes: { lang: 'en', encoding: 'utf8', seq: '2', status: '1' } },
        { text: 'three', status: 2, attributes: { lang: 'en', encoding: 'utf8', seq: '3', status: '2' } },
      ),
      poll('s', released),
      abort('s', released),
    ],
  },
  {
    name: 'attributes that the request expects win over those of the engine, which are kept',
    covers: ['wire 3.5', 'wire 5.7'],
    steps: [
      create('s', { 'desc.lang': 'en', 'desc.encoding': 'gbk' }),
      write('s', 1, 'x', { status: 2 }),
      results('s', { text: 'x', attributes: { lang: 'en', encoding: 'utf8', seq: '1', status: '2' } }),
    ],
  },
  {
    name: 'the bytes of a result',
    covers: ['wire 5.7', 'wire 2.2'],
    steps: [
      create('s', { write: 'waitFile', file: '$file' }),
      write('s', 1, 'x', { status: 2, reply: emptyBytes }),
      poll(
        's',
        gives(
          { status: 2 },
          {
            wire: [
              session,
              [
                5,
                [
                  [
                    1,
                    [
                      [4, 2],
                      [
                        5,
                        [
                          [
                            1,
                            [
                              [1, 'result'],
                              [3, { pairs: { encoding: 'utf8', seq: '1', status: '2' } }],
                            ],
                          ],
                          [2, 'x'],
                        ],
                      ],
                    ],
                  ],
                ],
              ],
            ],
          },
        ),
        { as: 'result' },
      ),
      open,
      answer('result'),
    ],
  },
  {
    name: 'answers that say nothing',
    covers: ['wire 5.2', 'wire 5.4', 'wire 5.5', 'wire 5.6'],
    steps: [
      create('s', { read: 'null' }),
      write('s', 1, 'x', { reply: emptyBytes }),
      poll('s', emptyBytes, briefly),
      poll('s', emptyBytes, { waitTime: '0' }),
      // The client's own bytes: one data element without a field in it.
      call({
        request: {},
        input: null,
        message: Buffer.concat([encodeField(1, 'AIOut'), Buffer.from('12002200', 'hex')]),
        reply: unknown,
      }),
      abort('s', emptyBytes),
      abort('s', released),
    ],
  },
  {
    name: 'a write does not wait for the engine',
    covers: ['wire 5.2'],
    steps: [
      create('s', { write: 'waitFile', file: '$file' }),
      write('s', 1, 'one', { reply: emptyBytes }),
      entered,
      write('s', 2, 'two', { status: 2, reply: emptyBytes }),
      poll('s', emptyBytes, briefly),
      open,
      results('s', { text: 'one', status: 1 }, { text: 'two', status: 2 }),
    ],
  },
  {
    name: 'a poll waits for the result',
    covers: ['wire 5.5'],
    steps: [
      create('s', { write: 'waitFile', file: '$file' }),
      write('s', 1, 'x', { status: 2 }),
      poll('s', gives({ status: 2 }), { as: 'waiting' }),
      entered,
      open,
      answer('waiting'),
    ],
  },
  {
    name: 'one result list per answer',
    covers: ['wire 5.8'],
    steps: [
      create('s', { results: '3' }),
      write('s', 1, 'x', { status: 2 }),
      results(
        's',
        { text: 'x', status: 1, attributes: { encoding: 'utf8', seq: '1', status: '1' } },
        { text: 'x', status: 1, attributes: { encoding: 'utf8', seq: '2', status: '1' } },
        { text: 'x', status: 2, attributes: { encoding: 'utf8', seq: '3', status: '2' } },
      ),
    ],
  },
  {
    name: 'the licence is free when the last result is seen',
    covers: ['wire 5.9'],
    on: 'oneLicence',
    steps: ['a', 'b', 'c'].flatMap((name) => [
      create(name),
      write(name, 1, 'x', { status: 2 }),
      results(name, { text: 'x', status: 2 }),
      // At once: no time for anything to be given back late.
      create(`after ${name}`),
      abort(`after ${name}`),
      write(name, 2, 'late', { reply: released }),
    ]),
  },
  {
    name: 'results before the last input, without another write',
    covers: ['wire 5.5'],
    deviation: 'in the original the results of an asynchronous engine waited for the next write',
    steps: [create('s'), write('s', 1, 'early'), results('s', { text: 'early', status: 1 }), abort('s')],
  },
  {
    name: 'lines of a text: seq of the input starts at 1',
    covers: ['wire 5.10'],
    steps: [
      create('s'),
      ...[1, 2].map((number) =>
        write('s', number, '', {
          input: {
            pl: [
              {
                meta: { name: 'input', attribute: { seq: String(number), status: String(number) } },
                data: Buffer.from(`line ${number}`),
              },
            ],
          },
        }),
      ),
      results('s', { text: 'line 1', status: 1 }, { text: 'line 2', status: 2 }),
    ],
  },
  {
    name: 'files: SeqNo counts on, and every packet has headers',
    covers: ['wire 5.11'],
    steps: [
      create('s'),
      write('s', 1, 'one', {
        request: { op: 'AIIn', param: { SeqNo: '2', version: 'v2', waitTime: '20000' } },
        input: onceInput({
          headers: { sid: 'sid' },
          sync_id: 1,
          pl: [{ meta: { name: 'input', attribute: { seq: '1', status: '1' } }, data: Buffer.from('one') }],
        }),
        reply: gives({ serviceId: 'svc' }),
      }),
      write('s', 2, 'two', { status: 2, request: { op: 'AIIn', param: { SeqNo: '3', waitTime: '20000' } } }),
      results('s', { text: 'one', status: 1 }, { text: 'two', status: 2 }),
    ],
  },
  {
    name: 'packets in another order, and one that comes twice before its turn',
    covers: ['wire 6.1', 'vector 5'],
    steps: [
      create('s'),
      write('s', 3, 'three', { connection: 1, status: 2 }),
      write('s', 2, 'two, too early'),
      write('s', 2, 'two', { connection: 2 }),
      write('s', 1, 'one', { connection: 1 }),
      results('s', { text: 'one' }, { text: 'two' }, { text: 'three', status: 2 }),
    ],
  },
  {
    name: 'a packet whose number is gone',
    covers: ['wire 6.3', 'vector 5'],
    steps: [
      create('s'),
      write('s', 1, 'one'),
      results('s', { text: 'one' }),
      write('s', 1, 'one again'),
      write('s', 0, 'the number of create'),
      write('s', -5, 'a number below zero'),
      write('s', 2, 'two', { status: 2 }),
      results('s', { text: 'two', status: 2 }),
    ],
  },
  {
    name: 'a packet that never comes',
    covers: ['wire 6.2', 'vector 5'],
    on: 'impatient',
    steps: [
      create('s'),
      write('s', 1, 'one'),
      write('s', 3, 'three'),
      results('s', { text: 'one' }, { text: 'three' }),
      write('s', 2, 'two, too late'),
      write('s', 2 ** 31 - 1, 'far ahead', { status: 2 }),
      results('s', { text: 'far ahead', status: 2 }),
    ],
  },
  {
    name: 'numbers from the packet that opens the stream, which may have a payload',
    covers: ['wire 6.1'],
    steps: [
      create(
        's',
        {},
        {
          input: {
            sync_id: 7,
            pl: [{ meta: { name: 'input', attribute: { status: '1' } }, data: Buffer.from('seven') }],
          },
        },
      ),
      write('s', 8, 'eight', { status: 2 }),
      results('s', { text: 'seven' }, { text: 'eight', status: 2 }),
    ],
  },
  {
    name: 'several inputs: the end is when each one has ended',
    covers: ['protocol 2.8'],
    on: 'afterInput',
    steps: [
      create('s', { end: 'never' }),
      write('s', 1, 'sound', { name: 'audio' }),
      write('s', 2, 'words', { name: 'text', status: 2 }),
      poll('s', empty, briefly),
      write('s', 3, 'silence', { name: 'audio', status: 2 }),
      results('s', { text: 'sound', status: 1 }, { text: 'words', status: 1 }, { text: 'silence', status: 1 }),
      abort('s'),
    ],
  },
  {
    name: 'realTimeRlt=false: results when the input has ended',
    covers: ['protocol 2.8 realTimeRlt'],
    on: 'afterInput',
    steps: [
      create('s'),
      write('s', 1, 'one', { reply: emptyBytes }),
      poll('s', empty, briefly),
      write('s', 2, 'two', { reply: emptyBytes }),
      poll('s', empty, briefly),
      write('s', 3, 'three', { status: 2 }),
      results('s', { text: 'one' }, { text: 'two' }, { text: 'three', status: 2 }),
    ],
  },
  {
    name: 'the tag of the engine, and its parameters',
    covers: ['wire 7.1', 'wire 7.2'],
    steps: [
      create('s', { write: 'describe' }),
      write('s', 1, 'x', { status: 2 }),
      results('s', { text: 'input 0 2 1 aligned=64 nul=yes desc=encoding=utf8,seq=0,status=2\n', status: 2 }),
    ],
  },
  {
    name: 'calls of a blocking engine: a read after every write, and over and over after the last one',
    covers: ['wire 7.5'],
    engine: 'blocking',
    steps: [
      create('s', { calls: '$calls', lag: '2' }),
      write('s', 1, 'one'),
      calls('create', 'write', 'read'),
      write('s', 2, 'two', { status: 2 }),
      results('s', { text: 'one' }, { text: 'two', status: 2 }),
      calls('create', 'write', 'read', 'write', 'read', 'destroy'),
    ],
  },
  {
    name: 'a blocking engine that needs more than 5 s after its input has ended',
    covers: ['wire 7.5'],
    engine: 'blocking',
    deviation: 'the original reads it a hundred times, every 50 ms, and leaves it alone then: nobody got the result',
    steps: [
      create('s', { lag: '101' }),
      write('s', 1, 'at last', { status: 2 }),
      results('s', { text: 'at last', status: 2 }),
    ],
  },
  {
    name: 'calls of an asynchronous engine',
    covers: ['wire 7.5'],
    engine: 'asynchronous',
    steps: [
      create('s', { calls: '$calls', callback: 'sync' }),
      write('s', 1, 'one'),
      results('s', { text: 'one' }),
      write('s', 2, 'two', { status: 2 }),
      results('s', { text: 'two', status: 2 }),
      calls('create', 'write', 'callback=0', 'write', 'callback=0', 'destroy'),
    ],
  },
  {
    name: 'a final payload in front of one that is not: the session has ended',
    covers: ['wire 3.6', 'wire 5.9'],
    deviation: 'the original goes by the last payload, and would wait for an end that the engine has given already',
    steps: [
      create('s', { write: 'waitFile', file: '$file', after: '1' }),
      write('s', 1, 'x', { status: 2, reply: emptyBytes }),
      entered,
      open,
      poll('s', gives({ status: 2 })),
      poll('s', released),
    ],
  },
  {
    name: 'an expired session',
    covers: ['vector 3'],
    on: 'shortLived',
    steps: [
      create('s', { calls: '$calls' }),
      calls('create', 'destroy'),
      poll('s', unknown),
      write('s', 1, 'x', { reply: unknown }),
      abort('s', unknown),
    ],
  },
];

/** Streams that fail. What went wrong shows on the call after, and the session is over then. */
export const failureCases: readonly Case[] = [
  {
    name: 'a create that fails',
    covers: ['error 13', 'wire 7.6'],
    steps: [
      create('s', { create: 'fail', code: '5', calls: '$calls' }),
      poll('s', fails(10905, 'scripted error 5;code=5')),
      poll('s', released),
      calls('create'),
    ],
  },
  {
    name: 'a create that gives nothing and does not say why',
    covers: ['error 13'],
    steps: [
      create('s', { create: 'null' }),
      poll('s', { ...fails(10905, 'x'), text: { any: true } }),
      poll('s', released),
    ],
  },
  {
    name: 'a write that fails',
    covers: ['error 14'],
    steps: [
      create('s', { write: 'fail', code: '6', calls: '$calls' }),
      write('s', 1, 'x', { reply: emptyBytes }),
      poll('s', fails(10907, 'scripted error 6;code=6')),
      poll('s', released),
      calls('create', 'write', 'destroy'),
    ],
  },
  {
    name: 'a read that fails',
    covers: ['error 15'],
    engine: 'blocking',
    steps: [
      create('s', { read: 'fail', code: '7', calls: '$calls' }),
      write('s', 1, 'x', { reply: emptyBytes }),
      poll('s', fails(10908, 'scripted error 7;code=7')),
      poll('s', released),
      calls('create', 'write', 'read', 'destroy'),
    ],
  },
  {
    name: 'a stream whose callback brings a failure',
    covers: ['error 12'],
    engine: 'asynchronous',
    steps: [
      create('s', { callbackFail: '9' }),
      write('s', 1, 'x'),
      poll('s', fails(10910, 'scripted error 9;code=9')),
      poll('s', released),
    ],
  },
  {
    name: 'a stream whose output key is not expected',
    covers: ['error 9', 'vector 10'],
    steps: [create('s', { outKey: 'other' }), write('s', 1, 'x'), poll('s', wrongOutput), poll('s', released)],
  },
  {
    name: 'a stream whose end is a status without key and data',
    covers: ['error 9'],
    steps: [
      create('s', { end: 'bare' }),
      write('s', 1, 'x', { status: 2 }),
      poll('s', wrongOutput),
      poll('s', released),
    ],
  },
  {
    name: 'a stream whose output type is not expected',
    covers: ['error 10'],
    steps: [create('s', { outType: '2' }), write('s', 1, 'x'), poll('s', wrongOutput), poll('s', released)],
  },
  {
    name: 'a packet whose payload has no meta',
    covers: ['error 0'],
    deviation: 'the original ends with all its calls',
    steps: [
      create('s'),
      write('s', 1, '', { input: { pl: [{ data: Buffer.from('x') }] }, reply: fails(10009, 'input invalid data') }),
      poll('s', released),
    ],
  },
];
