/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "checksum.h"
#include "image.h"
#include "png.h"

enum { SIGNATURE_SIZE = 8, HEADER_END = SIGNATURE_SIZE + 25, SIDE = IMAGE_SIDE };

static const char *const fixture_names[] = {"grey", "grey-alpha", "rgb", "rgba", "palette", "grey-fixed", "grey-key"};
enum { FIXTURES = sizeof fixture_names / sizeof *fixture_names };

static Blob read_fixture(const char *folder, const char *name, const char *extension) {
  char file[64];
  snprintf(file, sizeof file, "%s.%s", name, extension);
  return blob_read(folder, file);
}

static Status decode_blob(Blob blob) {
  uint8_t pixels[IMAGE_PIXELS];
  return png_decode(blob.bytes, blob.length, pixels);
}

static uint32_t read_u32be(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_u32be(uint8_t *bytes, uint32_t value) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* ---- building files ----------------------------------------------------------------------------------- */

typedef struct {
  uint8_t bytes[8192];
  size_t length;
} Writer;

static void put(Writer *out, const void *bytes, size_t length) {
  memcpy(out->bytes + out->length, bytes, length);
  out->length += length;
}

static void put_chunk(Writer *out, const char *type, const void *data, size_t size) {
  uint8_t number[4];
  put_u32be(number, (uint32_t)size);
  put(out, number, 4);
  const size_t start = out->length;
  put(out, type, 4);
  if (size > 0) put(out, data, size);
  put_u32be(number, checksum_crc32(out->bytes + start, out->length - start));
  put(out, number, 4);
}

static Writer begin_png(unsigned colour_type) {
  Writer out = {.length = 0};
  const uint8_t header[13] = {0, 0, 0, SIDE, 0, 0, 0, SIDE, 8, (uint8_t)colour_type};
  put(&out, "\x89PNG\r\n\x1a\n", SIGNATURE_SIZE);
  put_chunk(&out, "IHDR", header, sizeof header);
  return out;
}

/* Stored zlib data of `size` bytes that are all `value`. */
static void put_pixels(Writer *out, size_t size, uint8_t value) {
  uint8_t data[4096] = {0x78, 0x01, 0x01, (uint8_t)size, (uint8_t)(size >> 8), (uint8_t)~size, (uint8_t)(~size >> 8)};
  memset(data + 7, value, size);
  put_u32be(data + 7 + size, checksum_adler32(data + 7, size));
  put_chunk(out, "IDAT", data, size + 11);
}

static Status decode(const Writer *png) {
  Blob exact = blob_copy(png->bytes, png->length);
  const Status status = decode_blob(exact);
  blob_free(&exact);
  return status;
}

static Status decode_ended(Writer *png) {
  put_chunk(png, "IEND", NULL, 0);
  return decode(png);
}

/* Makes every CRC right again, as far as the chunks can be followed. */
static void mend_crcs(Blob png) {
  size_t at = SIGNATURE_SIZE;
  while (png.length - at >= 12) {
    const size_t size = read_u32be(png.bytes + at);
    if (size > png.length - at - 12) return;
    put_u32be(png.bytes + at + 8 + size, checksum_crc32(png.bytes + at + 4, size + 4));
    at += size + 12;
  }
}

/* ---- what is refused ---------------------------------------------------------------------------------- */

static void refuses_every_header_it_cannot_read(Blob grey) {
  static const struct {
    uint8_t offset, value;
    Status expected;
  } cases[] = {
      {0, 0x80, E_PNG_SIZE},  {0, 0x7f, E_PNG_SIZE},     {3, 0, E_PNG_SIZE},    {3, SIDE - 1, E_PNG_SIZE},
      {7, 0, E_PNG_SIZE},     {7, SIDE + 1, E_PNG_SIZE}, {8, 1, E_PNG_DEPTH},   {8, 16, E_PNG_DEPTH},
      {8, 0, E_PNG_DEPTH},    {9, 1, E_PNG_HEADER},      {9, 5, E_PNG_HEADER},  {9, 7, E_PNG_HEADER},
      {9, 255, E_PNG_HEADER}, {10, 1, E_PNG_HEADER},     {11, 1, E_PNG_HEADER}, {12, 1, E_PNG_INTERLACED},
      {12, 2, E_PNG_HEADER},  {9, 2, E_PNG_PIXELS},      {9, 3, E_PNG_PALETTE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Blob png = blob_copy(grey.bytes, grey.length);
    png.bytes[SIGNATURE_SIZE + 8 + cases[i].offset] = cases[i].value;
    CHECK_STATUS(E_PNG_CRC, decode_blob(png));
    mend_crcs(png);
    CHECK_STATUS(cases[i].expected, decode_blob(png));
    blob_free(&png);
  }
}

static void refuses_misplaced_chunks(void) {
  static const uint8_t colours[6] = {0};
  const size_t size = SIDE * (1 + SIDE);

  Writer png = begin_png(0);
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png)); /* no IDAT */

  png = begin_png(0);
  png.length = SIGNATURE_SIZE;
  put_pixels(&png, size, 0); /* no IHDR */
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png));

  png = begin_png(0);
  put(&png, png.bytes + SIGNATURE_SIZE, HEADER_END - SIGNATURE_SIZE); /* two of them */
  put_pixels(&png, size, 0);
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png));

  png = begin_png(0);
  put_chunk(&png, "ABCD", "?", 1); /* unknown and critical */
  put_pixels(&png, size, 0);
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png));

  png = begin_png(0);
  put_pixels(&png, size, 0);
  put_chunk(&png, "teXt", "between", 7);
  put_pixels(&png, size, 0);
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png));

  png = begin_png(3);
  put_chunk(&png, "PLTE", colours, 6);
  put_chunk(&png, "PLTE", colours, 6);
  put_pixels(&png, size, 0);
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png));

  png = begin_png(3);
  put_pixels(&png, size, 0);
  put_chunk(&png, "PLTE", colours, 6);
  CHECK_STATUS(E_PNG_PALETTE, decode_ended(&png));

  png = begin_png(2);
  put_pixels(&png, SIDE * (1 + 3 * SIDE), 0);
  put_chunk(&png, "PLTE", colours, 6);
  CHECK_STATUS(E_PNG_CHUNKS, decode_ended(&png));

  png = begin_png(0);
  put_pixels(&png, size, 0);
  put_chunk(&png, "IEND", "?", 1);
  CHECK_STATUS(E_PNG_CHUNKS, decode(&png));
}

