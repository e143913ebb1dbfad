/* SPDX-License-Identifier: Apache-2.0
 *
 * classify WEIGHTS < pixels: runs the engine without a loader, through its entry points, on raw images of 784 bytes
 * one after another, and prints one answer a line.
 */
#include <aiges/wrapper.h>
#include <stdio.h>

#include "image.h"

static int fail(int code) {
  fprintf(stderr, "%d %s\n", code, wrapperError(code));
  return 1;
}

static int answer(uint8_t *pixels) {
  DataList request = {.key = "img", .data = pixels, .len = IMAGE_PIXELS, .type = DataImage, .status = DataOnce};
  pDataList response = NULL;
  const int code = wrapperExec("classify", NULL, &request, &response, NULL, 0);
  if (code != 0) return code;
  printf("%.*s\n", (int)response->len, (const char *)response->data);
  return wrapperExecFree("classify", &response);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: classify WEIGHTS < pixels\n");
    return 2;
  }
  ParamList config = {.key = "weights", .value = argv[1]};
  int code = wrapperInit(&config);
  uint8_t pixels[IMAGE_PIXELS];
  while (code == 0 && fread(pixels, sizeof pixels, 1, stdin) == 1) code = answer(pixels);
  wrapperFini();
  return code == 0 ? 0 : fail(code);
}
