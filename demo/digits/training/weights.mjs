/**
 * The weights file: what train.mjs writes and model.c reads. Little-endian throughout.
 *
 *   offset  size
 *        0     4  magic "DGTW"
 *        4     4  version, 1
 *        8     4  length of the whole file
 *       12     4  number of layers
 *       16        the layers, first to last:
 *                   4  kind: 1 conv, 2 maxpool, 3 relu, 4 dense
 *                   4  outputs: channels of conv, values of dense, else 0
 *                   4  inputs: channels of conv, values of dense, else 0
 *                   4  kernel: side of the square of conv, 1 for dense, else 0
 *                 and for conv and dense
 *                   4 * outputs  float32, scale of each output's weights
 *                   4 * outputs  float32, bias of each output
 *                   outputs * inputs * kernel * kernel  int8, [out][in][row][column] (dense: [out][in])
 *                   0 to 3  zero bytes up to a multiple of 4
 *   length-4     4  CRC-32 (as in PNG) of everything before it
 *
 * A weight is scale * int8. The input of the first layer is one 28x28 channel of values from 0 to 1, the output of the
 * last one ten values that go through softmax. conv has stride 1 and no padding, maxpool takes 2x2 squares.
 */
import { crc32 } from 'node:zlib';
import { Conv, Dense, MaxPool, Network, Relu } from './network.mjs';

const MAGIC = 'DGTW';
const VERSION = 1;
const KINDS = ['conv', 'maxpool', 'relu', 'dense'];

/**
 * @param {Network} network
 * @returns {Buffer}
 */
export function encodeWeights(network) {
  const body = Buffer.concat(network.layers.map(encodeLayer));
  const header = Buffer.alloc(16);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(VERSION, 4);
  header.writeUInt32LE(header.length + body.length + 4, 8);
  header.writeUInt32LE(network.layers.length, 12);
  const content = Buffer.concat([header, body]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(content));
  return Buffer.concat([content, checksum]);
}

function encodeLayer(layer) {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(KINDS.indexOf(layer.kind) + 1);
  if (layer.kind !== 'conv' && layer.kind !== 'dense') return header;
  const outputs = layer.output.channels;
  header.writeUInt32LE(outputs, 4);
  header.writeUInt32LE(layer.kind === 'conv' ? layer.input.channels : layer.fanIn, 8);
  header.writeUInt32LE(layer.kind === 'conv' ? layer.kernel : 1, 12);
  const scales = Buffer.alloc(4 * outputs);
  const bias = Buffer.alloc(4 * outputs);
  const weights = Buffer.alloc(Math.ceil((outputs * layer.fanIn) / 4) * 4);
  for (let out = 0; out < outputs; out++) {
    const row = layer.weights.values.subarray(out * layer.fanIn, (out + 1) * layer.fanIn);
    const scale = Math.fround(row.reduce((largest, weight) => Math.max(largest, Math.abs(weight)), 1e-6) / 127);
    scales.writeFloatLE(scale, 4 * out);
    bias.writeFloatLE(layer.bias.values[out], 4 * out);
    row.forEach((weight, at) => {
      const step = Math.max(-127, Math.min(127, Math.round(weight / scale)));
      weights.writeInt8(step, out * layer.fanIn + at);
    });
  }
  return Buffer.concat([header, scales, bias, weights]);
}

/**
 * Builds the network a weights file describes: the same numbers the engine computes with.
 * @param {Buffer} bytes
 * @param {import('./network.mjs').Shape} input
 */
export function decodeWeights(bytes, input) {
  const content = bytes.subarray(0, -4);
  if (bytes.toString('latin1', 0, 4) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) {
    throw new Error('expected a weights file of version 1');
  }
  if (bytes.readUInt32LE(8) !== bytes.length || bytes.readUInt32LE(content.length) !== crc32(content)) {
    throw new Error('the weights file is damaged');
  }
  const layers = [];
  let at = 16;
  for (let count = bytes.readUInt32LE(12); count > 0; count--) {
    const kind = KINDS[bytes.readUInt32LE(at) - 1];
    const outputs = bytes.readUInt32LE(at + 4);
    const kernel = bytes.readUInt32LE(at + 12);
    const layer = makeLayer(kind, layers.at(-1)?.output ?? input, outputs, kernel);
    at += 16;
    if (layer.weights) at = decodeParameters(bytes, at, layer, outputs);
    layers.push(layer);
  }
  return new Network(layers);
}

function makeLayer(kind, input, outputs, kernel) {
  switch (kind) {
    case 'conv':
      return new Conv(input, outputs, kernel);
    case 'maxpool':
      return new MaxPool(input);
    case 'relu':
      return new Relu(input);
    case 'dense':
      return new Dense(input, outputs);
    default:
      throw new Error('the weights file has a layer of an unknown kind');
  }
}

/** @returns {number} where the next layer starts */
function decodeParameters(bytes, at, layer, outputs) {
  const weightsAt = at + 8 * outputs;
  const values = layer.weights.values;
  for (let out = 0; out < outputs; out++) {
    const scale = bytes.readFloatLE(at + 4 * out);
    layer.bias.values[out] = bytes.readFloatLE(at + 4 * (outputs + out));
    for (let index = out * layer.fanIn; index < (out + 1) * layer.fanIn; index++) {
      values[index] = scale * bytes.readInt8(weightsAt + index);
    }
  }
  return weightsAt + Math.ceil(values.length / 4) * 4;
}
