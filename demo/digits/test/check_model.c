/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "checksum.h"
#include "model.h"

enum { CONV = 1, MAXPOOL = 2, RELU = 3, DENSE = 4 };

/* ---- building weights files --------------------------------------------------------------------------- */

typedef struct {
  uint8_t bytes[1 << 16];
  size_t length;
} Writer;

static void put_u32(Writer *out, uint32_t value) {
  put_u32le(out->bytes + out->length, value);
  out->length += 4;
}

static void put_f32(Writer *out, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_u32(out, bits);
}

static void begin_weights(Writer *out) {
  out->length = 0;
  memcpy(out->bytes, "DGTW", 4);
  out->length = 4;
  put_u32(out, 1);
  put_u32(out, 0);
  put_u32(out, 0);
}

/* Appends a layer, with parameters if it has outputs: every weight is scale * step. */
static void put_layer(Writer *out, uint32_t kind, uint32_t outputs, uint32_t inputs, uint32_t kernel, float scale) {
  put_u32(out, kind);
  put_u32(out, outputs);
  put_u32(out, inputs);
  put_u32(out, kernel);
  out->bytes[12]++;
  for (uint32_t i = 0; i < outputs; i++) put_f32(out, scale);
  for (uint32_t i = 0; i < outputs; i++) put_f32(out, (float)i);
  const size_t weights = (size_t)outputs * inputs * kernel * kernel;
  memset(out->bytes + out->length, 1, weights);
  out->length += (weights + 3) / 4 * 4;
}

/* Makes length and checksum right. */
static void mend(uint8_t *bytes, size_t length) {
  put_u32le(bytes + 8, (uint32_t)length);
  put_u32le(bytes + length - 4, checksum_crc32(bytes, length - 4));
}

/* Parses, and lets a model that parses compute. */
static Status try_model(const uint8_t *bytes, size_t length) {
  Blob exact = blob_copy(bytes, length);
  uint8_t ink[IMAGE_PIXELS];
  float scores[MODEL_CLASSES];
  memset(ink, 200, sizeof ink);
  Model *model = NULL;
  Status status = model_parse(exact.bytes, exact.length, &model);
  blob_free(&exact);
  if (status == OK) status = model_scores(model, ink, scores);
  model_free(model);
  return status;
}

static Status try_written(Writer *out) {
  out->length += 4;
  mend(out->bytes, out->length);
  return try_model(out->bytes, out->length);
}

/* ---- tests -------------------------------------------------------------------------------------------- */

static void refuses_layers_that_do_not_fit(void) {
  static const struct {
    uint32_t kind, outputs, inputs, kernel;
  } cases[] = {
      {0, 0, 0, 0},       {5, 0, 0, 0},        {RELU, 0, 0, 0} /* 784 scores */,
      {RELU, 1, 0, 0},    {MAXPOOL, 0, 1, 0},  {MAXPOOL, 0, 0, 2},
      {DENSE, 9, 784, 1}, {DENSE, 11, 784, 1}, {DENSE, 10, 783, 1},
      {DENSE, 0, 784, 1}, {DENSE, 10, 784, 2}, {CONV, 10, 2, 28},
      {CONV, 10, 1, 0},   {CONV, 10, 1, 29},   {CONV, 0, 1, 5},
  };
  static Writer out;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin_weights(&out);
    put_layer(&out, cases[i].kind, cases[i].outputs, cases[i].inputs, cases[i].kernel, 0);
    CHECK_STATUS(E_WEIGHTS_SHAPE, try_written(&out));
  }
}

static void refuses_sizes_that_overflow(void) {
  static const struct {
    uint32_t kind, outputs, inputs, kernel;
  } cases[] = {
      {DENSE, 0xffffffff, 784, 1}, {DENSE, 1 << 18, 784, 1}, {DENSE, 0x40000000, 784, 1},
      {CONV, 0xffffffff, 1, 28},   {CONV, 1 << 18, 1, 28},   {CONV, 10, 1, 0xffffffff},
  };
  static Writer out;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    begin_weights(&out);
    put_layer(&out, cases[i].kind, 0, cases[i].inputs, cases[i].kernel, 0);
    put_u32le(out.bytes + 20, cases[i].outputs);
    CHECK_STATUS(E_WEIGHTS_SHAPE, try_written(&out));
  }
}

