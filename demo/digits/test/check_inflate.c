/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "check.h"
#include "checksum.h"
#include "inflate.h"

/* Writes deflate data bit by bit, behind a zlib header. */
typedef struct {
  uint8_t bytes[1024];
  size_t bits;
} BitWriter;

static BitWriter begin_zlib(void) { return (BitWriter){.bytes = {0x78, 0x01}, .bits = 16}; }

/* A number, lowest bit first, as deflate stores everything but Huffman codes. */
static void put_bits(BitWriter *out, unsigned value, unsigned count) {
  for (unsigned i = 0; i < count; i++, out->bits++) {
    if (value >> i & 1) out->bytes[out->bits / 8] |= (uint8_t)(1u << out->bits % 8);
  }
}

/* A Huffman code, highest bit first. */
static void put_code(BitWriter *out, unsigned code, unsigned count) {
  while (count > 0) put_bits(out, code >> --count, 1);
}

static void begin_block(BitWriter *out, unsigned type) {
  put_bits(out, 1, 1);
  put_bits(out, type, 2);
}

typedef struct {
  const uint8_t *at;
  const uint8_t *end;
} Bytes;

static int next_byte(void *context) {
  Bytes *in = context;
  return in->at == in->end ? -1 : *in->at++;
}

static Status inflate_bytes(const uint8_t *bytes, size_t length, uint8_t *out, size_t size) {
  Blob exact = blob_copy(bytes, length);
  Bytes in = {exact.bytes, exact.bytes + length};
  const Status status = inflate_zlib((ByteSource){next_byte, &in}, out, size);
  blob_free(&exact);
  return status;
}

static Status inflate_bits(const BitWriter *in, size_t size) {
  uint8_t out[64];
  return inflate_bytes(in->bytes, (in->bits + 7) / 8, out, size);
}

static void refuses_bad_zlib_headers(void) {
  static const uint8_t headers[][2] = {{0x77, 0x09}, {0x88, 0x1c}, {0x78, 0x02}, {0x78, 0x20}, {0x00, 0x00}};
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    BitWriter data = begin_zlib();
    memcpy(data.bytes, headers[i], 2);
    begin_block(&data, 1);
    put_code(&data, 0, 7);
    CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 0));
  }
}

static void refuses_unknown_block_type(void) {
  BitWriter data = begin_zlib();
  begin_block(&data, 3);
  put_bits(&data, 0, 32);
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 1));
}

static void refuses_stored_block_with_wrong_complement(void) {
  BitWriter data = begin_zlib();
  begin_block(&data, 0);
  put_bits(&data, 0, 5);
  put_bits(&data, 1, 16);
  put_bits(&data, 0xffff, 16);
  put_bits(&data, 0, 8);
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 1));
}

static void refuses_copy_from_before_the_start(void) {
  BitWriter data = begin_zlib();
  begin_block(&data, 1);
  put_code(&data, 0x30, 8); /* literal 0 */
  put_code(&data, 1, 7);    /* length 3 */
  put_code(&data, 1, 5);    /* distance 2 */
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 64));
}

static void refuses_symbols_that_do_not_exist(void) {
  BitWriter length = begin_zlib();
  begin_block(&length, 1);
  put_code(&length, 0x30, 8);
  put_code(&length, 0xc6, 8); /* symbol 286 */
  put_code(&length, 0, 5);
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&length, 64));

  BitWriter distance = begin_zlib();
  begin_block(&distance, 1);
  put_code(&distance, 0x30, 8);
  put_code(&distance, 1, 7);
  put_code(&distance, 30, 5);
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&distance, 64));
}

/* Starts a dynamic block: the code lengths of the code length alphabet, in the order the format has them. */
static BitWriter begin_dynamic(unsigned literals, unsigned distances, const uint8_t *lengths, unsigned count) {
  BitWriter data = begin_zlib();
  begin_block(&data, 2);
  put_bits(&data, literals - 257, 5);
  put_bits(&data, distances - 1, 5);
  put_bits(&data, count - 4, 4);
  for (unsigned i = 0; i < count; i++) put_bits(&data, lengths[i], 3);
  return data;
}

/* A block that ends at once, with the given code lengths; `crowded` adds a code length symbol that has no room. */
static Status try_codes(const uint8_t *lengths, unsigned literals, unsigned distances, bool crowded) {
  /* Symbols 0, 1, 2 and 17 have codes of two bits: 0, 1, 2 and 3. */
  uint8_t alphabet[18] = {[1] = 2, [3] = 2, [15] = 2, [17] = 2};
  if (crowded) alphabet[2] = 2;
  BitWriter data = begin_dynamic(literals, distances, alphabet, sizeof alphabet);
  for (unsigned i = 0; i < literals + distances; i++) put_code(&data, lengths[i], 2);
  put_code(&data, 0, 1);
  data.bits = (data.bits + 7) / 8 * 8 + 24;
  put_bits(&data, 1, 8); /* Adler-32 of nothing */
  data.bits += 64;       /* more zeros, for those that miss the end */
  return inflate_bits(&data, 0);
}

