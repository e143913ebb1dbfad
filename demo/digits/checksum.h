/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DIGITS_CHECKSUM_H
#define DIGITS_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of PNG and zlib. */
uint32_t checksum_crc32(const uint8_t *bytes, size_t length);

/* Adler-32 of zlib. */
uint32_t checksum_adler32(const uint8_t *bytes, size_t length);

#endif