static void refuses_bad_palettes_and_transparency(void) {
  static const uint8_t colours[771] = {0};
  static const struct {
    unsigned colour_type;
    size_t palette, transparency;
    Status expected;
  } cases[] = {
      {3, 84, 0, E_PNG_PALETTE},
      {3, 87, 0, OK},
      {3, 768, 256, OK},
      {3, 85, 0, E_PNG_CHUNKS},
      {3, 771, 0, E_PNG_CHUNKS},
      {3, 0, 0, E_PNG_PALETTE},
      {3, 6, 3, E_PNG_CHUNKS},
      {0, 6, 0, E_PNG_CHUNKS},
      {0, 0, 2, OK},
      {0, 0, 1, E_PNG_CHUNKS},
      {2, 6, 6, OK},
      {2, 0, 2, E_PNG_CHUNKS},
      {4, 0, 2, E_PNG_CHUNKS},
      {6, 0, 6, E_PNG_CHUNKS},
      {4, 6, 0, E_PNG_CHUNKS},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    static const unsigned channels[] = {[0] = 1, [2] = 3, [3] = 1, [4] = 2, [6] = 4};
    Writer png = begin_png(cases[i].colour_type);
    if (cases[i].palette > 0) put_chunk(&png, "PLTE", colours, cases[i].palette);
    if (cases[i].transparency > 0) put_chunk(&png, "tRNS", colours, cases[i].transparency);
    /* The filter is 1 as well and makes pixels that count up: 1 to 28 in a row of indices. */
    put_pixels(&png, SIDE * (1 + SIDE * channels[cases[i].colour_type]), 1);
    CHECK_STATUS(cases[i].expected, decode_ended(&png));
  }
}

static void refuses_bad_pixels(void) {
  const size_t size = SIDE * (1 + SIDE);
  Writer png = begin_png(0);
  put_pixels(&png, size - 1, 0);
  CHECK_STATUS(E_PNG_PIXELS, decode_ended(&png));

  png = begin_png(0);
  put_pixels(&png, size + 1, 0);
  CHECK_STATUS(E_PNG_PIXELS, decode_ended(&png));

  png = begin_png(0);
  put_pixels(&png, size, 5);
  CHECK_STATUS(E_PNG_FILTER, decode_ended(&png));

  png = begin_png(0);
  put_chunk(&png, "IDAT", NULL, 0);
  CHECK_STATUS(E_PNG_DEFLATE, decode_ended(&png));

  png = begin_png(0);
  put_pixels(&png, size, 0);
  png.bytes[png.length - 5] ^= 1; /* the end of Adler-32 */
  CHECK_STATUS(E_PNG_CRC, decode_ended(&png));
  Blob damaged = blob_copy(png.bytes, png.length);
  mend_crcs(damaged);
  CHECK_STATUS(E_PNG_ADLER, decode_blob(damaged));
  blob_free(&damaged);
}

static void refuses_chunks_longer_than_the_file(Blob grey) {
  static const uint32_t lengths[] = {0xffffffff, 0x80000000, 0x7fffffff, 0x7ffffff3, 4096};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    Blob png = blob_copy(grey.bytes, grey.length);
    put_u32be(png.bytes + HEADER_END, lengths[i]);
    CHECK_STATUS(lengths[i] >> 31 ? E_PNG_CHUNKS : E_PNG_TRUNCATED, decode_blob(png));
    blob_free(&png);
  }
}

