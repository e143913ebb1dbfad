/**
 * A small neural network in plain JavaScript: forward and backward passes of the four kinds of layer that the weights
 * file knows. One image at a time; gradients add up until the optimiser takes them.
 *
 * Shapes are { channels, height, width }; values lie channel by channel, row by row.
 */

/** @typedef {{ channels: number, height: number, width: number }} Shape */
/** @typedef {{ values: Float32Array, gradient: Float32Array }} Parameter */

export const sizeOf = ({ channels, height, width }) => channels * height * width;

/** @returns {Parameter} */
function parameter(count) {
  return { values: new Float32Array(count), gradient: new Float32Array(count) };
}

/** Convolution without padding, stride 1. Weights: [out][in][row][column]. */
export class Conv {
  kind = 'conv';

  /** @param {Shape} input */
  constructor(input, channels, kernel) {
    this.input = input;
    this.kernel = kernel;
    this.output = { channels, height: input.height - kernel + 1, width: input.width - kernel + 1 };
    this.fanIn = input.channels * kernel * kernel;
    this.weights = parameter(channels * this.fanIn);
    this.bias = parameter(channels);
    this.positions = this.output.height * this.output.width;
    this.patches = new Float32Array(this.positions * this.fanIn);
    this.result = new Float32Array(sizeOf(this.output));
    this.patchGradient = new Float32Array(this.fanIn);
    this.inputGradient = new Float32Array(sizeOf(input));
  }

  forward(image) {
    this.#cutPatches(image);
    const { patches, result, positions, fanIn } = this;
    const weights = this.weights.values;
    const bias = this.bias.values;
    // Four positions share each weight that is loaded: this loop is most of the training time.
    for (let channel = 0; channel < bias.length; channel++) {
      const from = channel * fanIn;
      for (let position = 0; position < positions; position += 4) {
        const count = Math.min(4, positions - position);
        const a = position * fanIn;
        const b = count > 1 ? a + fanIn : a;
        const c = count > 2 ? b + fanIn : a;
        const d = count > 3 ? c + fanIn : a;
        let sumA = bias[channel];
        let sumB = sumA;
        let sumC = sumA;
        let sumD = sumA;
        for (let tap = 0; tap < fanIn; tap++) {
          const weight = weights[from + tap];
          sumA += weight * patches[a + tap];
          sumB += weight * patches[b + tap];
          sumC += weight * patches[c + tap];
          sumD += weight * patches[d + tap];
        }
        const at = channel * positions + position;
        result[at] = sumA;
        if (count > 1) result[at + 1] = sumB;
        if (count > 2) result[at + 2] = sumC;
        if (count > 3) result[at + 3] = sumD;
      }
    }
    return result;
  }

  /** Lays the input under each position of the kernel out as one row. */
  #cutPatches(image) {
    const { input, output, kernel, patches } = this;
    let at = 0;
    for (let row = 0; row < output.height; row++) {
      for (let column = 0; column < output.width; column++) {
        for (let channel = 0; channel < input.channels; channel++) {
          for (let down = 0; down < kernel; down++) {
            const from = (channel * input.height + row + down) * input.width + column;
            for (let right = 0; right < kernel; right++) patches[at++] = image[from + right];
          }
        }
      }
    }
  }

  backward(gradient, wantInput) {
    const { output, positions, fanIn, patches, patchGradient } = this;
    const weights = this.weights.values;
    const weightGradient = this.weights.gradient;
    const biasGradient = this.bias.gradient;
    if (wantInput) this.inputGradient.fill(0);
    for (let position = 0; position < positions; position++) {
      const patch = position * fanIn;
      let touched = false;
      for (let channel = 0; channel < output.channels; channel++) {
        const slope = gradient[channel * positions + position];
        // After pooling and ReLU most are zero.
        if (slope === 0) continue;
        const from = channel * fanIn;
        biasGradient[channel] += slope;
        for (let tap = 0; tap < fanIn; tap++) weightGradient[from + tap] += slope * patches[patch + tap];
        if (!wantInput) continue;
        if (!touched) patchGradient.fill(0);
        touched = true;
        for (let tap = 0; tap < fanIn; tap++) patchGradient[tap] += slope * weights[from + tap];
      }
      if (touched) this.#addPatchGradient(position);
    }
    return this.inputGradient;
  }

  #addPatchGradient(position) {
    const { input, output, kernel, patchGradient, inputGradient } = this;
    const row = Math.floor(position / output.width);
    const column = position % output.width;
    let at = 0;
    for (let channel = 0; channel < input.channels; channel++) {
      for (let down = 0; down < kernel; down++) {
        const to = (channel * input.height + row + down) * input.width + column;
        for (let right = 0; right < kernel; right++) inputGradient[to + right] += patchGradient[at++];
      }
    }
  }

  parameters() {
    return [this.weights, this.bias];
  }
}

/** The largest of each 2x2 square; height and width are even. */
export class MaxPool {
  kind = 'maxpool';

  /** @param {Shape} input */
  constructor(input) {
    this.input = input;
    this.output = { channels: input.channels, height: input.height / 2, width: input.width / 2 };
    this.result = new Float32Array(sizeOf(this.output));
    this.winners = new Uint32Array(sizeOf(this.output));
    this.inputGradient = new Float32Array(sizeOf(input));
  }