static void refuses_malformed_codes(void) {
  static const uint8_t sound[320] = {[256] = 1, [257] = 1};
  CHECK_STATUS(OK, try_codes(sound, 257, 1, false));
  CHECK_STATUS(E_PNG_DEFLATE, try_codes(sound, 257, 1, true));
  CHECK_STATUS(OK, try_codes(sound, 286, 30, false));
  CHECK_STATUS(E_PNG_DEFLATE, try_codes(sound, 287, 1, false));
  CHECK_STATUS(E_PNG_DEFLATE, try_codes(sound, 257, 31, false));

  static const uint8_t crowded[258] = {[0] = 1, [1] = 1, [256] = 1, [257] = 1};
  CHECK_STATUS(E_PNG_DEFLATE, try_codes(crowded, 257, 1, false));
  static const uint8_t sparse[258] = {[256] = 2, [257] = 1};
  CHECK_STATUS(E_PNG_DEFLATE, try_codes(sparse, 257, 1, false));
  static const uint8_t endless[258] = {[0] = 1, [257] = 1};
  CHECK_STATUS(E_PNG_DEFLATE, try_codes(endless, 257, 1, false));
}

static void refuses_malformed_code_lengths(void) {
  /* Symbols 16 (repeat) and 18 (many zeros) with codes 0 and 1. */
  static const uint8_t repeats[4] = {1, 0, 1, 0};
  BitWriter data = begin_dynamic(257, 1, repeats, 4);
  put_code(&data, 0, 1); /* repeats what does not exist */
  put_bits(&data, 0, 2);
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 1));

  data = begin_dynamic(257, 1, repeats, 4);
  put_code(&data, 1, 1);
  put_bits(&data, 127, 7);
  put_code(&data, 1, 1);
  put_bits(&data, 127, 7); /* 276 lengths of 258 */
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 1));

  data = begin_dynamic(257, 1, repeats, 4);
  put_code(&data, 1, 1);
  put_bits(&data, 127, 7);
  put_code(&data, 1, 1);
  put_bits(&data, 109, 7); /* 258 zeros: no code for the end of the block */
  put_bits(&data, 0, 32);
  CHECK_STATUS(E_PNG_DEFLATE, inflate_bits(&data, 1));
}

static void refuses_another_size_and_checksum(void) {
  static const uint8_t three[] = {0x78, 0x01, 0x01, 3, 0, 0xfc, 0xff, 'a', 'b', 'c', 0x02, 0x4d, 0x01, 0x27};
  uint8_t out[4];
  CHECK_STATUS(OK, inflate_bytes(three, sizeof three, out, 3));
  CHECK(memcmp(out, "abc", 3) == 0);
  CHECK_STATUS(E_PNG_PIXELS, inflate_bytes(three, sizeof three, out, 2));
  CHECK_STATUS(E_PNG_PIXELS, inflate_bytes(three, sizeof three, out, 4));
  uint8_t damaged[sizeof three];
  memcpy(damaged, three, sizeof three);
  damaged[8] ^= 1;
  CHECK_STATUS(E_PNG_ADLER, inflate_bytes(damaged, sizeof damaged, out, 3));
  for (size_t length = 0; length < sizeof three; length++) {
    CHECK_STATUS(E_PNG_DEFLATE, inflate_bytes(three, length, out, 3));
  }
}

static void ends_on_any_bytes(void) {
  uint32_t random = 1;
  uint8_t data[256];
  uint8_t out[512];
  bool known = true;
  for (int round = 0; round < 20000; round++) {
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)random_below(&random, 256);
    data[0] = 0x78;
    data[1] = 0x01;
    if (round % 2 == 0) data[2] = (uint8_t)((data[2] & ~7u) | 5); /* a dynamic block, which random bytes seldom are */
    known &= is_known(inflate_bytes(data, sizeof data, out, sizeof out));
  }
  CHECK(known);
}

void check_inflate(void) {
  CHECK(checksum_crc32((const uint8_t *)"123456789", 9) == 0xcbf43926);
  CHECK(checksum_adler32((const uint8_t *)"Wikipedia", 9) == 0x11e60398);
  refuses_bad_zlib_headers();
  refuses_unknown_block_type();
  refuses_stored_block_with_wrong_complement();
  refuses_copy_from_before_the_start();
  refuses_symbols_that_do_not_exist();
  refuses_malformed_codes();
  refuses_malformed_code_lengths();
  refuses_another_size_and_checksum();
  ends_on_any_bytes();
}