static void refuses_every_prefix(Blob whole) {
  for (size_t length = 0; length < whole.length; length++) {
    Blob prefix = blob_copy(whole.bytes, length);
    CHECK_STATUS(length < SIGNATURE_SIZE ? E_FORMAT : E_PNG_TRUNCATED, decode_blob(prefix));
    blob_free(&prefix);
  }
}

static void refuses_every_flipped_bit(Blob whole) {
  bool refused = true;
  for (size_t bit = 0; bit < whole.length * 8; bit++) {
    whole.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    refused &= decode_blob(whole) != OK;
    whole.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  CHECK(refused);
}

/* ---- what is decoded ---------------------------------------------------------------------------------- */

static void decodes_what_another_encoder_wrote(Blob png, Blob luminance) {
  uint8_t pixels[IMAGE_PIXELS] = {0};
  CHECK_STATUS(OK, png_decode(png.bytes, png.length, pixels));
  CHECK(luminance.length == IMAGE_PIXELS && memcmp(pixels, luminance.bytes, IMAGE_PIXELS) == 0);
}

static void skips_chunks_it_may_skip(void) {
  Writer png = begin_png(0);
  put_chunk(&png, "gAMA", "\0\0\xb1\x8f", 4);
  put_chunk(&png, "abCd", NULL, 0);
  put_pixels(&png, SIDE * (1 + SIDE), 0);
  put_chunk(&png, "tIME", "1234567", 7);
  put_chunk(&png, "IEND", NULL, 0);
  put(&png, "what follows the end", 20);
  CHECK_STATUS(OK, decode(&png));
}

/* Changes a few bytes; with mended CRCs the changes reach the decompressor. */
static void survives_mutations(Blob whole, uint32_t seed) {
  bool known = true;
  for (int round = 0; round < 4000; round++) {
    Blob png = blob_copy(whole.bytes, whole.length);
    for (uint32_t changes = 1 + random_below(&seed, 6); changes > 0; changes--) {
      const uint32_t at = SIGNATURE_SIZE + random_below(&seed, (uint32_t)whole.length - SIGNATURE_SIZE);
      if (random_below(&seed, 2) == 0) {
        png.bytes[at] ^= (uint8_t)(1u << random_below(&seed, 8));
      } else {
        png.bytes[at] = (uint8_t)random_below(&seed, 256);
      }
    }
    if (random_below(&seed, 8) == 0) png.length -= random_below(&seed, (uint32_t)png.length - SIGNATURE_SIZE);
    mend_crcs(png);
    known &= is_known(decode_blob(png));
    blob_free(&png);
  }
  CHECK(known);
}

/* As large a file as is taken, of blocks that give no pixel: ten bits each, the most work per byte there is. */
static void ends_on_empty_blocks(void) {
  static uint8_t file[IMAGE_FILE_MAX];
  const Writer start = begin_png(0);
  memcpy(file, start.bytes, start.length);
  const size_t size = sizeof file - start.length - 24;
  uint8_t *data = file + start.length + 8;
  put_u32be(data - 8, (uint32_t)size);
  memcpy(data - 4, "IDAT", 4);
  data[0] = 0x78;
  data[1] = 0x01;
  for (size_t bit = 17; bit < size * 8; bit += 10) data[bit / 8] |= (uint8_t)(1u << bit % 8);
  put_u32be(data + size, checksum_crc32(data - 4, size + 4));
  Writer end = {.length = 0};
  put_chunk(&end, "IEND", NULL, 0);
  memcpy(data + size + 4, end.bytes, end.length);
  uint8_t pixels[IMAGE_PIXELS];
  CHECK_STATUS(E_PNG_DEFLATE, image_luminance(file, sizeof file, pixels));
}

void check_png(const char *fixtures) {
  Blob grey = read_fixture(fixtures, "grey", "png");
  refuses_every_header_it_cannot_read(grey);
  refuses_chunks_longer_than_the_file(grey);
  blob_free(&grey);
  refuses_misplaced_chunks();
  refuses_bad_palettes_and_transparency();
  refuses_bad_pixels();
  skips_chunks_it_may_skip();
  ends_on_empty_blocks();
  for (uint32_t i = 0; i < FIXTURES; i++) {
    Blob png = read_fixture(fixtures, fixture_names[i], "png");
    Blob luminance = read_fixture(fixtures, fixture_names[i], "luminance");
    decodes_what_another_encoder_wrote(png, luminance);
    refuses_every_prefix(png);
    refuses_every_flipped_bit(png);
    survives_mutations(png, i);
    blob_free(&png);
    blob_free(&luminance);
  }
}
