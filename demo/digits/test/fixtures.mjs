/**
 * Writes fixtures/: PNG files by another encoder (pngjs, and zlib for what pngjs does not write) with the luminance of
 * their pixels as another decoder sees it. The C tests read them; run this only to add one, since the bytes depend on
 * the version of zlib.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { crc32, constants, deflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { loadHeldOut, PIXELS, SIDE } from '../data.mjs';

const folder = new URL('fixtures/', import.meta.url);
const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

function chunk(type, data) {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(content), 4);
  return Buffer.concat([ends.subarray(0, 4), content, ends.subarray(4)]);
}

/** A digit in colours: ink is blue and half transparent, paper is pink at the top and white at the bottom. */
function paint(ink) {
  const rgba = Buffer.alloc(PIXELS * 4);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const row = Math.floor(pixel / SIDE);
    const colour =
      ink[pixel] > 100 ? [20, 40, 255 - ink[pixel], 128 + ink[pixel] / 2] : [255, 200 + row, 220 + row, 255];
    rgba.set(colour, pixel * 4);
  }
  return rgba;
}

function byPngjs(rgba, colorType) {
  const png = new PNG({ width: SIDE, height: SIDE });
  rgba.copy(png.data);
  return PNG.sync.write(png, { colorType, filterType: -1 });
}

function byHand(colourType, channels, before, samples, strategy) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header[8] = 8;
  header[9] = colourType;
  const size = SIDE * channels;
  const rows = Array.from({ length: SIDE }, (_, row) => [
    Buffer.from([0]),
    samples.subarray(row * size, (row + 1) * size),
  ]);
  const data = deflateSync(Buffer.concat(rows.flat()), { strategy });
  const half = data.length >> 1;
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('tEXt', Buffer.from('Comment\0a digit', 'latin1')),
    ...before,
    chunk('IDAT', data.subarray(0, half)),
    chunk('IDAT', Buffer.alloc(0)),
    chunk('IDAT', data.subarray(half)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function luminance(file) {
  const { data } = PNG.sync.read(file);
  return Buffer.from({ length: PIXELS }).map((_, pixel) => {
    const [red, green, blue, alpha] = data.subarray(pixel * 4, pixel * 4 + 4);
    const onWhite = (value) => Math.floor((value * alpha + 255 * (255 - alpha) + 127) / 255);
    return Math.floor((299 * onWhite(red) + 587 * onWhite(green) + 114 * onWhite(blue) + 500) / 1000);
  });
}

const { bytes } = loadHeldOut().find(({ label }) => label === 5);
const painted = paint(bytes);
const palette = Buffer.from({ length: 16 * 3 }).map((_, at) => (at * 37) % 256);
const indices = Buffer.from(bytes).map((ink) => ink >> 4);

const files = {
  grey: byPngjs(painted, 0),
  'grey-alpha': byPngjs(painted, 4),
  rgb: byPngjs(painted, 2),
  rgba: byPngjs(painted, 6),
  palette: byHand(3, 1, [chunk('PLTE', palette), chunk('tRNS', Buffer.from([255, 0, 90]))], indices),
  'grey-fixed': byHand(0, 1, [], Buffer.from(bytes), constants.Z_FIXED),
  'grey-key': byHand(0, 1, [chunk('tRNS', Buffer.from([0, 0]))], Buffer.from(bytes), constants.Z_HUFFMAN_ONLY),
};

mkdirSync(folder, { recursive: true });
for (const [name, file] of Object.entries(files)) {
  writeFileSync(new URL(`${name}.png`, folder), file);
  writeFileSync(new URL(`${name}.luminance`, folder), luminance(file));
}
