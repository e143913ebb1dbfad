/**
 * Writes samples/: the first few digits per class that were held out from training.
 *
 *   node demo/digits/samples.mjs           writes the files
 *   node demo/digits/samples.mjs --check   writes nothing; exit code 1 if a file differs, is missing or is not ours
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadHeldOut, SIDE } from './data.mjs';
import { encodeGreyPng } from './png.mjs';

const PER_CLASS = 4;
const folder = new URL('samples/', import.meta.url);

/** @returns {Map<string, Buffer>} content by file name; the name starts with the digit */
function makeSamples() {
  const files = new Map();
  const heldOut = loadHeldOut();
  for (let label = 0; label < 10; label++) {
    const chosen = heldOut.filter((digit) => digit.label === label).slice(0, PER_CLASS);
    chosen.forEach(({ bytes }, index) => files.set(`${label}-${index}.png`, encodeGreyPng(bytes, SIDE)));
  }
  // The other formats once each, the PGM as a scanner would give it: dark ink on white paper.
  const { bytes } = heldOut.find((digit) => digit.label === 7);
  const header = Buffer.from(`P5\n${SIDE} ${SIDE}\n255\n`, 'latin1');
  files.set('7-0.pgm', Buffer.concat([header, bytes.map((ink) => 255 - ink)]));
  files.set('7-0.raw', Buffer.from(bytes));
  return files;
}

function differences(files) {
  const present = readdirSync(folder);
  return [
    ...present.filter((name) => !files.has(name)).map((name) => `${name} is not a sample`),
    ...[...files].flatMap(([name, content]) => {
      if (!present.includes(name)) return [`${name} is missing`];
      return readFileSync(new URL(name, folder)).equals(content) ? [] : [`${name} differs`];
    }),
  ];
}

const files = makeSamples();
if (process.argv.includes('--check')) {
  const found = differences(files);
  for (const line of found) console.error(`samples/${line}`);
  if (found.length > 0) console.error('run: node demo/digits/samples.mjs');
  process.exitCode = found.length > 0 ? 1 : 0;
} else {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, content] of files) writeFileSync(new URL(name, folder), content);
  console.log(`${files.size} samples`);
}
