import { readFileSync, readdirSync } from 'node:fs';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoAnswer, ServedDemo } from '../../test/fixtures/demo.js';

const samples = new URL('../digits/samples/', import.meta.url);
const files = readdirSync(samples).filter((file) => file.endsWith('.png'));

/** A sample as a photo: blown up, in blue on yellowish paper, off the middle. */
function photoOf(file: string): Buffer {
  const small = PNG.sync.read(readFileSync(new URL(file, samples)));
  const [scale, left, top] = [7, 90, 20];
  const photo = new PNG({ width: 400, height: 260 });
  for (let y = 0; y < photo.height; y++) {
    for (let x = 0; x < photo.width; x++) {
      const [column, row] = [Math.floor((x - left) / scale), Math.floor((y - top) / scale)];
      const inside = column >= 0 && row >= 0 && column < 28 && row < 28;
      const ink = inside ? (small.data[(row * 28 + column) * 4] ?? 0) / 255 : 0;
      photo.data.set([250 - 220 * ink, 245 - 190 * ink, 220 - 60 * ink, 255], (y * photo.width + x) * 4);
    }
  }
  return PNG.sync.write(photo);
}

describe('a C engine with TypeScript on both sides', () => {
  let demo: ServedDemo;

  beforeAll(async () => {
    demo = await ServedDemo.start(new URL('./', import.meta.url));
  });
  afterAll(async () => {
    await demo.stop();
  });

  const read = (photo: Uint8Array, params: Readonly<Record<string, string>> = {}): Promise<DemoAnswer> =>
    demo.once({ params, inputs: { photo: [2, photo] }, expect: { guesses: 0 } });

  it.each([
    ['no PNG', Buffer.from('not a picture'), 'the photo is no PNG;code=2001'],
    [
      'nothing but paper',
      PNG.sync.write(Object.assign(new PNG({ width: 9, height: 9 }), { data: Buffer.alloc(9 * 9 * 4, 255) })),
      'there is no ink on the photo;code=2002',
    ],
  ])('refuses %s before the engine sees it', async (_name, photo, error) => {
    expect(await read(photo)).toMatchObject({ code: 10909, error });
  });

  it('reads digits that the engine alone would refuse, and names them', async () => {
    const answers: { readonly file: string; readonly name: string }[] = [];
    for (const file of files) {
      const { code, outputs } = await read(photoOf(file), { top: '1' });
      expect(code).toBe(0);
      const [guess] = JSON.parse(String(outputs['guesses'])) as { readonly name: string }[];
      answers.push({ file, name: guess?.name ?? '' });
    }
    const names = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
    const right = answers.filter(({ file, name }) => name === names[Number(file[0])]);
    expect(files.length).toBeGreaterThanOrEqual(40);
    expect(right.length / files.length).toBeGreaterThanOrEqual(0.95);
  });

  it('gives as many guesses as it is asked for, the best one first', async () => {
    const { outputs } = await read(photoOf('3-0.png'), { top: '4' });
    const guesses = JSON.parse(String(outputs['guesses'])) as { readonly score: number }[];
    expect(guesses).toHaveLength(4);
    expect(guesses.map(({ score }) => score)).toEqual(guesses.map(({ score }) => score).sort((a, b) => b - a));
  });
});
