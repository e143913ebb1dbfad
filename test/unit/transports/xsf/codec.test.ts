import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AigesError } from '../../../../src/core/errors.js';
import { emptyMap } from '../../../../src/core/frame.js';
import { decodeEnvelope, decodeLoaderInput, encodeReply } from '../../../../src/transports/xsf/codec.js';
import { textFrame } from '../../../fixtures/fake-runtime.js';
import {
  decodeOutput,
  decodeResponse,
  encodeInput,
  encodeRequest,
  LoaderOutput,
  type MetaShape,
  ResData,
} from '../../../fixtures/protocol.js';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const strings = fc.dictionary(text, text, { maxKeys: 4 }).map((object) => {
  // protobufjs keeps maps in ordinary objects, where this one key cannot be stored.
  delete (object as Record<string, unknown>)['__proto__'];
  return object;
});
const bytes = fc.uint8Array({ maxLength: 300 });
const meta: fc.Arbitrary<Required<MetaShape>> = fc.record({
  name: text,
  dataType: fc.constantFrom(0, 1, 2, 3, 4, 9),
  attribute: strings,
});

function asObject(map: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(map);
}

describe('decodeEnvelope', () => {
  it.each([
    ['a length beyond the data', Buffer.from([0x0a, 0x05, 0x41])],
    ['an illegal wire type', Buffer.from([0x0f])],
    ['a field number of 0', Buffer.from([0x02, 0x00])],
    ['an endless varint', Buffer.alloc(20, 0xff)],
    ['a nested message that ends beyond its parent', Buffer.from([0x12, 0x02, 0x12, 0x05, 0x41, 0x42])],
    ['groups nested without end', Buffer.alloc(100_000, 0x0b)],
  ])('refuses %s', (_name, message) => {
    expect(() => decodeEnvelope(message)).toThrow(Error);
  });

  it('takes an empty message as all defaults', () => {
    expect(decodeEnvelope(new Uint8Array(0))).toEqual({
      op: '',
      handle: '',
      param: new Map(),
      body: new Uint8Array(0),
    });
  });

  it('reads only the first data element', () => {
    const message = encodeRequest({ data: [{ data: Buffer.from('one') }, { data: Buffer.from('two') }] });
    expect(Buffer.from(decodeEnvelope(message).body).toString()).toBe('one');
  });

  it('skips fields that it does not know', () => {
    const unknown = Buffer.from([0xa2, 0x06, 0x01, 0x41, 0xa8, 0x06, 0x07]);
    expect(decodeEnvelope(Buffer.concat([unknown, encodeRequest({ op: 'AIIn' }), unknown])).op).toBe('AIIn');
  });

  it('reads what the reference writes', () => {
    const request = fc.record({
      op: text,
      s: fc.record({ t: text, h: text, sess: strings }),
      param: strings,
      data: bytes,
    });
    fc.assert(
      fc.property(request, ({ op, s, param, data }) => {
        const envelope = decodeEnvelope(encodeRequest({ op, s, param, data: [{ data, desc: param }] }));
        expect(envelope).toMatchObject({ op, handle: s.h });
        expect(asObject(envelope.param)).toEqual(param);
        expect(Buffer.compare(envelope.body, data)).toBe(0);
      }),
    );
  });

  it('gives a view on the message, not a copy', () => {
    const message = encodeRequest({ data: [{ data: Buffer.alloc(100_000, 7) }] });
    expect(decodeEnvelope(message).body.buffer).toBe(message.buffer);
  });
});

