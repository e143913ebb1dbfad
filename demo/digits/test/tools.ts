import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const demo = fileURLToPath(new URL('../', import.meta.url));

/** Builds the programs that run parts of the engine without a loader. */
export function buildTools(): void {
  execFileSync('make', ['-s', 'tools'], { cwd: demo });
}

/** Decodes an image file to luminance, or throws the engine's code and text. */
export function decode(image: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync('build/decode', { cwd: demo, input: image });
  if (status !== 0) throw new Error(stderr.toString().trim());
  return stdout;
}

/** Answers of the engine to raw images that follow one another. */
export function classify(pixels: Uint8Array): Answer[] {
  const stdout = execFileSync('build/classify', ['weights.bin'], { cwd: demo, input: pixels, maxBuffer: 1 << 26 });
  const lines = stdout.toString().trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Answer);
}

export interface Answer {
  digit: number;
  confidence: number;
  scores: number[];
}
