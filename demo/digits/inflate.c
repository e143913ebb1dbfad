/* SPDX-License-Identifier: Apache-2.0 */
#include "inflate.h"

#include <stdbool.h>
#include <string.h>

#include "checksum.h"

enum {
  MAX_BITS = 15,      /* longest Huffman code */
  LITERALS = 288,     /* symbols for literals and lengths, two of them never valid */
  DISTANCES = 30,     /* symbols for distances */
  CODE_LENGTHS = 19,  /* symbols that describe the other two alphabets */
  END_OF_BLOCK = 256, /* literal symbol */
};

/* A canonical Huffman code: codes of one length are consecutive numbers, in the order of their symbols. */
typedef struct {
  uint16_t count[MAX_BITS + 1]; /* codes of each length */
  uint16_t symbol[LITERALS];    /* symbols by length, then value */
} Huffman;

typedef struct {
  ByteSource source;
  unsigned held; /* bits read from the source and not yet taken, the next one lowest */
  unsigned held_count;
  uint8_t *out;
  size_t used;
  size_t size;
  bool fixed_ready; /* the codes of fixed blocks are built once: a hostile file may hold very many empty ones */
  Huffman fixed_literals;
  Huffman fixed_distances;
} Inflater;

/* ---- bits --------------------------------------------------------------------------------------------- */

static Status take_bits(Inflater *in, unsigned count, unsigned *value) {
  while (in->held_count < count) {
    const int byte = in->source.next(in->source.context);
    if (byte < 0) return E_PNG_DEFLATE;
    in->held |= (unsigned)byte << in->held_count;
    in->held_count += 8;
  }
  *value = in->held & ((1u << count) - 1);
  in->held >>= count;
  in->held_count -= count;
  return OK;
}

static void skip_to_byte(Inflater *in) {
  in->held >>= in->held_count % 8;
  in->held_count -= in->held_count % 8;
}

/* ---- output ------------------------------------------------------------------------------------------- */

static Status put_byte(Inflater *in, unsigned byte) {
  if (in->used == in->size) return E_PNG_PIXELS;
  in->out[in->used++] = (uint8_t)byte;
  return OK;
}

/* Repeats what was written `distance` bytes ago; the copy may run into its own beginning. */
static Status put_copy(Inflater *in, unsigned distance, unsigned length) {
  if (distance > in->used) return E_PNG_DEFLATE;
  for (; length > 0; length--) TRY(put_byte(in, in->out[in->used - distance]));
  return OK;
}

/* ---- Huffman codes ------------------------------------------------------------------------------------ */

/* Builds a code from the length of each symbol's code, 0 for a symbol that does not occur. `spare` allows a code with
 * room for more symbols, which RFC 1951 permits only where there is a single one, or none.
 */
static Status build_huffman(Huffman *code, const uint8_t *lengths, unsigned symbols, bool spare) {
  memset(code->count, 0, sizeof code->count);
  for (unsigned symbol = 0; symbol < symbols; symbol++) code->count[lengths[symbol]]++;
  const unsigned used = symbols - code->count[0];
  code->count[0] = 0;

  int room = 1; /* codes of this length still free */
  uint16_t offset[MAX_BITS + 2] = {0};
  for (unsigned length = 1; length <= MAX_BITS; length++) {
    room = room * 2 - code->count[length];
    if (room < 0) return E_PNG_DEFLATE;
    offset[length + 1] = (uint16_t)(offset[length] + code->count[length]);
  }
  if (room > 0 && !(spare && used == code->count[1])) return E_PNG_DEFLATE;

  for (unsigned symbol = 0; symbol < symbols; symbol++) {
    if (lengths[symbol] != 0) code->symbol[offset[lengths[symbol]]++] = (uint16_t)symbol;
  }
  return OK;
}

/* Reads one symbol. The codes of each length are compared as numbers, shortest first. */
static Status take_symbol(Inflater *in, const Huffman *code, unsigned *symbol) {
  unsigned bits = 0;  /* of the input, as a number */
  unsigned first = 0; /* the first code of this length */
  unsigned index = 0; /* where the symbols of this length start */
  for (unsigned length = 1; length <= MAX_BITS; length++) {
    unsigned bit;
    TRY(take_bits(in, 1, &bit));
    bits = bits << 1 | bit;
    first <<= 1;
    const unsigned count = code->count[length];
    if (bits - first < count) {
      *symbol = code->symbol[index + (bits - first)];
      return OK;
    }
    first += count;
    index += count;
  }
  return E_PNG_DEFLATE;
}

/* ---- blocks ------------------------------------------------------------------------------------------- */

static Status inflate_stored(Inflater *in) {
  unsigned length;
  unsigned complement;
  skip_to_byte(in);
  TRY(take_bits(in, 16, &length));
  TRY(take_bits(in, 16, &complement));
  if ((length ^ complement) != 0xffff) return E_PNG_DEFLATE;
  for (; length > 0; length--) {
    unsigned byte;
    TRY(take_bits(in, 8, &byte));
    TRY(put_byte(in, byte));
  }
  return OK;
}

/* A length or distance: a base of the symbol plus some bits of the input. */
static Status take_number(Inflater *in, unsigned base, unsigned extra, unsigned *number) {
  TRY(take_bits(in, extra, number));
  *number += base;
  return OK;
}

static Status take_length(Inflater *in, unsigned symbol, unsigned *length) {
  static const uint16_t base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                  31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
  static const uint8_t extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                  2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
  const unsigned index = symbol - END_OF_BLOCK - 1;
  if (index >= sizeof extra) return E_PNG_DEFLATE;
  return take_number(in, base[index], extra[index], length);
}

