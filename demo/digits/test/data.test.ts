import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { loadDigits, PIXELS, splitDigits } from '../data.mjs';
import { demo } from './tools.js';

const digits = loadDigits();
const { training, heldOut } = splitDigits(digits);

describe('digits', () => {
  it('are 10,000 images of ten classes, with ink on an empty background', () => {
    expect(digits).toHaveLength(10_000);
    for (const { label, bytes } of digits) {
      expect(bytes).toHaveLength(PIXELS);
      expect(bytes.some((ink) => ink > 127)).toBe(true);
      expect(label).toBeGreaterThanOrEqual(0);
      expect(label).toBeLessThanOrEqual(9);
    }
  });

  it('are held out by their pixels: 2,000 at least, some of each class, none of them in training', () => {
    const key = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
    const learnt = new Set(training.map(({ bytes }) => key(bytes)));
    expect(training.length + heldOut.length).toBe(digits.length);
    expect(heldOut.length).toBeGreaterThanOrEqual(2_000);
    expect(new Set(heldOut.map(({ label }) => label)).size).toBe(10);
    expect(heldOut.filter(({ bytes }) => learnt.has(key(bytes)))).toEqual([]);
  });

  it('that ship as samples are the ones the script writes', () => {
    execFileSync(process.execPath, ['samples.mjs', '--check'], { cwd: demo });
  });
});
