import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DemoAnswer, ServedDemo } from '../../test/fixtures/demo.js';
import { loadHeldOut } from '../digits/data.mjs';

const folder = new URL('./', import.meta.url);
const digits = new URL('../digits/', import.meta.url);
const samples = new URL('samples/', digits);
const files = readdirSync(samples).filter((file) => /\.(png|raw)$/.test(file));

interface Result {
  readonly digit: number;
  readonly confidence: number;
  readonly scores: readonly number[];
}

/** ONNX Runtime belongs to this demo alone. */
function install(): void {
  if (existsSync(new URL('node_modules/.package-lock.json', folder))) return;
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: fileURLToPath(folder),
    // As .npmrc says, for versions of npm that do not hand such settings on.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    stdio: 'inherit',
  });
}

describe('the model', () => {
  it('is what the exporter makes of the weights', () => {
    execFileSync(process.execPath, [fileURLToPath(new URL('export-model.mjs', folder)), '--check'], { stdio: 'pipe' });
  });
});

describe('digits with ONNX Runtime', () => {
  let onnx: ServedDemo;
  let engine: ServedDemo;

  beforeAll(async () => {
    install();
    [onnx, engine] = await Promise.all([
      ServedDemo.start(folder),
      ServedDemo.start(digits, ['plugin.path=build/libwrapper.so', 'wrapper.weights=weights.bin']),
    ]);
  }, 180_000);
  afterAll(async () => {
    await Promise.all([onnx.stop(), engine.stop()]);
  });

  const read = (demo: ServedDemo, image: Uint8Array): Promise<DemoAnswer> =>
    demo.once({ inputs: { img: [2, image] }, expect: { result: 0 } });
  const resultOf = async (demo: ServedDemo, image: Uint8Array): Promise<Result> => {
    const { code, error, outputs } = await read(demo, image);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    return JSON.parse(String(outputs['result'])) as Result;
  };

  it.each([
    ['no image', Buffer.from('hello'), 'the image is neither a PNG nor 784 raw bytes;code=1103'],
    [
      'a large image',
      PNG.sync.write(new PNG({ width: 29, height: 28 })),
      'the PNG is not 28 pixels wide and high;code=1303',
    ],
  ])('refuses %s', async (_name, image, error) => {
    expect(await read(onnx, image)).toMatchObject({ code: 10909, error });
  });

  it('agrees with the C engine on at least 95 % of the shipped images, down to the scores', async () => {
    const agreed: string[] = [];
    for (const file of files) {
      const image = readFileSync(new URL(file, samples));
      const [ours, theirs] = await Promise.all([resultOf(onnx, image), resultOf(engine, image)]);
      if (ours.digit === theirs.digit) agreed.push(file);
      if (ours.digit === theirs.digit) expect(ours.confidence).toBeCloseTo(theirs.confidence, 2);
    }
    expect(files.length).toBeGreaterThanOrEqual(40);
    expect(agreed.length / files.length).toBeGreaterThanOrEqual(0.95);
  });

  it('reads at least 97 % of digits right that the network has not learnt from', async () => {
    // Every tenth: enough of each digit.
    const heldOut = loadHeldOut().filter((_, index) => index % 10 === 0);
    let right = 0;
    for (const { bytes, label } of heldOut) if ((await resultOf(onnx, bytes)).digit === label) right++;
    expect(right / heldOut.length).toBeGreaterThanOrEqual(0.97);
  });
});
