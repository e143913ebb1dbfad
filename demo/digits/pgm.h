/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DIGITS_PGM_H
#define DIGITS_PGM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

/* Whether the bytes start like a PGM, binary (P5) or plain (P2). */
bool pgm_matches(const uint8_t *bytes, size_t length);

/* Decodes a PGM of 28x28 pixels with a maximum of 255 at most. What follows the last pixel is ignored, as netpbm
 * does: a PGM file may hold several images.
 */
Status pgm_decode(const uint8_t *bytes, size_t length, uint8_t *pixels);

#endif