static Status take_distance(Inflater *in, const Huffman *distances, unsigned *distance) {
  static const uint16_t base[DISTANCES] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                           33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                           1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
  unsigned symbol;
  TRY(take_symbol(in, distances, &symbol));
  if (symbol >= DISTANCES) return E_PNG_DEFLATE;
  return take_number(in, base[symbol], symbol < 2 ? 0 : symbol / 2 - 1, distance);
}

static Status inflate_compressed(Inflater *in, const Huffman *literals, const Huffman *distances) {
  for (;;) {
    unsigned symbol;
    TRY(take_symbol(in, literals, &symbol));
    if (symbol == END_OF_BLOCK) return OK;
    if (symbol < END_OF_BLOCK) {
      TRY(put_byte(in, symbol));
      continue;
    }
    unsigned length;
    unsigned distance;
    TRY(take_length(in, symbol, &length));
    TRY(take_distance(in, distances, &distance));
    TRY(put_copy(in, distance, length));
  }
}

static Status build_fixed(Inflater *in) {
  uint8_t lengths[LITERALS];
  memset(lengths, 8, 144);
  memset(lengths + 144, 9, 112);
  memset(lengths + 256, 7, 24);
  memset(lengths + 280, 8, 8);
  TRY(build_huffman(&in->fixed_literals, lengths, LITERALS, false));
  /* Two of the 32 are never valid, but they have codes. */
  memset(lengths, 5, DISTANCES + 2);
  TRY(build_huffman(&in->fixed_distances, lengths, DISTANCES + 2, false));
  in->fixed_ready = true;
  return OK;
}

static Status inflate_fixed(Inflater *in) {
  if (!in->fixed_ready) TRY(build_fixed(in));
  return inflate_compressed(in, &in->fixed_literals, &in->fixed_distances);
}

/* Reads the code lengths of `total` symbols, which are themselves compressed. */
static Status take_lengths(Inflater *in, const Huffman *code, uint8_t *lengths, unsigned total) {
  for (unsigned done = 0; done < total;) {
    unsigned symbol;
    TRY(take_symbol(in, code, &symbol));
    if (symbol < 16) {
      lengths[done++] = (uint8_t)symbol;
      continue;
    }
    unsigned repeats;
    if (symbol == 16 && done == 0) return E_PNG_DEFLATE;
    const uint8_t length = symbol == 16 ? lengths[done - 1] : 0;
    TRY(take_number(in, symbol == 18 ? 11 : 3, symbol == 16 ? 2 : symbol == 17 ? 3 : 7, &repeats));
    if (repeats > total - done) return E_PNG_DEFLATE;
    memset(lengths + done, length, repeats);
    done += repeats;
  }
  return OK;
}

static Status inflate_dynamic(Inflater *in) {
  static const uint8_t order[CODE_LENGTHS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  unsigned literal_count;
  unsigned distance_count;
  unsigned code_count;
  TRY(take_number(in, 257, 5, &literal_count));
  TRY(take_number(in, 1, 5, &distance_count));
  TRY(take_number(in, 4, 4, &code_count));
  if (literal_count > LITERALS - 2 || distance_count > DISTANCES) return E_PNG_DEFLATE;

  uint8_t lengths[LITERALS + DISTANCES] = {0};
  for (unsigned index = 0; index < code_count; index++) {
    unsigned length;
    TRY(take_bits(in, 3, &length));
    lengths[order[index]] = (uint8_t)length;
  }
  Huffman code;
  TRY(build_huffman(&code, lengths, CODE_LENGTHS, false));
  TRY(take_lengths(in, &code, lengths, literal_count + distance_count));
  if (lengths[END_OF_BLOCK] == 0) return E_PNG_DEFLATE;

  Huffman literals;
  Huffman distances;
  TRY(build_huffman(&literals, lengths, literal_count, true));
  TRY(build_huffman(&distances, lengths + literal_count, distance_count, true));
  return inflate_compressed(in, &literals, &distances);
}

static Status inflate_blocks(Inflater *in) {
  unsigned last;
  do {
    unsigned type;
    TRY(take_bits(in, 1, &last));
    TRY(take_bits(in, 2, &type));
    switch (type) {
      case 0:
        TRY(inflate_stored(in));
        break;
      case 1:
        TRY(inflate_fixed(in));
        break;
      case 2:
        TRY(inflate_dynamic(in));
        break;
      default:
        return E_PNG_DEFLATE;
    }
  } while (!last);
  return OK;
}

/* ---- the zlib envelope -------------------------------------------------------------------------------- */

static Status take_zlib_header(Inflater *in) {
  unsigned method;
  unsigned flags;
  TRY(take_bits(in, 8, &method));
  TRY(take_bits(in, 8, &flags));
  const bool deflate = (method & 15) == 8 && method >> 4 <= 7;
  const bool dictionary = flags & 32;
  return deflate && !dictionary && (method << 8 | flags) % 31 == 0 ? OK : E_PNG_DEFLATE;
}

static Status check_adler32(Inflater *in) {
  uint32_t expected = 0;
  skip_to_byte(in);
  for (int i = 0; i < 4; i++) {
    unsigned byte;
    TRY(take_bits(in, 8, &byte));
    expected = expected << 8 | byte;
  }
  return checksum_adler32(in->out, in->used) == expected ? OK : E_PNG_ADLER;
}

Status inflate_zlib(ByteSource source, uint8_t *out, size_t size) {
  Inflater in = {.source = source, .out = out, .size = size};
  TRY(take_zlib_header(&in));
  TRY(inflate_blocks(&in));
  if (in.used != size) return E_PNG_PIXELS;
  return check_adler32(&in);
}