  forward(image) {
    const { output, result, winners } = this;
    const { width } = this.input;
    let at = 0;
    for (let row = 0; row < output.channels * output.height; row++) {
      for (let column = 0; column < output.width; column++, at++) {
        const corner = row * 2 * width + column * 2;
        let winner = corner;
        if (image[corner + 1] > image[winner]) winner = corner + 1;
        if (image[corner + width] > image[winner]) winner = corner + width;
        if (image[corner + width + 1] > image[winner]) winner = corner + width + 1;
        winners[at] = winner;
        result[at] = image[winner];
      }
    }
    return result;
  }

  backward(gradient) {
    const { winners, inputGradient } = this;
    inputGradient.fill(0);
    for (let at = 0; at < winners.length; at++) inputGradient[winners[at]] = gradient[at];
    return inputGradient;
  }

  parameters() {
    return [];
  }
}

export class Relu {
  kind = 'relu';

  /** @param {Shape} input */
  constructor(input) {
    this.input = input;
    this.output = input;
    this.result = new Float32Array(sizeOf(input));
    this.inputGradient = new Float32Array(sizeOf(input));
  }

  forward(values) {
    const { result } = this;
    for (let at = 0; at < result.length; at++) result[at] = values[at] > 0 ? values[at] : 0;
    return result;
  }

  backward(gradient) {
    const { result, inputGradient } = this;
    for (let at = 0; at < result.length; at++) inputGradient[at] = result[at] > 0 ? gradient[at] : 0;
    return inputGradient;
  }

  parameters() {
    return [];
  }
}

/** Every output sees every input. Weights: [out][in]. */
export class Dense {
  kind = 'dense';

  /** @param {Shape} input */
  constructor(input, outputs) {
    this.input = input;
    this.output = { channels: outputs, height: 1, width: 1 };
    this.fanIn = sizeOf(input);
    this.weights = parameter(outputs * this.fanIn);
    this.bias = parameter(outputs);
    this.values = new Float32Array(this.fanIn);
    this.result = new Float32Array(outputs);
    this.inputGradient = new Float32Array(this.fanIn);
  }

  forward(values) {
    this.values.set(values);
    const weights = this.weights.values;
    for (let out = 0; out < this.result.length; out++) {
      let sum = this.bias.values[out];
      for (let at = 0; at < this.fanIn; at++) sum += weights[out * this.fanIn + at] * values[at];
      this.result[out] = sum;
    }
    return this.result;
  }

  backward(gradient) {
    const { fanIn, values, inputGradient } = this;
    inputGradient.fill(0);
    for (let out = 0; out < gradient.length; out++) {
      const slope = gradient[out];
      if (slope === 0) continue;
      const from = out * fanIn;
      this.bias.gradient[out] += slope;
      for (let at = 0; at < fanIn; at++) {
        this.weights.gradient[from + at] += slope * values[at];
        inputGradient[at] += slope * this.weights.values[from + at];
      }
    }
    return inputGradient;
  }

  parameters() {
    return [this.weights, this.bias];
  }
}

export class Network {
  constructor(layers) {
    this.layers = layers;
    this.gradient = new Float32Array(sizeOf(layers.at(-1).output));
  }

  /**
   * The scores of an image, one per digit; they add up to 1. The array is reused by the next call.
   * @param {Float32Array} image values from 0 (background) to 1 (ink)
   */
  forward(image) {
    let values = image;
    for (const layer of this.layers) values = layer.forward(values);
    return softmax(values);
  }

  /**
   * Adds to the gradients what would make `label` likelier, after `forward`.
   * @returns {number} the cross-entropy
   */
  backward(scores, label) {
    this.gradient.set(scores);
    this.gradient[label] -= 1;
    let gradient = this.gradient;
    for (let index = this.layers.length - 1; index >= 0; index--) {
      gradient = this.layers[index].backward(gradient, index > 0);
    }
    return -Math.log(Math.max(scores[label], 1e-12));
  }

  parameters() {
    return this.layers.flatMap((layer) => layer.parameters());
  }
}

/** In place. */
function softmax(values) {
  const largest = values.reduce((a, b) => Math.max(a, b));
  let sum = 0;
  for (let at = 0; at < values.length; at++) {
    values[at] = Math.exp(values[at] - largest);
    sum += values[at];
  }
  for (let at = 0; at < values.length; at++) values[at] /= sum;
  return values;
}

/** The index of the largest value. */
export function best(values) {
  let winner = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[winner]) winner = at;
  return winner;
}

/** Adam (Kingma and Ba, 2015). */
export class Adam {
  #steps = 0;
  #moments;

  /** @param {Parameter[]} parameters */
  constructor(parameters) {
    this.#moments = parameters.map(({ values, gradient }) => ({
      values,
      gradient,
      first: new Float32Array(values.length),
      second: new Float32Array(values.length),
    }));
  }

  /** Moves the parameters against their gradients, which were summed over `batch` images, and clears those. */
  step(rate, batch) {
    this.#steps++;
    const correctFirst = 1 - 0.9 ** this.#steps;
    const correctSecond = 1 - 0.999 ** this.#steps;
    for (const { values, gradient, first, second } of this.#moments) {
      for (let at = 0; at < values.length; at++) {
        const slope = gradient[at] / batch;
        first[at] += 0.1 * (slope - first[at]);
        second[at] += 0.001 * (slope * slope - second[at]);
        values[at] -= (rate * (first[at] / correctFirst)) / (Math.sqrt(second[at] / correctSecond) + 1e-8);
        gradient[at] = 0;
      }
    }
  }
}
