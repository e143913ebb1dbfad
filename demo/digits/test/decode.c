/* SPDX-License-Identifier: Apache-2.0
 *
 * decode < image > pixels: decodes a raw, PGM or PNG image to 784 bytes of luminance.
 * Exit code 1, with the engine's code and text on stderr, if the image is refused.
 */
#include <stdio.h>

#include "image.h"

int main(void) {
  static uint8_t bytes[IMAGE_FILE_MAX + 1];
  uint8_t pixels[IMAGE_PIXELS];
  const size_t length = fread(bytes, 1, sizeof bytes, stdin);
  const Status status = image_luminance(bytes, length, pixels);
  if (status != OK) {
    fprintf(stderr, "%d %s\n", status, status_text(status));
    return 1;
  }
  return fwrite(pixels, sizeof pixels, 1, stdout) == 1 ? 0 : 1;
}
