/** A stretch of speech, in milliseconds from the start. */
export interface Segment {
  readonly from: number;
  readonly to: number;
}

export interface DetectorOptions {
  /** Samples a second. */
  readonly rate: number;
  /** What is louder is speech, in dB below full scale. */
  readonly threshold: number;
  /** Pauses up to this many milliseconds belong to the speech around them. */
  readonly hangover: number;
}

/** What one piece of sound was like. */
export interface Level {
  /** Mean and highest level in dB below full scale; silence is -96. */
  readonly mean: number;
  readonly peak: number;
  /** Whether somebody speaks at its end. */
  readonly speaking: boolean;
}

const frameMs = 20;
const silence = -96;

/** Tells speech from pauses by the energy of 20 ms at a time. Takes 16-bit little-endian samples in any pieces. */
export class VoiceDetector {
  readonly #options: DetectorOptions;
  readonly #frameSamples: number;
  readonly #segments: Segment[] = [];
  /** The first half of a sample whose second half has not come. */
  #half: number | null = null;
  #samples = 0;
  #energy = 0;
  /** Of the speech that is going on. */
  #from: number | null = null;
  #loudUntil = 0;

  constructor(options: DetectorOptions) {
    this.#options = options;
    this.#frameSamples = Math.round((options.rate * frameMs) / 1000);
  }

  take(bytes: Uint8Array): Level {
    let energy = 0;
    let peak = 0;
    let count = 0;
    const sample = (low: number, high: number): void => {
      const value = (((high << 24) >> 16) | low) / 32768;
      energy += value * value;
      peak = Math.max(peak, Math.abs(value));
      count++;
      this.#add(value * value);
    };
    let at = 0;
    if (this.#half !== null && bytes.length > 0) sample(this.#half, bytes[at++] ?? 0);
    for (; at + 1 < bytes.length; at += 2) sample(bytes[at] ?? 0, bytes[at + 1] ?? 0);
    if (bytes.length > 0) this.#half = at < bytes.length ? (bytes[at] ?? 0) : null;
    return {
      mean: decibels(count === 0 ? 0 : energy / count),
      peak: decibels(peak * peak),
      speaking: this.#from !== null,
    };
  }

  /** The stretches of speech so far; one that is going on ends here. */
  segments(): readonly Segment[] {
    return this.#from === null ? this.#segments : [...this.#segments, { from: this.#from, to: this.#loudUntil }];
  }

  /** Milliseconds of sound so far. */
  get length(): number {
    return Math.round((this.#samples * 1000) / this.#options.rate);
  }

  #add(energy: number): void {
    this.#energy += energy;
    this.#samples++;
    if (this.#samples % this.#frameSamples !== 0) return;
    const loud = decibels(this.#energy / this.#frameSamples) > this.#options.threshold;
    this.#energy = 0;
    const now = this.length;
    if (loud) {
      this.#from ??= now - frameMs;
      this.#loudUntil = now;
    } else if (this.#from !== null && now - this.#loudUntil > this.#options.hangover) {
      this.#segments.push({ from: this.#from, to: this.#loudUntil });
      this.#from = null;
    }
  }
}

function decibels(power: number): number {
  // Plus zero: a sum is never -0.
  return power === 0 ? silence : Math.max(silence, Math.round(100 * Math.log10(power)) / 10 + 0);
}
