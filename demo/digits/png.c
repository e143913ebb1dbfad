/* SPDX-License-Identifier: Apache-2.0
 *
 * The file is walked twice: first over its chunks, checking every CRC and the order and keeping the header, the
 * palette and the place of the first IDAT; then over the pixels, which are decompressed straight out of the IDAT
 * chunks into an array of fixed size.
 */
#include "png.h"

#include <stdlib.h>
#include <string.h>

#include "checksum.h"
#include "image.h"
#include "inflate.h"

enum {
  SIGNATURE_SIZE = 8,
  CHUNK_OVERHEAD = 12, /* length, type and CRC */
  CHUNK_MAX = 0x7fffffff,
  MAX_CHANNELS = 4,
  PALETTE_MAX = 256,
};

enum { GREY = 0, RGB = 2, INDEXED = 3, GREY_ALPHA = 4, RGBA = 6 };

#define CHUNK_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const uint32_t IHDR = CHUNK_TYPE('I', 'H', 'D', 'R');
static const uint32_t PLTE = CHUNK_TYPE('P', 'L', 'T', 'E');
static const uint32_t TRNS = CHUNK_TYPE('t', 'R', 'N', 'S');
static const uint32_t IDAT = CHUNK_TYPE('I', 'D', 'A', 'T');
static const uint32_t IEND = CHUNK_TYPE('I', 'E', 'N', 'D');

typedef struct {
  uint32_t type;
  uint32_t size;
  const uint8_t *data;
} Chunk;

/* Walks over chunks. */
typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} ChunkReader;

typedef struct {
  uint8_t red, green, blue, alpha;
} Colour;

typedef struct {
  uint8_t colour_type;
  unsigned channels;
  unsigned palette_size;
  Colour palette[PALETTE_MAX];
  bool has_key; /* one grey value or colour is transparent */
  uint16_t key[3];
  ChunkReader pixels; /* starts at the first IDAT */
} Png;

/* ---- chunks ------------------------------------------------------------------------------------------- */

static uint32_t read_u32(const uint8_t *bytes) { return CHUNK_TYPE(bytes[0], bytes[1], bytes[2], bytes[3]); }

