/**
 * Variants of a digit as another hand could have written it: turned, scaled, slanted, shifted, and bent by a coarse
 * field of random displacements.
 */
import { PIXELS, SIDE } from '../data.mjs';

const ROTATION = (12 * Math.PI) / 180;
const SCALE = 0.12;
const SLANT = 0.15;
const SHIFT = 2;
const BEND = 0.9;

/** Points on one side of the displacement field; it is interpolated between them. */
const FIELD = 5;

const CENTRE = (SIDE - 1) / 2;

export class Augmenter {
  #random;
  #bendX = new Float32Array(FIELD * FIELD);
  #bendY = new Float32Array(FIELD * FIELD);

  /** @param {import('./random.mjs').Random} random */
  constructor(random) {
    this.#random = random;
  }

  /**
   * Draws a new variant of `image` into `variant`.
   * @param {Float32Array} image PIXELS values
   * @param {Float32Array} variant PIXELS values, overwritten
   */
  vary(image, variant) {
    const random = this.#random;
    const angle = random.within(ROTATION);
    const scaleX = 1 + random.within(SCALE);
    const scaleY = 1 + random.within(SCALE);
    const slant = random.within(SLANT);
    const shiftX = random.within(SHIFT);
    const shiftY = random.within(SHIFT);
    for (let point = 0; point < FIELD * FIELD; point++) {
      this.#bendX[point] = random.normal() * BEND;
      this.#bendY[point] = random.normal() * BEND;
    }
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    // Every pixel of the variant asks where in the image it comes from.
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const column = pixel % SIDE;
      const row = (pixel - column) / SIDE;
      const x = (column - CENTRE - shiftX) / scaleX;
      const y = (row - CENTRE - shiftY) / scaleY;
      const slanted = x + slant * y;
      const fromX = cos * slanted - sin * y + CENTRE + fieldAt(this.#bendX, column, row);
      const fromY = sin * slanted + cos * y + CENTRE + fieldAt(this.#bendY, column, row);
      variant[pixel] = pixelAt(image, fromX, fromY);
    }
  }
}

/** The displacement at a pixel, interpolated between the points of the field. */
function fieldAt(field, column, row) {
  const x = (column / SIDE) * (FIELD - 1);
  const y = (row / SIDE) * (FIELD - 1);
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = x - left;
  const down = y - top;
  const at = top * FIELD + left;
  return (
    (field[at] * (1 - right) + field[at + 1] * right) * (1 - down) +
    (field[at + FIELD] * (1 - right) + field[at + FIELD + 1] * right) * down
  );
}

/** The image between its pixels; there is no ink outside. */
function pixelAt(image, x, y) {
  const left = Math.floor(x);
  const top = Math.floor(y);
  const right = x - left;
  const down = y - top;
  return (
    (inkAt(image, left, top) * (1 - right) + inkAt(image, left + 1, top) * right) * (1 - down) +
    (inkAt(image, left, top + 1) * (1 - right) + inkAt(image, left + 1, top + 1) * right) * down
  );
}

function inkAt(image, column, row) {
  return column >= 0 && column < SIDE && row >= 0 && row < SIDE ? image[row * SIDE + column] : 0;
}
