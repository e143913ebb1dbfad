/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"

#include <stdbool.h>
#include <string.h>

#include "pgm.h"
#include "png.h"

typedef enum { FORMAT_UNKNOWN, FORMAT_RAW, FORMAT_PGM, FORMAT_PNG } Format;

/* Signatures come first: a PNG may happen to be 784 bytes long, and so may the rest of a PGM that was cut short. */
static Format format_of(const uint8_t *bytes, size_t length) {
  if (png_matches(bytes, length)) return FORMAT_PNG;
  if (pgm_matches(bytes, length)) return FORMAT_PGM;
  return length == IMAGE_PIXELS ? FORMAT_RAW : FORMAT_UNKNOWN;
}

static Status decode(Format format, const uint8_t *bytes, size_t length, uint8_t pixels[IMAGE_PIXELS]) {
  if (length == 0) return E_EMPTY_IMAGE;
  if (length > IMAGE_FILE_MAX) return E_TOO_LARGE;
  switch (format) {
    case FORMAT_RAW:
      memcpy(pixels, bytes, IMAGE_PIXELS);
      return OK;
    case FORMAT_PGM:
      return pgm_decode(bytes, length, pixels);
    case FORMAT_PNG:
      return png_decode(bytes, length, pixels);
    case FORMAT_UNKNOWN:
      break;
  }
  return E_FORMAT;
}

static bool on_border(unsigned pixel) {
  const unsigned row = pixel / IMAGE_SIDE;
  const unsigned column = pixel % IMAGE_SIDE;
  return row == 0 || row == IMAGE_SIDE - 1 || column == 0 || column == IMAGE_SIDE - 1;
}

static bool has_bright_border(const uint8_t pixels[IMAGE_PIXELS]) {
  unsigned sum = 0;
  unsigned count = 0;
  for (unsigned pixel = 0; pixel < IMAGE_PIXELS; pixel++) {
    if (!on_border(pixel)) continue;
    sum += pixels[pixel];
    count++;
  }
  return sum >= count * 128;
}

Status image_luminance(const uint8_t *bytes, size_t length, uint8_t pixels[IMAGE_PIXELS]) {
  return decode(format_of(bytes, length), bytes, length, pixels);
}

Status image_ink(const uint8_t *bytes, size_t length, uint8_t pixels[IMAGE_PIXELS]) {
  const Format format = format_of(bytes, length);
  TRY(decode(format, bytes, length, pixels));
  if (format == FORMAT_RAW || !has_bright_border(pixels)) return OK;
  for (unsigned pixel = 0; pixel < IMAGE_PIXELS; pixel++) pixels[pixel] = (uint8_t)(255 - pixels[pixel]);
  return OK;
}
