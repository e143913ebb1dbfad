/**
 * Writes digits.onnx: the network that demo/digits has trained, as a model of ONNX. The same weights give the same bytes.
 *
 *   node demo/digits-onnx/export-model.mjs           writes the file
 *   node demo/digits-onnx/export-model.mjs --check   writes nothing; exit code 1 if the file differs or is missing
 *
 * Input "image": float32, 1 × 1 × 28 × 28, from 0 (paper) to 1 (ink). Output "scores": float32, 1 × 10, which add up to 1.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { decodeWeights } from '../digits/training/weights.mjs';
import { bytes, integer, message } from './protobuf.mjs';

// Numbers of fields and enums: onnx.proto3 of ONNX, IR version 8, opset 13.
const IR_VERSION = 8;
const OPSET = 13;
const FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

const INPUT = { channels: 1, height: 28, width: 28 };

function node(opType, inputs, output, attributes = []) {
  return bytes(
    1,
    message(
      inputs.map((name) => bytes(1, name)),
      bytes(2, output),
      bytes(3, output),
      bytes(4, opType),
      attributes.map((attribute) => bytes(5, attribute)),
    ),
  );
}

const intAttribute = (name, value) => message(bytes(1, name), integer(3, value), integer(20, ATTRIBUTE_INT));

const intsAttribute = (name, values) =>
  message(
    bytes(1, name),
    values.map((value) => integer(8, value)),
    integer(20, ATTRIBUTE_INTS),
  );

function initializer(name, dims, values) {
  const raw = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => raw.writeFloatLE(value, at * 4));
  return bytes(
    5,
    message(
      dims.map((dim) => integer(1, dim)),
      integer(2, FLOAT),
      bytes(8, name),
      bytes(9, raw),
    ),
  );
}

function tensor(field, name, dims) {
  const shape = message(dims.map((dim) => bytes(1, integer(1, dim))));
  return bytes(field, message(bytes(1, name), bytes(2, bytes(1, message(integer(1, FLOAT), bytes(2, shape))))));
}

/** @param {import('../digits/training/network.mjs').Network} network */
function encodeModel(network) {
  const nodes = [];
  const weights = [];
  let from = 'image';
  let flat = false;
  const add = (opType, name, inputs, attributes) => {
    nodes.push(node(opType, [from, ...inputs], name, attributes));
    from = name;
  };
  network.layers.forEach((layer, index) => {
    const name = `${layer.kind}${index}`;
    const parameters = (dims) => {
      weights.push(initializer(`${name}.weights`, dims, layer.weights.values));
      weights.push(initializer(`${name}.bias`, [layer.output.channels], layer.bias.values));
      return [`${name}.weights`, `${name}.bias`];
    };
    switch (layer.kind) {
      case 'conv': {
        const dims = [layer.output.channels, layer.input.channels, layer.kernel, layer.kernel];
        return add('Conv', name, parameters(dims), []);
      }
      case 'maxpool':
        return add('MaxPool', name, [], [intsAttribute('kernel_shape', [2, 2]), intsAttribute('strides', [2, 2])]);
      case 'relu':
        return add('Relu', name, [], []);
      case 'dense':
        if (!flat) add('Flatten', 'flat', [], [intAttribute('axis', 1)]);
        flat = true;
        return add('Gemm', name, parameters([layer.output.channels, layer.fanIn]), [intAttribute('transB', 1)]);
      default:
        throw new Error(`there is no ONNX operator for a layer of kind ${layer.kind}`);
    }
  });
  add('Softmax', 'scores', [], [intAttribute('axis', 1)]);
  const graph = message(
    nodes,
    bytes(2, 'digits'),
    weights,
    tensor(11, 'image', [1, INPUT.channels, INPUT.height, INPUT.width]),
    tensor(12, 'scores', [1, 10]),
  );
  return message(integer(1, IR_VERSION), bytes(2, 'aiges-ts'), bytes(7, graph), bytes(8, integer(2, OPSET)));
}

const file = new URL('digits.onnx', import.meta.url);
const weights = readFileSync(new URL('../digits/weights.bin', import.meta.url));
const model = encodeModel(decodeWeights(weights, INPUT));
if (!process.argv.includes('--check')) {
  writeFileSync(file, model);
  console.log(`${model.length} bytes`);
} else if (!existsSync(file) || !readFileSync(file).equals(model)) {
  console.error('digits.onnx is not what export-model.mjs makes of demo/digits/weights.bin; run it without --check');
  process.exitCode = 1;
}
