/**
 * Trains the network of this demo and writes weights.bin. Same code, same data, same bytes.
 *
 *   node demo/digits/train.mjs [file]
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadDigits, PIXELS, SIDE, splitDigits } from './data.mjs';
import { Augmenter } from './training/augment.mjs';
import { Adam, best, Conv, Dense, MaxPool, Network, Relu } from './training/network.mjs';
import { Random } from './training/random.mjs';
import { decodeWeights, encodeWeights } from './training/weights.mjs';

const SEED = 20;
const EPOCHS = 30;
const BATCH = 32;
const RATE = 0.002;
const WARM_UP = 0.02; // of all steps

const INPUT = { channels: 1, height: SIDE, width: SIDE };

function buildNetwork(random) {
  const layers = [];
  const add = (Layer, ...sizes) => layers.push(new Layer(layers.at(-1)?.output ?? INPUT, ...sizes));
  add(Conv, 12, 5);
  add(MaxPool);
  add(Relu);
  add(Conv, 24, 5);
  add(MaxPool);
  add(Relu);
  add(Dense, 64);
  add(Relu);
  add(Dense, 10);
  // He and others, 2015: keeps the size of values the same through ReLU layers.
  for (const { weights, fanIn } of layers.filter((layer) => layer.weights)) {
    const spread = Math.sqrt(2 / fanIn);
    for (let at = 0; at < weights.values.length; at++) weights.values[at] = random.normal() * spread;
  }
  return new Network(layers);
}

/** Rises for a moment, then falls along a cosine to zero. */
function rateAt(progress) {
  if (progress < WARM_UP) return (RATE * progress) / WARM_UP;
  return (RATE * (1 + Math.cos((Math.PI * (progress - WARM_UP)) / (1 - WARM_UP)))) / 2;
}

const inkOf = (bytes) => Float32Array.from(bytes, (byte) => byte / 255);

function train(network, digits, random) {
  const images = digits.map(({ bytes }) => inkOf(bytes));
  const augmenter = new Augmenter(random);
  const adam = new Adam(network.parameters());
  const variant = new Float32Array(PIXELS);
  const stepsPerEpoch = Math.ceil(digits.length / BATCH);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const order = random.permutation(digits.length);
    let loss = 0;
    let right = 0;
    for (let step = 0; step < stepsPerEpoch; step++) {
      const batch = order.subarray(step * BATCH, (step + 1) * BATCH);
      for (const index of batch) {
        augmenter.vary(images[index], variant);
        const scores = network.forward(variant);
        if (best(scores) === digits[index].label) right++;
        loss += network.backward(scores, digits[index].label);
      }
      adam.step(rateAt((epoch * stepsPerEpoch + step + 1) / (EPOCHS * stepsPerEpoch)), batch.length);
    }
    const accuracy = percent(right / digits.length);
    console.log(`epoch ${epoch + 1}/${EPOCHS}  loss ${(loss / digits.length).toFixed(4)}  accuracy ${accuracy}`);
  }
}

function accuracyOf(network, digits) {
  const right = digits.filter(({ label, bytes }) => best(network.forward(inkOf(bytes))) === label);
  return right.length / digits.length;
}

const percent = (fraction) => `${(fraction * 100).toFixed(2)} %`;

const file = process.argv[2] ?? fileURLToPath(new URL('weights.bin', import.meta.url));
const started = process.hrtime.bigint();
const { training, heldOut } = splitDigits(loadDigits());
console.log(`${training.length} digits to learn from, ${heldOut.length} held out`);

const random = new Random(SEED);
const network = buildNetwork(random);
train(network, training, random);

const weights = encodeWeights(network);
writeFileSync(file, weights);

// The digits held out decide nothing above; they are looked at once, with the weights as the engine will read them.
const accuracy = accuracyOf(decodeWeights(weights, INPUT), heldOut);
const seconds = Number((process.hrtime.bigint() - started) / 1_000_000_000n);
console.log(`${file}: ${weights.length} bytes, ${percent(accuracy)} of the digits held out, ${seconds} s`);
