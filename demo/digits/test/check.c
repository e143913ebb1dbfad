/* SPDX-License-Identifier: Apache-2.0
 *
 * check FIXTURES WEIGHTS SCRATCH: runs the tests of the engine. SCRATCH is a file they may write.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct { unsigned passed, failed; } checks;

static void *allocate(size_t size) {
  void *bytes = malloc(size > 0 ? size : 1);
  if (bytes == NULL) abort();
  return bytes;
}

Blob blob_copy(const void *bytes, size_t length) {
  Blob blob = {allocate(length), length};
  if (length > 0) memcpy(blob.bytes, bytes, length);
  return blob;
}

Blob blob_read(const char *folder, const char *name) {
  static uint8_t buffer[1 << 20];
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  const size_t length = fread(buffer, 1, sizeof buffer, file);
  fclose(file);
  return blob_copy(buffer, length);
}

void blob_free(Blob *blob) {
  free(blob->bytes);
  *blob = (Blob){0};
}

uint32_t random_below(uint32_t *state, uint32_t limit) {
  *state = *state * 1664525u + 1013904223u;
  return (uint32_t)((uint64_t)*state * limit >> 32);
}

void put_u32le(uint8_t *bytes, uint32_t value) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> 8 * i);
}

void check_that(bool holds, const char *what, const char *file, int line) {
  if (holds) {
    checks.passed++;
    return;
  }
  checks.failed++;
  fprintf(stderr, "%s:%d: expected %s\n", file, line, what);
}

void check_status(Status expected, Status actual, const char *what, const char *file, int line) {
  if (expected != actual) {
    fprintf(stderr, "  expected %d (%s)\n  received %d (%s)\n", expected, status_text(expected), actual,
            status_text(actual));
  }
  check_that(expected == actual, what, file, line);
}

bool is_known(Status status) { return strcmp(status_text(status), status_text(-1)) != 0; }

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: check FIXTURES WEIGHTS SCRATCH\n");
    return 2;
  }
  Blob weights = blob_read(".", argv[2]);
  check_inflate();
  check_png(argv[1]);
  check_pgm();
  check_model(weights);
  check_wrapper(argv[2], weights, argv[3]);
  blob_free(&weights);
  printf("%u checks passed, %u failed\n", checks.passed, checks.failed);
  return checks.failed == 0 ? 0 : 1;
}
