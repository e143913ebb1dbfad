import { describe, expect, it } from 'vitest';
import { measure, type Packet, packets } from '../../../../playground/wire/packets.js';
import type { DraftInput } from '../../../../playground/wire/request.js';
import { fileInput, textInput } from '../files.js';

async function all(inputs: readonly DraftInput[], packetBytes = 4): Promise<Packet[]> {
  const made: Packet[] = [];
  for await (const packet of packets(inputs, { packetBytes })) made.push(packet);
  return made;
}

const sound = (bytes: number, changes: Partial<DraftInput> = {}): DraftInput =>
  fileInput(new Uint8Array(bytes).fill(7), { name: 'pcm', type: 'audio', ...changes });

describe('the packets of a stream', () => {
  it('are none without inputs', async () => {
    expect(await all([])).toEqual([]);
  });

  it('are one that ends for an empty file, and for an empty text', async () => {
    expect((await all([sound(0)])).map(({ payload }) => payload)).toEqual([{ pcm: { audio: 0, status: 2 } }]);
    expect((await all([textInput('')])).map(({ payload }) => payload)).toEqual([{ text: { text: 0, status: 2 } }]);
  });

  it('are pieces of a file, with its attributes at the first and its end at the last', async () => {
    const given = await all([sound(10, { attributes: new Map([['encoding', 'raw']]) })]);
    expect(given.map(({ payload }) => payload)).toEqual([
      { pcm: { encoding: 'raw', audio: 4, status: 0 } },
      { pcm: { audio: 4, status: 1 } },
      { pcm: { audio: 2, status: 2 } },
    ]);
    expect(given.map(({ data }) => data.map(({ length }) => length))).toEqual([[4], [4], [2]]);
  });

  it('are the lines of a text, but one for JSON, and one for an image', async () => {
    const lines = await all([textInput('one\r\n\ntwo\n')]);
    expect(lines.map(({ data }) => Buffer.concat(data).toString())).toEqual(['one', 'two']);
    expect(await all([textInput('{\n}', { content: 'json' })])).toHaveLength(1);
    expect(await all([fileInput(new Uint8Array(10))])).toHaveLength(1);
  });

  it('go together, each input as long as it lasts, with the bytes in the order of the document', async () => {
    const given = await all([sound(8, { name: '2' }), textInput('x', { name: '1' })]);
    expect(given.map(({ payload }) => JSON.stringify(payload))).toEqual([
      '{"1":{"text":1,"status":2},"2":{"audio":4,"status":0}}',
      '{"2":{"audio":4,"status":2}}',
    ]);
    expect(given[0]?.data.map((bytes) => bytes[0])).toEqual([0x78, 7]);
  });

  it('are counted before they are made', async () => {
    const inputs = [sound(9), textInput('é\nx')];
    const given = await all(inputs);
    expect(measure(inputs, { packetBytes: 4 })).toEqual({
      frames: given.length,
      bytes: given.reduce((sum, { size }) => sum + size, 0),
    });
  });
});
