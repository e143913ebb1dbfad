/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the engine share. A failed check prints its place and is counted; the tests go on.
 */
#ifndef DIGITS_CHECK_H
#define DIGITS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

/* Bytes on the heap, of exactly their size, so that a sanitizer sees any read past their end. */
typedef struct {
  uint8_t *bytes; /* OWNERSHIP: holder, until blob_free */
  size_t length;
} Blob;

Blob blob_copy(const void *bytes, size_t length);
Blob blob_read(const char *folder, const char *name); /* ends the program if the file cannot be read */
void blob_free(Blob *blob);

/* The next number of a fixed pseudo-random sequence, below `limit`. */
uint32_t random_below(uint32_t *state, uint32_t limit);

/* Little-endian. */
void put_u32le(uint8_t *bytes, uint32_t value);

void check_that(bool holds, const char *what, const char *file, int line);
void check_status(Status expected, Status actual, const char *what, const char *file, int line);

#define CHECK(condition) check_that(condition, #condition, __FILE__, __LINE__)
#define CHECK_STATUS(expected, call) check_status(expected, call, #call, __FILE__, __LINE__)

/* Whether a status is one that wrapperError has a text for. */
bool is_known(Status status);

void check_inflate(void);
void check_png(const char *fixtures);
void check_pgm(void);
void check_model(Blob weights);
void check_wrapper(char *weights_path, Blob weights, char *scratch_path);

#endif
