export interface Classifier {
  /** The scores of 28x28 values from 0 to 1, one per digit. The array is reused by the next call. */
  forward(image: Float32Array): Float32Array;
}

/** Builds the network that a weights file describes. */
export function decodeWeights(
  bytes: Uint8Array,
  input: { channels: number; height: number; width: number },
): Classifier;