describe('decodeLoaderInput', () => {
  it('reports a payload without meta instead of failing', () => {
    const input = decodeLoaderInput(encodeInput({ state: 1, pl: [{ data: Buffer.from('x') }] }));
    expect(input).toMatchObject({ missingMeta: true, frames: [] });
  });

  it.each([
    ['3', 3],
    ['-1', -1],
    ['', 0],
    ['x', 0],
    ['1e3', 0],
    ['99999999999999999999', 0],
  ])('reads the status attribute %j as %j', (status, value) => {
    const input = decodeLoaderInput(encodeInput({ pl: [{ meta: { name: 'a', attribute: { status } } }] }));
    expect(input.frames[0]?.status).toBe(value);
  });

  it('reads what the reference writes', () => {
    const input = fc.record({
      serviceId: text,
      state: fc.constantFrom(0, 1),
      headers: strings,
      params: strings,
      expect: fc.array(meta, { maxLength: 3 }),
      pl: fc.array(fc.record({ meta, data: bytes }), { maxLength: 3 }),
      sync_id: fc.integer(),
    });
    fc.assert(
      fc.property(input, (sent) => {
        const got = decodeLoaderInput(encodeInput(sent));
        expect(got).toMatchObject({ serviceId: sent.serviceId, once: sent.state === 1, missingMeta: false });
        expect(asObject(got.headers)).toEqual(sent.headers);
        expect(asObject(got.params)).toEqual(sent.params);
        expect(
          got.expect.map((one) => ({ name: one.name, dataType: one.type, attribute: asObject(one.attributes) })),
        ).toEqual(sent.expect);
        expect(
          got.frames.map((one) => ({
            meta: { name: one.key, dataType: one.type, attribute: asObject(one.desc) },
            data: Uint8Array.from(one.data),
          })),
        ).toEqual(sent.pl);
      }),
    );
  });

  it('keeps names such as __proto__ as plain names', () => {
    const key = Buffer.from('__proto__');
    const entry = Buffer.concat([
      Buffer.from([0x2a, key.length + 5, 0x0a, key.length]),
      key,
      Buffer.from([0x12, 0x01, 0x78]),
    ]);
    expect([...decodeLoaderInput(entry).params]).toEqual([['__proto__', 'x']]);
  });

  it('fails with an error, and nothing else, on any bytes', () => {
    const valid = encodeInput({
      serviceId: 's',
      params: { a: 'b' },
      expect: [{ name: 'r' }],
      pl: [{ meta: { name: 'a', attribute: { status: '3' } }, data: Buffer.from('data') }],
    });
    const damaged = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damaged, fc.nat(valid.length), (changes, length) => {
        const message = Buffer.from(valid);
        for (const [at, value] of changes) message[at] = value;
        try {
          decodeLoaderInput(message.subarray(0, length));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('encodeReply', () => {
  const envelope = {
    handle: '07f00000113e20000010000000',
    peerAddress: '127.0.0.1:5090',
    error: null,
    param: emptyMap,
  };

  it('sends one data element for an empty output, since clients index it without a look', () => {
    const output = { serviceId: '', error: null, status: 0, payloads: [] };
    const message = Buffer.concat(encodeReply(envelope, output));
    expect(message.subarray(-2)).toEqual(Buffer.from([0x2a, 0x00]));
  });

  it('sends parameters beside the output, and none when there are none', () => {
    const output = { serviceId: 'svc', error: null, status: 0, payloads: [] };
    const param = new Map([
      ['resId', '7'],
      ['', ''],
    ]);
    const response = decodeResponse(Buffer.concat(encodeReply({ ...envelope, param }, output)));
    expect(response).toMatchObject({ code: 0, param: { resId: '7', '': '' } });
    expect(response.data).toHaveLength(1);
    expect(decodeResponse(Buffer.concat(encodeReply(envelope, output))).param).toEqual({});
  });

  it('sends no data element for no output', () => {
    expect(decodeResponse(Buffer.concat(encodeReply(envelope, null))).data).toEqual([]);
  });

  it('puts an error into output and envelope as told', () => {
    const error = new AigesError('noLicense');
    const message = Buffer.concat(
      encodeReply({ ...envelope, error }, { serviceId: '', error, status: 2, payloads: [] }),
    );
    const response = decodeResponse(message);
    expect(response).toMatchObject({ code: 10110, error_info: 'service license not enough' });
    expect(decodeOutput(response.data[0]?.data ?? new Uint8Array())).toMatchObject({
      code: 10110,
      status: 2,
      serviceId: '',
    });
  });

  it.each([0, 1, 127, 128, 16_383, 16_384, 70_000, 3_000_000])('sends a payload of %d bytes', (size) => {
    const data = Buffer.alloc(size, 0x5a);
    const attributes = new Map([['seq', '0']]);
    const chunks = encodeReply(envelope, {
      serviceId: 'svc',
      error: null,
      status: 3,
      payloads: [{ frame: textFrame('result', '', { data }), attributes }],
    });
    const response = decodeResponse(Buffer.concat(chunks));
    const output = decodeOutput(response.data[0]?.data ?? new Uint8Array());
    expect(output).toMatchObject({ serviceId: 'svc', status: 3, code: 0 });
    expect(output.pl[0]?.meta).toEqual({ name: 'result', dataType: 0, attribute: { seq: '0' } });
    expect(Buffer.compare(output.pl[0]?.data ?? new Uint8Array(), data)).toBe(0);
  });

  it('sends a large payload from where it lies', () => {
    const data = Buffer.alloc(100_000, 1);
    const payloads = [{ frame: textFrame('result', '', { data }), attributes: emptyMap }];
    const chunks = encodeReply(envelope, { serviceId: '', error: null, status: 3, payloads });
    expect(chunks).toHaveLength(2);
    expect(chunks[1]).toBe(data);
  });

  it('writes what the reference writes', () => {
    const payload = fc.record({ meta, data: bytes });
    fc.assert(
      fc.property(text, fc.constantFrom(0, 1, 2, 3), fc.array(payload, { maxLength: 4 }), (serviceId, status, pl) => {
        const ours = encodeReply(envelope, {
          serviceId,
          error: null,
          status,
          payloads: pl.map(({ meta: { name, dataType, attribute }, data }) => ({
            frame: { key: name, type: dataType, status: 3, data, desc: emptyMap },
            attributes: new Map(Object.entries(attribute)),
          })),
        });
        const output = LoaderOutput.encode({ serviceId, status, pl }).finish();
        const reference = ResData.encode({
          s: { h: envelope.handle, sess: { PeerAddr: envelope.peerAddress } },
          data: [{ data: output }],
        }).finish();
        const got = decodeResponse(Buffer.concat(ours));
        const want = decodeResponse(reference);
        expect(decodeOutput(got.data[0]?.data ?? new Uint8Array())).toEqual(decodeOutput(output));
        expect({ ...got, data: [] }).toEqual({ ...want, data: [] });
      }),
    );
  });
});
