/* SPDX-License-Identifier: Apache-2.0
 *
 * From the bytes of a request to the 28x28 values that the network looks at.
 */
#ifndef DIGITS_IMAGE_H
#define DIGITS_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "errors.h"

enum {
  IMAGE_SIDE = 28,
  IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE,
  IMAGE_FILE_MAX = 1 << 20, /* bytes; bounds the work that a file can cause */
};

/* Decodes raw pixels, PGM or PNG, told apart by content, to the luminance of each pixel as it was drawn:
 * 0 is black, 255 is white.
 */
Status image_luminance(const uint8_t *bytes, size_t length, uint8_t pixels[IMAGE_PIXELS]);

/* Decodes the same formats to ink: 0 is background, 255 is ink. Raw pixels are ink already. A PGM or PNG with a
 * bright border is dark writing on paper, and is inverted.
 */
Status image_ink(const uint8_t *bytes, size_t length, uint8_t pixels[IMAGE_PIXELS]);

#endif
