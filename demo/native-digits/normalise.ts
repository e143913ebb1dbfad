import { PNG } from 'pngjs';

/** Pixels on one side of what the engine reads. */
const side = 28;
/** Pixels on the longer side of a digit, as those that the engine has learnt from. */
const digitSide = 20;
/** Less ink than this is paper. */
const faintest = 48;

/** A picture of ink: 0 is paper, 255 is ink. */
interface Ink {
  readonly width: number;
  readonly height: number;
  readonly at: (x: number, y: number) => number;
}

/**
 * Makes what the engine reads, 28 × 28 raw pixels, from a PNG of any size and colour with one digit anywhere on it.
 * @returns null when there is no ink on it
 * @throws Error when it is no PNG
 */
export function normalise(file: Uint8Array): Uint8Array | null {
  const ink = inkOf(PNG.sync.read(Buffer.from(file.buffer, file.byteOffset, file.byteLength)));
  const box = boundsOf(ink);
  if (box === null) return null;
  const scale = Math.max(box.width, box.height) / digitSide;
  const pixels = new Uint8Array(side * side);
  // The box is centred; each pixel is the mean of what it covers.
  const left = box.x + box.width / 2 - (side / 2) * scale;
  const top = box.y + box.height / 2 - (side / 2) * scale;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      pixels[row * side + column] = meanOf(ink, left + column * scale, top + row * scale, scale);
    }
  }
  return pixels;
}

function inkOf({ width, height, data }: PNG): Ink {
  const dark = new Uint8Array(width * height);
  for (let pixel = 0; pixel < dark.length; pixel++) {
    const [red = 0, green = 0, blue = 0, alpha = 0] = data.subarray(pixel * 4, pixel * 4 + 4);
    const luminance = 0.299 * red + 0.587 * green + 0.114 * blue;
    // What is transparent shows white paper.
    dark[pixel] = ((255 - luminance) * alpha) / 255;
  }
  // A dark border means light ink.
  const inverted = borderOf(dark, width, height) >= 128;
  return {
    width,
    height,
    at: (x, y) => {
      if (x < 0 || y < 0 || x >= width || y >= height) return 0;
      const value = dark[y * width + x] ?? 0;
      return inverted ? 255 - value : value;
    },
  };
}

function borderOf(dark: Uint8Array, width: number, height: number): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
      sum += dark[y * width + x] ?? 0;
      count++;
    }
  }
  return sum / count;
}

function boundsOf({ width, height, at }: Ink): { x: number; y: number; width: number; height: number } | null {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (at(x, y) < faintest) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The mean over a square, whose edge pixels count for the part that it covers. */
function meanOf({ at }: Ink, left: number, top: number, size: number): number {
  const covered = (pixel: number, from: number): number =>
    Math.max(0, Math.min(pixel + 1, from + size) - Math.max(pixel, from));
  let sum = 0;
  for (let y = Math.floor(top); y < top + size; y++) {
    for (let x = Math.floor(left); x < left + size; x++) sum += at(x, y) * covered(x, left) * covered(y, top);
  }
  return Math.round(sum / (size * size));
}
