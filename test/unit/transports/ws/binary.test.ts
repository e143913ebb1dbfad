import { describe, expect, it } from 'vitest';
import { DataStatus, DataType } from '../../../../src/core/frame.js';
import { BinaryFrame } from '../../../../src/transports/ws/binary.js';
import { eventually } from '../../../fixtures/eventually.js';
import { FakeRuntime, FakeStream, textFrame } from '../../../fixtures/fake-runtime.js';
import { packed, unpacked, type WsClient } from '../../../fixtures/ws-client.js';
import { openWs, type WsSetup, type WsSetupChanges } from '../../../fixtures/ws-server.js';

async function connect(changes?: WsSetupChanges): Promise<{ setup: WsSetup; client: WsClient }> {
  const setup = await openWs(changes);
  return { setup, client: await setup.connect(['aiges.binary']) };
}

describe('a binary frame', () => {
  it.each([
    ['without a length', Buffer.from([0, 0, 1]), 10163, /a frame of 3 bytes has no length/],
    [
      'that is shorter than its document',
      Buffer.from([0, 0, 0, 9, 0x7b]),
      10163,
      /of 5 bytes has a document of 9 bytes/,
    ],
    ['with a document that is no JSON', Buffer.from([0, 0, 0, 1, 0x7b]), 10163, /JSON/],
    ['with a document in another encoding', Buffer.from([0, 0, 0, 3, 0x22, 0xff, 0x22]), 10163, /not UTF-8/],
    [
      'that asks for more bytes than it has',
      packed({ payload: { a: { audio: 3 } } }, Buffer.alloc(2)),
      10001,
      /payload\.a\.audio must be the number of bytes behind the document, of which 2 are left, but is 3/,
    ],
    ['that asks for a part of a byte', packed({ payload: { a: { audio: 0.5 } } }, Buffer.alloc(2)), 10001, /is 0\.5/],
    ['that asks for less than none', packed({ payload: { a: { audio: -1 } } }, Buffer.alloc(2)), 10001, /is -1/],
    ['with bytes that nobody asks for', packed({ payload: {} }, Buffer.alloc(2)), 10001, /no payload takes the last 2/],
  ])('%s is refused', async (_what, message, code, text) => {
    const { client, setup } = await connect();
    client.socket.send(message);
    const error = await client.next();
    expect(error.header.code).toBe(code);
    expect(error.header.message).toMatch(text);
    expect((await client.ended).code).toBe(1000);
    expect(setup.runtime.calls).toBe(0);
  });

  it('hands the bytes to the plugin where they lie', () => {
    const message = packed({}, Buffer.from('abcdef'));
    const frame = new BinaryFrame(message);
    const taken = [frame.take(2, 'a'), frame.take(0, 'b'), frame.take(4, 'c')];
    frame.end();
    expect(taken.map(String)).toEqual(['ab', '', 'cdef']);
    expect(taken.every(({ buffer }) => buffer === message.buffer)).toBe(true);
  });

  it('brings payloads with and without base64, in the order of the document', async () => {
    const { client, setup } = await connect();
    const payload = {
      pcm: { audio: 3, status: 1, sample_rate: 16000 },
      note: { text: 'eA==', status: 1 },
      picture: { image: 2, status: 1 },
    };
    client.socket.send(packed({ payload }, Buffer.from('abc'), Buffer.from('de')));
    const stream = await setup.stream();
    await eventually(() => stream.written).toEqual([{ text: 'abc+x+de', last: false }]);
  });

  it('answers with binary frames where there is data, and with text where there is none', async () => {
    const { client, setup } = await connect();
    client.send({ payload: {} });
    const stream = await setup.stream();
    const large = Buffer.alloc(300_000, 7);
    stream.giveFrames([
      textFrame('pcm', '', { data: large, type: DataType.audio, status: 1, desc: new Map([['rate', '16000']]) }),
      textFrame('empty', '', { status: 1 }),
      textFrame('note', 'é', { status: 1, desc: new Map([['format', 'json']]) }),
    ]);
    stream.give('end', DataStatus.end);
    expect((await client.ended).code).toBe(1000);
    expect(client.messages.map(({ binary }) => binary)).toEqual([false, true, true]);
    const { document, rest } = unpacked(client.messages[1]);
    expect(document).toMatchObject({ header: { code: 0, message: 'success', status: 1 } });
    expect(document.payload).toEqual({
      pcm: { rate: '16000', seq: '1', status: '1', audio: 300_000 },
      empty: { seq: '1', status: '1', text: 0 },
      note: { format: 'json', seq: '1', status: '1', text: 2 },
    });
    expect(rest.equals(Buffer.concat([large, Buffer.from('é')]))).toBe(true);
    expect(unpacked(client.messages[2]).rest.toString()).toBe('end');
  });

  it('is plain JSON for a client that has not asked for it', async () => {
    const { setup } = await connect();
    const client = await setup.connect();
    client.socket.send(packed({ payload: {} }));
    expect(await client.next()).toMatchObject({ header: { code: 10163 } });
  });

  it('cannot have a number for data in a text frame', async () => {
    const { client } = await connect();
    client.send({ payload: { a: { audio: 0 } } });
    expect(await client.next()).toMatchObject({ header: { code: 10001 } });
  });
});

describe('memory behind a result', () => {
  it('is held until it has been sent, and copied where it is lent by an engine', async () => {
    const runtime = new FakeRuntime();
    const released: string[] = [];
    runtime.openStream = () => {
      const stream = new FakeStream(runtime);
      stream.results = async function* () {
        for (const leased of [true, false]) {
          const data = Buffer.alloc(8, leased ? 1 : 2);
          const frame = textFrame('result', '', { data, status: leased ? 1 : 2 });
          yield await Promise.resolve({
            frames: [frame],
            leased,
            release: () => {
              released.push(leased ? 'leased' : 'lent');
              // What is not copied by now would arrive like this.
              data.fill(0xff);
            },
          });
        }
      };
      return stream;
    };
    const { client } = await connect({ runtime });
    client.send({});
    await client.ended;
    expect(client.messages.slice(1).map((message) => unpacked(message).rest[0])).toEqual([1, 2]);
    expect(released).toEqual(['leased', 'lent']);
  });
});
