/** Our decoder against files that another encoder wrote, as another decoder sees them. */
import { constants, crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { PNG, type ColorType } from 'pngjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { PIXELS, SIDE } from '../data.mjs';
import { buildTools, decode } from './tools.js';

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;
type ColourType = keyof typeof CHANNELS;

beforeAll(buildTools);

/** What the engine should see of a file: luminance over white paper, from the colours that pngjs decodes. */
function expected(file: Buffer): Buffer {
  const { data } = PNG.sync.read(file);
  const pixels = Buffer.alloc(PIXELS);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const alpha = data.readUInt8(pixel * 4 + 3);
    const onWhite = (channel: number) => {
      const value = data.readUInt8(pixel * 4 + channel);
      return Math.floor((value * alpha + 255 * (255 - alpha) + 127) / 255);
    };
    pixels[pixel] = Math.floor((299 * onWhite(0) + 587 * onWhite(1) + 114 * onWhite(2) + 500) / 1000);
  }
  return pixels;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(content));
  return Buffer.concat([length, content, checksum]);
}

function header(colourType: ColourType, changes: Record<number, number> = {}): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(SIDE, 0);
  data.writeUInt32BE(SIDE, 4);
  data[8] = 8;
  data[9] = colourType;
  for (const [at, value] of Object.entries(changes)) data[Number(at)] = value;
  return chunk('IHDR', data);
}

interface Variant {
  colourType: ColourType;
  /** Filter of each row. */
  filters: number[];
  /** The filtered bytes: any bytes are some image. */
  bytes: Uint8Array;
  level: number;
  strategy: number;
  /** Sizes of the IDAT chunks before the last one. */
  pieces: number[];
  palette: Uint8Array;
  transparency: Uint8Array;
}

function encode(variant: Variant): Buffer {
  const size = SIDE * CHANNELS[variant.colourType];
  const rows = Array.from({ length: SIDE }, (_, row) => [
    Uint8Array.of(variant.filters[row] ?? 0),
    variant.bytes.subarray(row * size, (row + 1) * size),
  ]);
  let data = deflateSync(Buffer.concat(rows.flat()), { level: variant.level, strategy: variant.strategy });
  const pixels: Buffer[] = [];
  for (const piece of variant.pieces) {
    pixels.push(chunk('IDAT', data.subarray(0, piece)));
    data = data.subarray(piece);
  }
  const colours = variant.colourType === 3 ? [chunk('PLTE', variant.palette)] : [];
  const transparency = variant.transparency.length > 0 ? [chunk('tRNS', variant.transparency)] : [];
  return Buffer.concat([
    SIGNATURE,
    header(variant.colourType),
    ...colours,
    ...transparency,
    ...pixels,
    chunk('IDAT', data),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The transparency chunk that fits a colour type: alpha per colour, or a key of 16 bits per channel. */
function transparencyFor(colourType: ColourType): fc.Arbitrary<Uint8Array> {
  const none = fc.constant(new Uint8Array());
  if (colourType === 3) return fc.uint8Array({ maxLength: 256 });
  if (colourType !== 0 && colourType !== 2) return none;
  const key = fc.array(fc.nat(255), { minLength: CHANNELS[colourType], maxLength: CHANNELS[colourType] });
  return fc.oneof(
    none,
    key.map((values) => Uint8Array.from(values.flatMap((value) => [0, value]))),
  );
}

const variants = fc.constantFrom<ColourType>(0, 2, 3, 4, 6).chain((colourType) =>
  fc.record<Variant>({
    colourType: fc.constant(colourType),
    // Indices of a palette are seldom filtered, but may be.
    filters: fc.array(fc.nat(4), { minLength: SIDE, maxLength: SIDE }),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: PIXELS * CHANNELS[colourType], maxLength: PIXELS * CHANNELS[colourType] }),
      // Long runs, so that lengths and distances of all sizes occur.
      fc.array(fc.tuple(fc.nat(255), fc.integer({ min: 1, max: 600 })), { minLength: 1, maxLength: 40 }).map((runs) => {
        const bytes = new Uint8Array(PIXELS * CHANNELS[colourType]);
        let at = 0;
        for (const [value, count] of runs) {
          bytes.fill(value, at, at + count);
          at += count;
        }
        return bytes;
      }),
    ),
    level: fc.constantFrom(0, 1, 6, 9),
    strategy: fc.constantFrom(
      constants.Z_DEFAULT_STRATEGY,
      constants.Z_FILTERED,
      constants.Z_HUFFMAN_ONLY,
      constants.Z_RLE,
      constants.Z_FIXED,
    ),
    pieces: fc.array(fc.nat(20), { maxLength: 6 }),
    palette: fc.uint8Array({ minLength: 768, maxLength: 768 }),
    transparency: transparencyFor(colourType),
  }),
);

describe('png decoder', () => {
  it('refuses what the format allows but the engine does not read', () => {
    const rest = [chunk('IDAT', deflateSync(Buffer.alloc(SIDE * (1 + SIDE)))), chunk('IEND', Buffer.alloc(0))];
    const file = (changes: Record<number, number>) => Buffer.concat([SIGNATURE, header(0, changes), ...rest]);
    expect(() => decode(file({ 3: 29 }))).toThrow(/^1305 .*28 pixels/);
    expect(() => decode(file({ 8: 16 }))).toThrow(/^1306 .*8 bits/);
    expect(() => decode(file({ 12: 1 }))).toThrow(/^1307 .*interlac/);
    expect(decode(file({}))).toEqual(Buffer.alloc(PIXELS));
  });

  it.each([0, 2, 4, 6] as ColorType[])(
    'sees colour type %i of pngjs as pngjs does, whatever the filter',
    (colorType) => {
      fc.assert(
        fc.property(
          fc.uint8Array({ minLength: PIXELS * 4, maxLength: PIXELS * 4 }),
          fc.constantFrom(-1, 0, 1, 2, 3, 4),
          (rgba, filterType) => {
            const png = new PNG({ width: SIDE, height: SIDE });
            png.data.set(rgba);
            const file = PNG.sync.write(png, { colorType, filterType });
            expect(decode(file)).toEqual(expected(file));
          },
        ),
        { numRuns: 40, seed: colorType },
      );
    },
  );

  it('sees mixed filters, palettes, transparency and every way to compress as pngjs does', () => {
    fc.assert(
      fc.property(variants, (variant) => {
        const file = encode(variant);
        expect(decode(file)).toEqual(expected(file));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
