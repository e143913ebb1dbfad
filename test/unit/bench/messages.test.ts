import { describe, expect, it } from 'vitest';
import {
  checkJsonAnswer,
  checkOnceAnswer,
  checkStreamAnswer,
  createRequest,
  frameMessage,
  jsonRequest,
  onceRequest,
  payloadOf,
  unframeMessage,
  writeRequest,
} from '../../../bench/messages.js';
import { LoaderInput, LoaderOutput, ReqData, ResData, type InputShape } from '../../fixtures/protocol.js';

const payload = payloadOf(32);

function answerOf(output: object, envelope: object = {}): Buffer {
  const data = LoaderOutput.encode(output).finish();
  return Buffer.from(ResData.encode({ s: { h: 'handle', sess: {} }, data: [{ data }], ...envelope }).finish());
}

const result = (data: Buffer, name = 'result'): object => ({ meta: { name }, data });

function inputOf(message: Buffer): InputShape {
  const request = ReqData.toObject(ReqData.decode(message)) as { data: { data: Uint8Array }[] };
  return LoaderInput.toObject(LoaderInput.decode(request.data[0]?.data ?? new Uint8Array(0)));
}

describe('checkOnceAnswer', () => {
  it.each([
    ['an error of the loader', answerOf({ code: 10110, err: 'no licence' }), /code 10110: no licence/],
    ['an error in the envelope', answerOf({}, { code: 10110, error_info: 'none left' }), /code 10110: none left/],
    ['no data', answerOf({}, { data: [] }), /holds no data/],
    ['no payload', answerOf({ pl: [] }), /expected one payload, found 0/],
    ['two payloads', answerOf({ pl: [result(payload), result(payload)] }), /expected one payload, found 2/],
    ['another name', answerOf({ pl: [result(payload, 'other')] }), /found "other"/],
    ['bytes that are missing', answerOf({ pl: [result(payload.subarray(1))] }), /31 bytes came back for 32/],
    ['bytes that differ', answerOf({ pl: [result(payloadOf(33).subarray(1))] }), /the answer is not what was sent/],
    ['bytes that are no message', Buffer.from([0x2a, 0x7f]), /./],
  ])('refuses %s', (_name, message, fault) => {
    expect(() => {
      checkOnceAnswer(message, payload);
    }).toThrow(fault);
  });

  it('takes what was sent', () => {
    checkOnceAnswer(answerOf({ pl: [result(payload)] }), payload);
  });
});

describe('checkStreamAnswer', () => {
  it('refuses a result that is not the packet', () => {
    expect(() => checkStreamAnswer(answerOf({ pl: [result(Buffer.from('x'))] }), payload)).toThrow(/1 bytes came back/);
  });

  it('tells the session, the results and the end', () => {
    expect(checkStreamAnswer(answerOf({}), payload)).toMatchObject({ results: 0, ended: false });
    expect(checkStreamAnswer(answerOf({ status: 2, pl: [result(payload)] }), payload)).toMatchObject({
      session: { h: 'handle' },
      results: 1,
      ended: true,
    });
  });
});

describe('checkJsonAnswer', () => {
  it.each([
    ['{"header":{"code":10102,"message":"too slow"},"payload":null}', /code 10102: too slow/],
    ['{}', /code undefined/],
    ['{"header":{"code":0},"payload":{"result":{"text":"short"}}}', /5 bytes came back for 32/],
    ['<html>', /./],
  ])('refuses %s', (body, fault) => {
    expect(() => {
      checkJsonAnswer(Buffer.from(body), payload);
    }).toThrow(fault);
  });

  it('takes text as it is and media as base64', () => {
    const large = payloadOf(2048);
    const answer = (name: string, data: string): Buffer =>
      Buffer.from(JSON.stringify({ header: { code: 0 }, payload: { result: { [name]: data } } }));
    checkJsonAnswer(answer('text', payload.toString()), payload);
    checkJsonAnswer(answer('audio', large.toString('base64')), large);
  });
});

describe('unframeMessage', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a compressed message', Buffer.from([1, 0, 0, 0, 0])],
    ['two messages', Buffer.concat([frameMessage(payload), frameMessage(payload)])],
    ['half a message', frameMessage(payload).subarray(0, 20)],
  ])('refuses %s', (_name, body) => {
    expect(() => unframeMessage(body)).toThrow(/expected one uncompressed gRPC message/);
  });

  it('is the inverse of frameMessage', () => {
    expect(unframeMessage(frameMessage(payload))).toEqual(payload);
  });
});

describe('requests', () => {
  it('have the size of those that the tier sends: 321 bytes for 32 of text', () => {
    expect(onceRequest(payload).length).toBe(321);
  });

  it('announce large payloads as media, with the same type wanted back', () => {
    expect(inputOf(onceRequest(payloadOf(1 << 20)))).toMatchObject({
      expect: [{ name: 'result', dataType: 1 }],
      pl: [{ meta: { name: 'input', dataType: 1 } }],
    });
    expect(JSON.parse(jsonRequest(payloadOf(2048)).toString())).toHaveProperty('payload.input.audio');
  });

  it('open a stream without a payload, and mark its last packet', () => {
    const session = { h: 'handle', sess: {} };
    expect(inputOf(createRequest(payload)).pl).toBeUndefined();
    expect(inputOf(writeRequest(session, payload, 1))).toMatchObject({
      sync_id: 1,
      pl: [{ meta: { attribute: { status: '1', seq: '0' } } }],
    });
    expect(inputOf(writeRequest(session, payload, 8))).toMatchObject({
      sync_id: 8,
      pl: [{ meta: { attribute: { status: '2', seq: '7' } } }],
    });
  });
});
