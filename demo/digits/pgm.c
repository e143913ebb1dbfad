/* SPDX-License-Identifier: Apache-2.0 */
#include "pgm.h"

#include "image.h"

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} Reader;

static bool is_space(uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

/* Skips white space, and comments, which run from # to the end of the line. */
static void skip_space(Reader *in) {
  bool comment = false;
  for (; in->at < in->end; in->at++) {
    if (*in->at == '#') comment = true;
    if (*in->at == '\n' || *in->at == '\r') comment = false;
    if (!comment && !is_space(*in->at)) return;
  }
}

/* Reads a decimal number below 100,000 that white space or the end follows; `malformed` when there is none. */
static Status read_number(Reader *in, Status malformed, unsigned *number) {
  skip_space(in);
  if (in->at == in->end) return E_PGM_TRUNCATED;
  unsigned digits = 0;
  *number = 0;
  for (; in->at < in->end && is_digit(*in->at); in->at++) {
    if (++digits > 5) return malformed;
    *number = *number * 10 + (unsigned)(*in->at - '0');
  }
  const bool ended = in->at == in->end || is_space(*in->at) || *in->at == '#';
  return digits > 0 && ended ? OK : malformed;
}

static Status read_binary(Reader *in, uint8_t *pixels) {
  /* Exactly one white space character ends the header: the byte after it is a pixel, whatever it looks like. */
  if (in->at == in->end) return E_PGM_TRUNCATED;
  if (!is_space(*in->at++)) return E_PGM_HEADER;
  for (unsigned pixel = 0; pixel < IMAGE_PIXELS; pixel++) {
    if (in->at == in->end) return E_PGM_TRUNCATED;
    pixels[pixel] = *in->at++;
  }
  return OK;
}

static Status read_plain(Reader *in, uint8_t *pixels) {
  for (unsigned pixel = 0; pixel < IMAGE_PIXELS; pixel++) {
    unsigned value;
    TRY(read_number(in, E_PGM_PIXEL, &value));
    if (value > 255) return E_PGM_PIXEL;
    pixels[pixel] = (uint8_t)value;
  }
  return OK;
}

static Status stretch(uint8_t *pixels, unsigned maximum) {
  for (unsigned pixel = 0; pixel < IMAGE_PIXELS; pixel++) {
    if (pixels[pixel] > maximum) return E_PGM_PIXEL;
    pixels[pixel] = (uint8_t)((pixels[pixel] * 255u + maximum / 2) / maximum);
  }
  return OK;
}

bool pgm_matches(const uint8_t *bytes, size_t length) {
  return length >= 3 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '2') &&
         (is_space(bytes[2]) || bytes[2] == '#');
}

Status pgm_decode(const uint8_t *bytes, size_t length, uint8_t *pixels) {
  if (!pgm_matches(bytes, length)) return E_PGM_HEADER;
  Reader in = {bytes + 2, bytes + length};
  unsigned width;
  unsigned height;
  unsigned maximum;
  TRY(read_number(&in, E_PGM_HEADER, &width));
  TRY(read_number(&in, E_PGM_HEADER, &height));
  TRY(read_number(&in, E_PGM_HEADER, &maximum));
  if (width != IMAGE_SIDE || height != IMAGE_SIDE) return E_PGM_SIZE;
  if (maximum < 1 || maximum > 255) return E_PGM_MAXIMUM;
  TRY(bytes[1] == '5' ? read_binary(&in, pixels) : read_plain(&in, pixels));
  return stretch(pixels, maximum);
}