static void refuses_bad_layer_counts(void) {
  static Writer out;
  begin_weights(&out);
  CHECK_STATUS(E_WEIGHTS_SHAPE, try_written(&out)); /* none */

  begin_weights(&out);
  for (int i = 0; i < 32; i++) put_layer(&out, RELU, 0, 0, 0, 0);
  put_layer(&out, DENSE, 10, 784, 1, 0);
  CHECK_STATUS(E_WEIGHTS_SHAPE, try_written(&out)); /* too many */

  begin_weights(&out);
  put_layer(&out, DENSE, 10, 784, 1, 0);
  put_u32(&out, 0);
  CHECK_STATUS(E_WEIGHTS_SHAPE, try_written(&out)); /* bytes behind the last */

  begin_weights(&out);
  put_layer(&out, MAXPOOL, 0, 0, 0, 0);
  put_layer(&out, MAXPOOL, 0, 0, 0, 0);
  put_layer(&out, MAXPOOL, 0, 0, 0, 0); /* 7x7 has no halves */
  CHECK_STATUS(E_WEIGHTS_SHAPE, try_written(&out));
}

static void refuses_numbers_without_a_score(void) {
  static Writer out;
  static const float scales[] = {NAN, INFINITY, -INFINITY, 3e38f /* finite, but sums are not */};
  for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
    begin_weights(&out);
    put_layer(&out, DENSE, 10, 784, 1, scales[i]);
    CHECK_STATUS(E_WEIGHTS_VALUE, try_written(&out));
  }
}

static void refuses_a_damaged_envelope(Blob weights) {
  Blob copy = blob_copy(weights.bytes, weights.length);
  copy.bytes[0] = 'd';
  mend(copy.bytes, copy.length);
  CHECK_STATUS(E_WEIGHTS_MAGIC, try_model(copy.bytes, copy.length));
  copy.bytes[0] = 'D';
  copy.bytes[4] = 2;
  mend(copy.bytes, copy.length);
  CHECK_STATUS(E_WEIGHTS_VERSION, try_model(copy.bytes, copy.length));
  copy.bytes[4] = 1;
  mend(copy.bytes, copy.length);
  CHECK_STATUS(OK, try_model(copy.bytes, copy.length));
  CHECK_STATUS(E_WEIGHTS_LENGTH, try_model(copy.bytes, copy.length - 1));
  put_u32le(copy.bytes + 8, 0);
  CHECK_STATUS(E_WEIGHTS_LENGTH, try_model(copy.bytes, copy.length));
  blob_free(&copy);
}

static void refuses_every_prefix(Blob weights) {
  bool refused = true;
  for (size_t length = 0; length < weights.length; length++) {
    refused &= try_model(weights.bytes, length) == E_WEIGHTS_LENGTH;
  }
  CHECK(refused);
}

static void refuses_flipped_bits(Blob weights) {
  bool refused = true;
  for (size_t bit = 0; bit < weights.length * 8; bit += bit < 4096 ? 1 : 331) {
    weights.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    refused &= try_model(weights.bytes, weights.length) != OK;
    weights.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  CHECK(refused);
}

/* With a right checksum the changes reach the layers; the first four have their headers in the first 480 bytes. */
static void survives_mutations(Blob weights) {
  uint32_t random = 3;
  bool known = true;
  for (int round = 0; round < 3000; round++) {
    Blob copy = blob_copy(weights.bytes, weights.length);
    for (uint32_t changes = 1 + random_below(&random, 3); changes > 0; changes--) {
      const uint32_t limit = random_below(&random, 4) == 0 ? (uint32_t)copy.length : 480;
      const uint32_t at = 12 + random_below(&random, limit - 12);
      copy.bytes[at] = random_below(&random, 2) == 0 ? (uint8_t)random_below(&random, 256)
                                                     : (uint8_t)(copy.bytes[at] + random_below(&random, 3));
    }
    mend(copy.bytes, copy.length);
    known &= is_known(try_model(copy.bytes, copy.length));
    blob_free(&copy);
  }
  CHECK(known);
}

static void computes_a_dense_layer(void) {
  static Writer out;
  begin_weights(&out);
  put_layer(&out, DENSE, 10, 784, 1, 0.5f); /* biases 0 to 9: nine is likeliest, whatever the image */
  out.length += 4;
  mend(out.bytes, out.length);
  Model *model = NULL;
  CHECK_STATUS(OK, model_parse(out.bytes, out.length, &model));
  static const uint8_t ink[IMAGE_PIXELS];
  float scores[MODEL_CLASSES];
  CHECK_STATUS(OK, model_scores(model, ink, scores));
  CHECK(fabsf(scores[9] / scores[8] - expf(1)) < 1e-4f);
  float sum = 0;
  for (int i = 0; i < MODEL_CLASSES; i++) sum += scores[i];
  CHECK(fabsf(sum - 1) < 1e-5f);
  model_free(model);
}

void check_model(Blob weights) {
  refuses_layers_that_do_not_fit();
  refuses_sizes_that_overflow();
  refuses_bad_layer_counts();
  refuses_numbers_without_a_score();
  refuses_a_damaged_envelope(weights);
  refuses_every_prefix(weights);
  refuses_flipped_bits(weights);
  survives_mutations(weights);
  computes_a_dense_layer();
  model_free(NULL);
}
