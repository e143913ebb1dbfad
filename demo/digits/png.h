/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DIGITS_PNG_H
#define DIGITS_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

/* Whether the bytes start with the PNG signature. */
bool png_matches(const uint8_t *bytes, size_t length);

/* Decodes a PNG of 28x28 pixels and 8 bits per sample, of any colour type, to luminance (ITU-R BT.601). What is
 * transparent shows white paper. Allocates nothing; the time is proportional to `length`.
 */
Status png_decode(const uint8_t *bytes, size_t length, uint8_t *pixels);

#endif
