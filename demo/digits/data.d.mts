export interface Digit {
  /** The digit that a person wrote, 0 to 9. */
  label: number;
  /** PIXELS bytes, row by row: 0 is background, 255 is ink. */
  bytes: Uint8Array;
}

/** Pixels on one side of an image. */
export const SIDE: number;

/** Bytes of one image. */
export const PIXELS: number;

/** Every digit, ordered by label. */
export function loadDigits(): Digit[];

/** Which side of the split an image belongs to; only its pixels decide. */
export function isHeldOut(bytes: Uint8Array): boolean;

export function splitDigits(digits: Digit[]): { training: Digit[]; heldOut: Digit[] };

/** The digits that the network has never seen, ordered by label. */
export function loadHeldOut(): Digit[];

/** The digits that the network has learnt from, ordered by label. */
export function loadTraining(): Digit[];
