import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testWrapper } from '../../src/testing.js';
import { ServedDemo } from '../../test/fixtures/demo.js';
import { eventually } from '../../test/fixtures/eventually.js';
import type { XsfAnswer } from '../../test/fixtures/xsf-client.js';
import { type Level, type Segment, VoiceDetector } from './voice-detector.js';
import AudioLevel from './wrapper.js';

const folder = new URL('./', import.meta.url);
const speech = readFileSync(new URL('speech.pcm', folder));

/** In pieces of this many bytes. */
function pieces(size: number): Buffer[] {
  return Array.from({ length: Math.ceil(speech.length / size) }, (_, n) => speech.subarray(n * size, (n + 1) * size));
}

interface Speech {
  readonly length: number;
  readonly segments: readonly Segment[];
}

/** What is spoken, and the pauses that the script of the recording asks for. */
function expectThreeSentences({ length, segments }: Speech): void {
  expect(length).toBe(Math.round(speech.length / 16));
  expect(segments).toHaveLength(3);
  const pauses = segments.slice(1).map(({ from }, n) => from - (segments[n]?.to ?? 0));
  expect(pauses[0]).toBeGreaterThanOrEqual(900);
  expect(pauses[1]).toBeGreaterThanOrEqual(1200);
}

describe('the voice detector', () => {
  const options = { rate: 8000, threshold: -45, hangover: 300 };

  it('hears nothing in silence, and in no sound at all', () => {
    const detector = new VoiceDetector(options);
    expect(detector.take(new Uint8Array(16_000))).toEqual({ mean: -96, peak: -96, speaking: false });
    expect(detector.take(new Uint8Array(0))).toEqual({ mean: -96, peak: -96, speaking: false });
    expect(detector.segments()).toEqual([]);
  });

  it('measures dB below full scale', () => {
    const square = Buffer.alloc(3200);
    for (let n = 0; n < 1600; n++) square.writeInt16LE(n % 2 === 0 ? -32768 : 32767, n * 2);
    expect(new VoiceDetector(options).take(square)).toEqual({ mean: 0, peak: 0, speaking: true });
    for (let n = 0; n < 1600; n++) square.writeInt16LE(n % 2 === 0 ? -3277 : 3277, n * 2);
    expect(new VoiceDetector(options).take(square)).toEqual({ mean: -20, peak: -20, speaking: true });
  });

  it.each([1, 2, 333, 3200, 1 << 20])('finds the same in pieces of %i bytes', (size) => {
    const detector = new VoiceDetector(options);
    for (const piece of pieces(size)) detector.take(piece);
    expectThreeSentences({ length: detector.length, segments: detector.segments() });
  });
});

describe('a stream of sound', () => {
  let demo: ServedDemo;

  beforeAll(async () => {
    demo = await ServedDemo.start(folder, ['log.level=info']);
  });
  afterAll(async () => {
    await demo.stop();
  });

  it('is refused with parameters that its declaration does not allow', async () => {
    const wrapper = await testWrapper(AudioLevel);
    await expect(wrapper.stream([], { rawParams: { rate: '44100' } })).rejects.toThrow(
      'expected one of 8000, 16000, 48000',
    );
  });

  it('gives a level for each packet, and where somebody spoke at the end', async () => {
    const stream = demo.stream();
    const expected = ['level', 'speech'].map((name) => ({ name, dataType: 0, attribute: {} }));
    await stream.create({ params: {}, expect: expected });
    const packets = pieces(3201);
    const answers: XsfAnswer[] = [];
    for (const [n, data] of packets.entries()) {
      const attribute = { seq: String(n), status: n === packets.length - 1 ? '2' : '1' };
      const pl = [{ meta: { name: 'audio', dataType: 1, attribute }, data }];
      answers.push(await stream.send('AIIn', { sync_id: n + 1, pl }));
    }
    expect(answers.map(({ output }) => output?.code)).toEqual(packets.map(() => 0));
    while (answers.at(-1)?.output?.status !== 2) answers.push(await stream.poll());

    const given = answers.flatMap(({ output }) => output?.pl ?? []);
    const of = (name: string): unknown[] =>
      given
        .filter(({ meta }) => meta.name === name)
        .map(({ data }) => JSON.parse(Buffer.from(data).toString()) as unknown);
    expect(of('level')).toHaveLength(packets.length);
    const speaking = (of('level') as Level[]).map((level) => level.speaking);
    expect(new Set(speaking)).toEqual(new Set([true, false]));
    expectThreeSentences(of('speech')[0] as Speech);
    await eventually(() => demo.output).toMatch(/"key":"milliseconds","count":6\d{3}/);
  });
});
