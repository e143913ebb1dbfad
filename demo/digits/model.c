/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checksum.h"

enum {
  FILE_HEADER = 16,
  FILE_VERSION = 1,
  FILE_CHECKSUM = 4,
  FILE_MAX = 1 << 20,
  LAYER_HEADER = 16,
  LAYERS_MAX = 32,
  VALUES_MAX = 1 << 18, /* between two layers; bounds the memory of a call to twice 1 MiB */
};

typedef enum { CONV = 1, MAXPOOL = 2, RELU = 3, DENSE = 4 } LayerKind;

typedef struct {
  uint32_t channels, height, width;
} Shape;

typedef struct {
  LayerKind kind;
  Shape input, output;
  uint32_t kernel;
  uint32_t fan_in; /* weights of one output */
  float *bias;     /* OWNERSHIP: layer. One per output channel, the weights after them. NULL in layers without. */
  float *weights;  /* [output][fan_in], in the block of bias */
} Layer;

struct Model {
  uint32_t layer_count;
  size_t largest; /* values between any two layers */
  Layer layers[LAYERS_MAX];
};

/* ---- reading the file --------------------------------------------------------------------------------- */

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} Reader;

static uint32_t read_u32(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static float read_f32(const uint8_t *bytes) {
  const uint32_t bits = read_u32(bytes);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static int read_i8(const uint8_t *byte) { return *byte < 128 ? *byte : *byte - 256; }

/* Takes `size` bytes, which a well-formed file has. */
static Status take(Reader *in, uint64_t size, const uint8_t **bytes) {
  if (size > (uint64_t)(in->end - in->at)) return E_WEIGHTS_SHAPE;
  *bytes = in->at;
  in->at += size;
  return OK;
}

static uint64_t values_in(Shape shape) { return (uint64_t)shape.channels * shape.height * shape.width; }

/* Finds the shape of a layer's output, or refuses a layer that does not fit its input. */
static Status connect(Layer *layer, uint32_t outputs, uint32_t inputs) {
  const Shape in = layer->input;
  const uint32_t kernel = layer->kernel;
  const bool bare = outputs == 0 && inputs == 0 && kernel == 0;
  switch (layer->kind) {
    case CONV:
      if (inputs != in.channels || kernel < 1 || kernel > in.height || kernel > in.width) return E_WEIGHTS_SHAPE;
      layer->output = (Shape){outputs, in.height - kernel + 1, in.width - kernel + 1};
      layer->fan_in = in.channels * kernel * kernel;
      break;
    case MAXPOOL:
      if (!bare || in.height % 2 != 0 || in.width % 2 != 0) return E_WEIGHTS_SHAPE;
      layer->output = (Shape){in.channels, in.height / 2, in.width / 2};
      break;
    case RELU:
      if (!bare) return E_WEIGHTS_SHAPE;
      layer->output = in;
      break;
    case DENSE:
      if (inputs != values_in(in) || kernel != 1) return E_WEIGHTS_SHAPE;
      layer->output = (Shape){outputs, 1, 1};
      layer->fan_in = inputs;
      break;
    default:
      return E_WEIGHTS_SHAPE;
  }
  const uint64_t values = values_in(layer->output);
  return layer->output.channels <= VALUES_MAX && values >= 1 && values <= VALUES_MAX ? OK : E_WEIGHTS_SHAPE;
}

/* Takes scales, biases and quantised weights, and keeps biases and weights as floats. */
static Status read_parameters(Layer *layer, Reader *in) {
  const uint32_t outputs = layer->output.channels;
  const uint64_t weight_count = (uint64_t)outputs * layer->fan_in;
  const uint8_t *scales;
  const uint8_t *bias;
  const uint8_t *quantised;
  TRY(take(in, (uint64_t)4 * outputs, &scales));
  TRY(take(in, (uint64_t)4 * outputs, &bias));
  TRY(take(in, (weight_count + 3) / 4 * 4, &quantised));

  layer->bias = malloc((size_t)(outputs + weight_count) * sizeof *layer->bias);
  if (layer->bias == NULL) return E_MEMORY;
  layer->weights = layer->bias + outputs;
  for (uint32_t output = 0; output < outputs; output++) {
    const float scale = read_f32(scales + (size_t)4 * output);
    layer->bias[output] = read_f32(bias + (size_t)4 * output);
    if (!isfinite(scale) || !isfinite(layer->bias[output])) return E_WEIGHTS_VALUE;
    const size_t first = (size_t)output * layer->fan_in;
    for (size_t i = first; i < first + layer->fan_in; i++) layer->weights[i] = scale * (float)read_i8(quantised + i);
  }
  return OK;
}

static Status read_layer(Layer *layer, Reader *in) {
  const uint8_t *header;
  TRY(take(in, LAYER_HEADER, &header));
  layer->kind = (LayerKind)read_u32(header);
  layer->kernel = read_u32(header + 12);
  TRY(connect(layer, read_u32(header + 4), read_u32(header + 8)));
  return layer->fan_in > 0 ? read_parameters(layer, in) : OK;
}

static Status read_layers(Model *model, uint32_t count, Reader in) {
  if (count < 1 || count > LAYERS_MAX) return E_WEIGHTS_SHAPE;
  Shape shape = {1, IMAGE_SIDE, IMAGE_SIDE};
  model->largest = IMAGE_PIXELS;
  while (model->layer_count < count) {
    Layer *layer = &model->layers[model->layer_count++]; /* counted first, so that model_free sees it */
    layer->input = shape;
    TRY(read_layer(layer, &in));
    shape = layer->output;
    if (values_in(shape) > model->largest) model->largest = (size_t)values_in(shape);
  }
  return values_in(shape) == MODEL_CLASSES && in.at == in.end ? OK : E_WEIGHTS_SHAPE;
}

/* Checks what surrounds the layers. A file that was cut short must not pass for one of another kind. */
static Status check_envelope(const uint8_t *bytes, size_t length) {
  static const uint8_t magic[4] = {'D', 'G', 'T', 'W'};
  if (memcmp(bytes, magic, length < sizeof magic ? length : sizeof magic) != 0) return E_WEIGHTS_MAGIC;
  if (length < FILE_HEADER + FILE_CHECKSUM) return E_WEIGHTS_LENGTH;
  if (read_u32(bytes + 4) != FILE_VERSION) return E_WEIGHTS_VERSION;
  if (read_u32(bytes + 8) != length) return E_WEIGHTS_LENGTH;
  const size_t content = length - FILE_CHECKSUM;
  return checksum_crc32(bytes, content) == read_u32(bytes + content) ? OK : E_WEIGHTS_CHECKSUM;
}

Status model_parse(const uint8_t *bytes, size_t length, Model **model) {
  TRY(check_envelope(bytes, length));
  Model *parsed = calloc(1, sizeof *parsed);
  if (parsed == NULL) return E_MEMORY;
  const Reader layers = {bytes + FILE_HEADER, bytes + length - FILE_CHECKSUM};
  const Status status = read_layers(parsed, read_u32(bytes + 12), layers);
  if (status != OK) {
    model_free(parsed);
    return status;
  }
  *model = parsed;
  return OK;
}

/* Reads up to `size` bytes; a directory opens, but does not read. */
static Status read_file(const char *path, uint8_t *bytes, size_t size, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return E_WEIGHTS_OPEN;
  *length = fread(bytes, 1, size, file);
  const bool failed = ferror(file);
  fclose(file);
  return failed ? E_WEIGHTS_OPEN : OK;
}

Status model_load(const char *path, Model **model) {
  size_t length;
  uint8_t *bytes = malloc(FILE_MAX);
  if (bytes == NULL) return E_MEMORY;
  Status status = read_file(path, bytes, FILE_MAX, &length);
  if (status == OK) status = model_parse(bytes, length, model);
  free(bytes);
  return status;
}

void model_free(Model *model) {
  if (model == NULL) return;
  for (uint32_t i = 0; i < model->layer_count; i++) free(model->layers[i].bias);
  free(model);
}

/* ---- computing ---------------------------------------------------------------------------------------- */

/* Adds one input channel, seen through its part of a kernel, to one output channel. */
static void add_channel(const Layer *layer, const float *weights, const float *in, float *out) {
  for (uint32_t down = 0; down < layer->kernel; down++) {
    for (uint32_t right = 0; right < layer->kernel; right++) {
      const float weight = *weights++;
      for (uint32_t row = 0; row < layer->output.height; row++) {
        const float *from = in + (size_t)(row + down) * layer->input.width + right;
        float *to = out + (size_t)row * layer->output.width;
        for (uint32_t column = 0; column < layer->output.width; column++) to[column] += weight * from[column];
      }
    }
  }
}

static void compute_conv(const Layer *layer, const float *in, float *out) {
  const size_t in_size = (size_t)layer->input.height * layer->input.width;
  const size_t out_size = (size_t)layer->output.height * layer->output.width;
  const float *weights = layer->weights;
  for (uint32_t output = 0; output < layer->output.channels; output++, out += out_size) {
    for (size_t i = 0; i < out_size; i++) out[i] = layer->bias[output];
    for (uint32_t input = 0; input < layer->input.channels; input++) {
      add_channel(layer, weights, in + input * in_size, out);
      weights += (size_t)layer->kernel * layer->kernel;
    }
  }
}

static float larger(float a, float b) { return a > b ? a : b; }

static void compute_maxpool(const Layer *layer, const float *in, float *out) {
  const size_t width = layer->input.width;
  const size_t rows = (size_t)layer->output.channels * layer->output.height;
  for (size_t row = 0; row < rows; row++, in += 2 * width) {
    for (size_t column = 0; column < width; column += 2) {
      *out++ = larger(larger(in[column], in[column + 1]), larger(in[width + column], in[width + column + 1]));
    }
  }
}

static void compute_relu(const Layer *layer, const float *in, float *out) {
  const size_t count = (size_t)values_in(layer->output);
  for (size_t i = 0; i < count; i++) out[i] = larger(in[i], 0);
}

static void compute_dense(const Layer *layer, const float *in, float *out) {
  const float *weights = layer->weights;
  for (uint32_t output = 0; output < layer->output.channels; output++) {
    float sum = layer->bias[output];
    for (uint32_t i = 0; i < layer->fan_in; i++) sum += *weights++ * in[i];
    out[output] = sum;
  }
}

static void compute(const Layer *layer, const float *in, float *out) {
  switch (layer->kind) {
    case CONV:
      compute_conv(layer, in, out);
      break;
    case MAXPOOL:
      compute_maxpool(layer, in, out);
      break;
    case RELU:
      compute_relu(layer, in, out);
      break;
    case DENSE:
      compute_dense(layer, in, out);
      break;
  }
}

/* Finite weights can still overflow; then there is no answer. */
static Status softmax(const float *logits, float scores[MODEL_CLASSES]) {
  float largest = logits[0];
  for (int i = 0; i < MODEL_CLASSES; i++) {
    if (!isfinite(logits[i])) return E_WEIGHTS_VALUE;
    largest = larger(largest, logits[i]);
  }
  float sum = 0;
  for (int i = 0; i < MODEL_CLASSES; i++) {
    scores[i] = expf(logits[i] - largest);
    sum += scores[i];
  }
  for (int i = 0; i < MODEL_CLASSES; i++) scores[i] /= sum;
  return OK;
}

Status model_scores(const Model *model, const uint8_t ink[IMAGE_PIXELS], float scores[MODEL_CLASSES]) {
  float *block = malloc(2 * model->largest * sizeof *block);
  if (block == NULL) return E_MEMORY;
  float *values = block;
  float *next = block + model->largest;
  for (int i = 0; i < IMAGE_PIXELS; i++) values[i] = (float)ink[i] / 255;
  for (uint32_t i = 0; i < model->layer_count; i++) {
    compute(&model->layers[i], values, next);
    float *const computed = next;
    next = values;
    values = computed;
  }
  const Status status = softmax(values, scores);
  free(block);
  return status;
}
