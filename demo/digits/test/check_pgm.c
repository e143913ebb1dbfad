/* SPDX-License-Identifier: Apache-2.0
 *
 * PGM, raw pixels, and how formats and polarity are told apart.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "image.h"

static uint8_t pixels[IMAGE_PIXELS];

static Status decode(const void *bytes, size_t length) {
  Blob exact = blob_copy(bytes, length);
  const Status status = image_luminance(exact.bytes, exact.length, pixels);
  blob_free(&exact);
  return status;
}

typedef struct {
  char bytes[8192];
  size_t length;
} Text;

/* A header and `count` pixels of the same value. */
static Text make_binary(const char *header, size_t count, uint8_t value) {
  Text text;
  text.length = strlen(header) + count;
  memcpy(text.bytes, header, strlen(header));
  memset(text.bytes + strlen(header), value, count);
  return text;
}

static Text make_plain(const char *header, size_t count, const char *pixel) {
  Text text;
  text.length = (size_t)snprintf(text.bytes, sizeof text.bytes, "%s", header);
  for (; count > 0; count--) {
    text.length += (size_t)snprintf(text.bytes + text.length, sizeof text.bytes - text.length, " %s", pixel);
  }
  return text;
}

static void refuses_other_formats(void) {
  CHECK_STATUS(E_EMPTY_IMAGE, image_luminance(NULL, 0, pixels));
  CHECK_STATUS(E_FORMAT, decode("P", 1));
  CHECK_STATUS(E_FORMAT, decode("P6\n28 28\n255\n", 13));
  CHECK_STATUS(E_FORMAT, decode("P5", 2));
  CHECK_STATUS(E_FORMAT, decode("GIF89a", 6));
  static uint8_t bytes[IMAGE_FILE_MAX + 1];
  CHECK_STATUS(E_FORMAT, decode(bytes, IMAGE_PIXELS - 1));
  CHECK_STATUS(E_FORMAT, decode(bytes, IMAGE_PIXELS + 1));
  CHECK_STATUS(E_TOO_LARGE, decode(bytes, sizeof bytes));
}

static void refuses_malformed_pgm(void) {
  static const struct {
    const char *header;
    Status expected;
  } cases[] = {
      {"P5\n", E_PGM_HEADER}, /* the pixels are taken for the width */
      {"P5\n28\n", E_PGM_HEADER},
      {"P5\n28 28\n", E_PGM_HEADER},
      {"P5\n-28 28\n255\n", E_PGM_HEADER},
      {"P5\n28x28\n255\n", E_PGM_HEADER},
      {"P5\n28 2800000\n255\n", E_PGM_HEADER},
      {"P5\n28 28\n0x1\n", E_PGM_HEADER},
      {"P5\n27 28\n255\n", E_PGM_SIZE},
      {"P5\n28 29\n255\n", E_PGM_SIZE},
      {"P5\n0 0\n255\n", E_PGM_SIZE},
      {"P5\n28 28\n0\n", E_PGM_MAXIMUM},
      {"P5\n28 28\n256\n", E_PGM_MAXIMUM},
      {"P5\n28 28\n65535\n", E_PGM_MAXIMUM},
      {"P5\n28 28\n254\n", E_PGM_PIXEL},
      {"P5\n28 28\n255#\n", E_PGM_HEADER},
      {"P5\n28 28\n255\n", OK},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const Text text = make_binary(cases[i].header, IMAGE_PIXELS, 255);
    CHECK_STATUS(cases[i].expected, decode(text.bytes, text.length));
  }
  Text text = make_plain("P2 28 28 255", IMAGE_PIXELS, "256");
  CHECK_STATUS(E_PGM_PIXEL, decode(text.bytes, text.length));
  text = make_plain("P2 28 28 255", IMAGE_PIXELS, "1a");
  CHECK_STATUS(E_PGM_PIXEL, decode(text.bytes, text.length));
  text = make_plain("P2 28 28 9", IMAGE_PIXELS, "10");
  CHECK_STATUS(E_PGM_PIXEL, decode(text.bytes, text.length));
}

static void refuses_every_prefix(const Text *whole) {
  bool refused = true;
  for (size_t length = 0; length < whole->length; length++) refused &= decode(whole->bytes, length) != OK;
  CHECK(refused);
  CHECK_STATUS(E_PGM_TRUNCATED, decode(whole->bytes, whole->length - 1));
  CHECK_STATUS(OK, decode(whole->bytes, whole->length));
}

static void decodes_both_kinds(void) {
  Text text = make_binary("P5 # binary\n# two\n28\t28 100\n", IMAGE_PIXELS, 50);
  refuses_every_prefix(&text);
  CHECK(pixels[0] == 128 && pixels[IMAGE_PIXELS - 1] == 128);

  text = make_binary("P5 28 28 255\n", IMAGE_PIXELS, '\n'); /* only one white space ends the header */
  CHECK_STATUS(OK, decode(text.bytes, text.length));
  CHECK(pixels[0] == '\n');

  text = make_plain("P2#plain\n28 28 15", IMAGE_PIXELS, "7");
  CHECK_STATUS(OK, decode(text.bytes, text.length));
  CHECK(pixels[0] == 119 && pixels[IMAGE_PIXELS - 1] == 119);

  text = make_plain("P2 28 28 255", IMAGE_PIXELS - 1, "0");
  CHECK_STATUS(E_PGM_TRUNCATED, decode(text.bytes, text.length));
}

static void survives_mutations(void) {
  uint32_t random = 7;
  bool known = true;
  const Text binary = make_binary("P5 # x\n28 28 255\n", IMAGE_PIXELS, 9);
  const Text plain = make_plain("P2 # x\n28 28 255\n", IMAGE_PIXELS, "9");
  for (int round = 0; round < 10000; round++) {
    Text text = round % 2 == 0 ? binary : plain;
    for (uint32_t changes = 1 + random_below(&random, 4); changes > 0; changes--) {
      const uint32_t limit = random_below(&random, 2) == 0 ? 20 : (uint32_t)text.length;
      text.bytes[random_below(&random, limit)] = (char)random_below(&random, 256);
    }
    known &= is_known(decode(text.bytes, text.length - random_below(&random, 3)));
  }
  CHECK(known);
}

static void inverts_only_files_with_a_bright_border(void) {
  uint8_t ink[IMAGE_PIXELS];
  uint8_t raw[IMAGE_PIXELS];
  memset(raw, 255, sizeof raw);
  CHECK_STATUS(OK, image_ink(raw, sizeof raw, ink));
  CHECK(ink[0] == 255);

  Text text = make_binary("P5 28 28 255\n", IMAGE_PIXELS, 250);
  CHECK_STATUS(OK, image_ink((const uint8_t *)text.bytes, text.length, ink));
  CHECK(ink[0] == 5 && ink[IMAGE_PIXELS - 1] == 5);

  text = make_binary("P5 28 28 255\n", IMAGE_PIXELS, 120);
  CHECK_STATUS(OK, image_ink((const uint8_t *)text.bytes, text.length, ink));
  CHECK(ink[0] == 120);
}

void check_pgm(void) {
  refuses_other_formats();
  refuses_malformed_pgm();
  decodes_both_kinds();
  survives_mutations();
  inverts_only_files_with_a_bright_border();
}
