/** The engine without a loader: the same answers as the network that was trained, and right ones. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { accuracy, MIN_ACCURACY } from '../accuracy.mjs';
import { loadHeldOut, SIDE, type Digit } from '../data.mjs';
import { decodeWeights } from '../training/weights.mjs';
import { buildTools, classify, demo, type Answer } from './tools.js';

let digits: Digit[];
let labels: number[];
let answers: Answer[];
let read: number[];

beforeAll(() => {
  buildTools();
  digits = loadHeldOut();
  labels = digits.map(({ label }) => label);
  answers = classify(Buffer.concat(digits.map(({ bytes }) => bytes)));
  read = answers.map(({ digit }) => digit);
});

describe('engine', () => {
  it('reads nearly all digits that were held out', () => {
    expect(accuracy(read, labels)).toBeGreaterThanOrEqual(MIN_ACCURACY);
  });

  it('would not pass with the answers in another order', () => {
    const half = read.length >> 1;
    expect(accuracy([...read.slice(half), ...read.slice(0, half)], labels)).toBeLessThan(0.3);
  });

  it('computes what the network of the training script computes with the same weights', () => {
    const network = decodeWeights(readFileSync(join(demo, 'weights.bin')), { channels: 1, height: SIDE, width: SIDE });
    for (let index = 0; index < digits.length; index += 10) {
      const image = Float32Array.from(digits[index]?.bytes ?? [], (byte) => byte / 255);
      const scores = network.forward(image);
      answers[index]?.scores.forEach((score, digit) => {
        // Four decimals, and the rounding of sums in another order.
        expect(score).toBeCloseTo(scores[digit] ?? NaN, 3);
      });
    }
  });

  it('gives scores that add up, and the largest as confidence', () => {
    for (const { digit, confidence, scores } of answers) {
      expect(scores).toHaveLength(10);
      expect(Math.max(...scores)).toBe(confidence);
      expect(scores[digit]).toBe(confidence);
      expect(Math.abs(scores.reduce((a, b) => a + b) - 1)).toBeLessThan(0.001);
    }
  });
});
