/**
 * Writes speech.pcm: 16-bit little-endian samples, one channel, 8,000 a second. Three sentences with pauses, spoken by
 * espeak-ng (1.51, Debian package espeak-ng), as a telephone would carry them: without what is above 3.4 kHz, and with
 * a faint noise on the line.
 *
 *   node demo/audio-level/make-speech.mjs
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const RATE = 8000;
const CUTOFF = 3400;
const NOISE = 12; // of 32,768
const TAPS = 63;

const text =
  '<speak>One moment, please. <break time="900ms"/> Your call is important to us. <break time="1200ms"/> Goodbye.</speak>';

/** @returns {{ rate: number, samples: Int16Array }} */
function speak() {
  const wav = execFileSync('espeak-ng', ['-v', 'en', '-s', '150', '-m', '--stdout', text], { maxBuffer: 1 << 24 });
  const data = wav.indexOf('data') + 8;
  const bytes = wav.subarray(data, data + Math.floor((wav.length - data) / 2) * 2);
  return { rate: wav.readUInt32LE(24), samples: new Int16Array(Uint8Array.from(bytes).buffer) };
}

/** A windowed sinc: lets frequencies below the cutoff through, and reads between samples. */
function resample({ rate, samples }) {
  const length = Math.floor((samples.length * RATE) / rate);
  const width = (2 * CUTOFF) / rate;
  return Float64Array.from({ length }, (_, index) => {
    const at = (index * rate) / RATE;
    let sum = 0;
    for (let tap = Math.ceil(at - TAPS / 2); tap <= at + TAPS / 2; tap++) {
      const x = (tap - at) * width;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      const window = 0.5 + 0.5 * Math.cos((2 * Math.PI * (tap - at)) / TAPS);
      sum += (samples[tap] ?? 0) * sinc * window * width;
    }
    return sum;
  });
}

/** Numbers from 0 to 1, the same ones each time (a linear congruential generator). */
function random(seed) {
  let state = seed;
  return () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}

const next = random(7);
const signal = resample(speak());
const pcm = Buffer.alloc(signal.length * 2);
signal.forEach((value, index) => {
  const noisy = Math.round(value + (next() + next() - 1) * NOISE);
  pcm.writeInt16LE(Math.max(-32768, Math.min(32767, noisy)), index * 2);
});
const file = fileURLToPath(new URL('speech.pcm', import.meta.url));
writeFileSync(file, pcm);
console.log(`${file}: ${(signal.length / RATE).toFixed(2)} s`);
