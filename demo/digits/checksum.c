/* SPDX-License-Identifier: Apache-2.0 */
#include "checksum.h"

uint32_t checksum_crc32(const uint8_t *bytes, size_t length) {
  /* The polynomial 0xedb88320 applied to each value of four bits: small, and fast enough for files of a few KB. */
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
      0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    crc = table[crc & 15] ^ (crc >> 4);
    crc = table[crc & 15] ^ (crc >> 4);
  }
  return ~crc;
}

uint32_t checksum_adler32(const uint8_t *bytes, size_t length) {
  uint32_t low = 1;
  uint32_t high = 0;
  for (size_t i = 0; i < length; i++) {
    low = (low + bytes[i]) % 65521;
    high = (high + low) % 65521;
  }
  return high << 16 | low;
}