static uint16_t read_u16(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

/* Takes the next chunk, without a look at its CRC. */
static Status next_chunk(ChunkReader *in, Chunk *chunk) {
  const size_t left = (size_t)(in->end - in->at);
  if (left < CHUNK_OVERHEAD) return E_PNG_TRUNCATED;
  chunk->size = read_u32(in->at);
  chunk->type = read_u32(in->at + 4);
  chunk->data = in->at + 8;
  if (chunk->size > CHUNK_MAX) return E_PNG_CHUNKS;
  if (chunk->size > left - CHUNK_OVERHEAD) return E_PNG_TRUNCATED;
  in->at = chunk->data + chunk->size + 4;
  return OK;
}

static bool has_valid_crc(const Chunk *chunk) {
  return checksum_crc32(chunk->data - 4, (size_t)chunk->size + 4) == read_u32(chunk->data + chunk->size);
}

/* A decoder may skip a chunk it does not know only if the first letter of the type is lower case. */
static bool is_ancillary(const Chunk *chunk) { return chunk->type >> 24 & 0x20; }

static unsigned channels_of(unsigned colour_type) {
  switch (colour_type) {
    case GREY:
    case INDEXED:
      return 1;
    case GREY_ALPHA:
      return 2;
    case RGB:
      return 3;
    case RGBA:
      return 4;
    default:
      return 0;
  }
}

static Status read_header(Png *png, const Chunk *chunk) {
  if (chunk->type != IHDR || chunk->size != 13) return E_PNG_CHUNKS;
  const uint8_t *data = chunk->data;
  const unsigned depth = data[8];
  png->colour_type = data[9];
  png->channels = channels_of(data[9]);
  const unsigned compression = data[10];
  const unsigned filtering = data[11];
  const unsigned interlacing = data[12];
  if (png->channels == 0 || compression != 0 || filtering != 0 || interlacing > 1) return E_PNG_HEADER;
  if (read_u32(data) != IMAGE_SIDE || read_u32(data + 4) != IMAGE_SIDE) return E_PNG_SIZE;
  if (depth != 8) return E_PNG_DEPTH;
  return interlacing == 0 ? OK : E_PNG_INTERLACED;
}

static Status read_palette(Png *png, const Chunk *chunk) {
  const unsigned entries = chunk->size / 3;
  const bool greyscale = png->colour_type == GREY || png->colour_type == GREY_ALPHA;
  if (greyscale || png->palette_size > 0) return E_PNG_CHUNKS;
  if (chunk->size % 3 != 0 || entries < 1 || entries > PALETTE_MAX) return E_PNG_CHUNKS;
  for (unsigned entry = 0; entry < entries; entry++) {
    const uint8_t *colour = chunk->data + (size_t)3 * entry;
    png->palette[entry] = (Colour){colour[0], colour[1], colour[2], 255};
  }
  png->palette_size = entries;
  return OK;
}

static Status read_transparency(Png *png, const Chunk *chunk) {
  switch (png->colour_type) {
    case INDEXED:
      if (chunk->size > png->palette_size) return E_PNG_CHUNKS;
      for (uint32_t entry = 0; entry < chunk->size; entry++) png->palette[entry].alpha = chunk->data[entry];
      return OK;
    case GREY:
    case RGB:
      if (chunk->size != 2 * png->channels) return E_PNG_CHUNKS;
      for (unsigned channel = 0; channel < png->channels; channel++) {
        png->key[channel] = read_u16(chunk->data + (size_t)2 * channel);
      }
      png->has_key = true;
      return OK;
    default: /* the pixels have alpha of their own */
      return E_PNG_CHUNKS;
  }
}

/* Takes what a chunk says. IDAT chunks follow one another; nothing of ours may come after them but IEND. */
static Status read_chunk(Png *png, const Chunk *chunk, uint32_t previous) {
  const bool seen_pixels = png->pixels.at != NULL;
  if (chunk->type == IDAT) {
    if (seen_pixels) return previous == IDAT ? OK : E_PNG_CHUNKS;
    if (png->colour_type == INDEXED && png->palette_size == 0) return E_PNG_PALETTE;
    png->pixels.at = chunk->data - 8;
    return OK;
  }
  if (chunk->type == IEND) return seen_pixels && chunk->size == 0 ? OK : E_PNG_CHUNKS;
  if (chunk->type == PLTE) return seen_pixels ? E_PNG_CHUNKS : read_palette(png, chunk);
  if (chunk->type == TRNS) return seen_pixels ? E_PNG_CHUNKS : read_transparency(png, chunk);
  return is_ancillary(chunk) ? OK : E_PNG_CHUNKS;
}

static Status read_chunks(Png *png, ChunkReader in) {
  Chunk chunk;
  TRY(next_chunk(&in, &chunk));
  if (!has_valid_crc(&chunk)) return E_PNG_CRC;
  TRY(read_header(png, &chunk));
  while (chunk.type != IEND) {
    const uint32_t previous = chunk.type;
    TRY(next_chunk(&in, &chunk));
    if (!has_valid_crc(&chunk)) return E_PNG_CRC;
    TRY(read_chunk(png, &chunk, previous));
  }
  png->pixels.end = in.at;
  return OK;
}

/* ---- pixels ------------------------------------------------------------------------------------------- */

/* The compressed bytes: the data of consecutive IDAT chunks, as if they were one. */
typedef struct {
  ChunkReader chunks;
  const uint8_t *at;
  const uint8_t *end;
} PixelSource;

static int next_pixel_byte(void *context) {
  PixelSource *in = context;
  while (in->at == in->end) {
    Chunk chunk;
    if (next_chunk(&in->chunks, &chunk) != OK || chunk.type != IDAT) return -1;
    in->at = chunk.data;
    in->end = chunk.data + chunk.size;
  }
  return *in->at++;
}

static uint8_t paeth(int left, int above, int corner) {
  const int to_left = abs(above - corner);
  const int to_above = abs(left - corner);
  const int to_corner = abs(left + above - 2 * corner);
  if (to_left <= to_above && to_left <= to_corner) return (uint8_t)left;
  return (uint8_t)(to_above <= to_corner ? above : corner);
}

/* Undoes the filter of one row in place. `above` is the row before it, all zero for the first. */
static Status unfilter_row(unsigned filter, uint8_t *row, const uint8_t *above, unsigned size, unsigned channels) {
  if (filter > 4) return E_PNG_FILTER;
  for (unsigned i = 0; i < size; i++) {
    const unsigned left = i < channels ? 0 : row[i - channels];
    const unsigned corner = i < channels ? 0 : above[i - channels];
    const unsigned predicted[] = {
        0, left, above[i], (left + above[i]) / 2, paeth((int)left, above[i], (int)corner),
    };
    row[i] = (uint8_t)(row[i] + predicted[filter]);
  }
  return OK;
}

static Status colour_at(const Png *png, const uint8_t *sample, Colour *colour) {
  switch (png->colour_type) {
    case INDEXED:
      if (sample[0] >= png->palette_size) return E_PNG_PALETTE;
      *colour = png->palette[sample[0]];
      return OK;
    case GREY:
    case GREY_ALPHA:
      *colour = (Colour){sample[0], sample[0], sample[0], png->channels == 2 ? sample[1] : 255};
      break;
    default:
      *colour = (Colour){sample[0], sample[1], sample[2], png->channels == 4 ? sample[3] : 255};
  }
  if (!png->has_key) return OK;
  bool matches = true;
  for (unsigned channel = 0; channel < png->channels; channel++) matches &= sample[channel] == png->key[channel];
  if (matches) colour->alpha = 0;
  return OK;
}

static unsigned on_white(unsigned value, unsigned alpha) { return (value * alpha + 255 * (255 - alpha) + 127) / 255; }

static uint8_t luminance(Colour colour) {
  const unsigned red = on_white(colour.red, colour.alpha);
  const unsigned green = on_white(colour.green, colour.alpha);
  const unsigned blue = on_white(colour.blue, colour.alpha);
  return (uint8_t)((299 * red + 587 * green + 114 * blue + 500) / 1000);
}

static Status read_pixels(const Png *png, uint8_t *pixels) {
  static const uint8_t nothing[IMAGE_SIDE * MAX_CHANNELS];
  uint8_t rows[IMAGE_SIDE * (1 + IMAGE_SIDE * MAX_CHANNELS)]; /* each is a filter and its samples */
  const unsigned row_size = IMAGE_SIDE * png->channels;
  PixelSource in = {.chunks = png->pixels};
  TRY(inflate_zlib((ByteSource){next_pixel_byte, &in}, rows, (size_t)IMAGE_SIDE * (1 + row_size)));

  const uint8_t *above = nothing;
  for (unsigned y = 0; y < IMAGE_SIDE; y++) {
    uint8_t *filter = rows + (size_t)y * (1 + row_size);
    uint8_t *row = filter + 1;
    TRY(unfilter_row(*filter, row, above, row_size, png->channels));
    for (unsigned x = 0; x < IMAGE_SIDE; x++) {
      Colour colour;
      TRY(colour_at(png, row + (size_t)x * png->channels, &colour));
      *pixels++ = luminance(colour);
    }
    above = row;
  }
  return OK;
}

bool png_matches(const uint8_t *bytes, size_t length) {
  static const uint8_t signature[SIGNATURE_SIZE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return length >= SIGNATURE_SIZE && memcmp(bytes, signature, SIGNATURE_SIZE) == 0;
}

Status png_decode(const uint8_t *bytes, size_t length, uint8_t *pixels) {
  if (!png_matches(bytes, length)) return E_FORMAT;
  Png png = {0};
  TRY(read_chunks(&png, (ChunkReader){bytes + SIGNATURE_SIZE, bytes + length}));
  return read_pixels(&png, pixels);
}
