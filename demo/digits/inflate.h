/* SPDX-License-Identifier: Apache-2.0
 *
 * Decompresses zlib data (RFC 1950, RFC 1951) whose size is known beforehand. Allocates nothing; reads no further than
 * its source and writes no further than its destination, whatever the data.
 */
#ifndef DIGITS_INFLATE_H
#define DIGITS_INFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "errors.h"

/* Where compressed bytes come from. */
typedef struct {
  int (*next)(void *context); /* the next byte, or -1 at the end */
  void *context;
} ByteSource;

/* Fills exactly `size` bytes of `out`.
 * Fails with E_PNG_DEFLATE (malformed or cut short), E_PNG_PIXELS (another size) or E_PNG_ADLER (damaged).
 */
Status inflate_zlib(ByteSource source, uint8_t *out, size_t size);

#endif
