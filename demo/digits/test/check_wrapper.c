/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry points, called as a loader calls them.
 */
#include <aiges/wrapper.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image.h"

static uint8_t stroke[IMAGE_PIXELS]; /* an upright line: a one */

static void draw_stroke(void) {
  for (int row = 4; row < 24; row++) {
    for (int column = 13; column < 16; column++) stroke[row * IMAGE_SIDE + column] = 250;
  }
}

static DataList stroke_node(char *key) {
  return (DataList){.key = key, .data = stroke, .len = sizeof stroke, .type = DataImage, .status = DataOnce};
}

static int init(char *path) {
  ParamList weights = {.key = "weights", .value = path, .vlen = path == NULL ? 0 : (unsigned)strlen(path)};
  ParamList other = {.key = "other", .value = "x", .vlen = 1, .next = &weights};
  return wrapperInit(&other);
}

static int exec(DataList *request, pDataList *response) {
  *response = NULL;
  return wrapperExec("tag", NULL, request, response, NULL, 0);
}

/* ---- initialisation ----------------------------------------------------------------------------------- */

static void write_scratch(const char *path, const uint8_t *bytes, size_t length) {
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
    perror(path);
    exit(2);
  }
}

static void refuses_missing_configuration(void) {
  ParamList empty = {0};
  ParamList other = {.key = "weight", .value = "x", .vlen = 1};
  CHECK_STATUS(E_WEIGHTS_KEY, wrapperInit(NULL));
  CHECK_STATUS(E_WEIGHTS_KEY, wrapperInit(&empty));
  CHECK_STATUS(E_WEIGHTS_KEY, wrapperInit(&other));
  CHECK_STATUS(E_WEIGHTS_KEY, init(NULL));
  CHECK_STATUS(E_WEIGHTS_KEY, init(""));
}

static void refuses_files_that_hold_no_weights(Blob weights, char *scratch) {
  CHECK_STATUS(E_WEIGHTS_OPEN, init("no/such/file"));
  CHECK_STATUS(E_WEIGHTS_OPEN, init("."));
  CHECK_STATUS(E_WEIGHTS_MAGIC, init("Makefile"));
  write_scratch(scratch, weights.bytes, 0);
  CHECK_STATUS(E_WEIGHTS_LENGTH, init(scratch));
  write_scratch(scratch, weights.bytes, weights.length / 2);
  CHECK_STATUS(E_WEIGHTS_LENGTH, init(scratch));
  weights.bytes[weights.length / 2] ^= 1;
  write_scratch(scratch, weights.bytes, weights.length);
  CHECK_STATUS(E_WEIGHTS_CHECKSUM, init(scratch));
  weights.bytes[weights.length / 2] ^= 1;
  remove(scratch);
}

static void refuses_calls_before_and_second_init(char *weights_path) {
  pDataList response;
  DataList request = stroke_node("img");
  CHECK_STATUS(E_NOT_READY, exec(&request, &response));
  CHECK(response == NULL);
  CHECK(wrapperFini() == 0);
  CHECK(init(weights_path) == 0);
  CHECK_STATUS(E_READY, init(weights_path));
}

/* ---- requests ----------------------------------------------------------------------------------------- */

static void refuses_requests_without_an_image(void) {
  pDataList response;
  DataList empty = {0};
  DataList no_data = {.key = "img"};
  DataList no_bytes = {.key = "img", .data = stroke};
  DataList text = {.key = "img", .data = "seven", .len = 5};
  CHECK_STATUS(E_NO_IMAGE, exec(NULL, &response));
  CHECK_STATUS(E_NO_IMAGE, exec(&empty, &response));
  CHECK_STATUS(E_EMPTY_IMAGE, exec(&no_data, &response));
  CHECK_STATUS(E_EMPTY_IMAGE, exec(&no_bytes, &response));
  CHECK_STATUS(E_FORMAT, exec(&text, &response));
  CHECK(response == NULL);
}

static bool has_attribute(const ParamList *list, const char *key, const char *value) {
  for (; list != NULL; list = list->next) {
    if (strcmp(list->key, key) == 0) return strcmp(list->value, value) == 0 && list->vlen == strlen(value);
  }
  return false;
}

/* Reads the answer back; the text has no NUL of its own. */
static bool is_answer(const DataList *node, int digit) {
  char text[256];
  snprintf(text, sizeof text, "%.*s", (int)node->len, (const char *)node->data);
  int found;
  float confidence;
  float scores[10];
  int end = 0;
  const char *format = "{\"digit\":%d,\"confidence\":%f,\"scores\":[%f,%f,%f,%f,%f,%f,%f,%f,%f,%f]}%n";
  const int fields = sscanf(text, format, &found, &confidence, &scores[0], &scores[1], &scores[2], &scores[3],
                            &scores[4], &scores[5], &scores[6], &scores[7], &scores[8], &scores[9], &end);
  return fields == 12 && (unsigned)end == node->len && found == digit && confidence == scores[digit] &&
         confidence > 0.5f;
}

static void answers_with_one_text(void) {
  pDataList response;
  DataList request = stroke_node("any");
  CHECK(exec(&request, &response) == 0);
  CHECK(strcmp(response->key, "result") == 0);
  CHECK(response->type == DataText && response->status == DataOnce && response->next == NULL);
  CHECK(has_attribute(response->desc, "encoding", "utf8") && has_attribute(response->desc, "format", "json"));
  CHECK(is_answer(response, 1));
  CHECK(wrapperExecFree("tag", &response) == 0 && response == NULL);
}

static void looks_at_img_or_the_first_node(void) {
  pDataList response;
  DataList second = stroke_node("img");
  DataList first = {.key = "note", .data = "hello", .len = 5, .next = &second};
  CHECK(exec(&first, &response) == 0 && is_answer(response, 1));
  wrapperExecFree("tag", &response);
  second.key = "other";
  CHECK_STATUS(E_FORMAT, exec(&first, &response));
}

static void frees_nothing_when_given_nothing(void) {
  pDataList nothing = NULL;
  CHECK(wrapperExecFree("tag", &nothing) == 0);
  CHECK(wrapperExecFree("tag", NULL) == 0);
}

/* ---- control and texts -------------------------------------------------------------------------------- */

static char traced[64];

static int trace(const void *tag, const char *key, const char *value) {
  snprintf(traced, sizeof traced, "%s %s=%s", (const char *)tag, key, value);
  return 0;
}

static void traces_the_digit(void) {
  /* As a loader does it: through void *, by representation. */
  wrapperTraceLog function = trace;
  void *pointer;
  memcpy(&pointer, &function, sizeof pointer);
  CHECK(wrapperSetCtrl(CTTraceLog, pointer) == 0);
  CHECK(wrapperSetCtrl(CTMeterCustom, pointer) == 0);
  pDataList response;
  DataList request = stroke_node("img");
  CHECK(exec(&request, &response) == 0);
  wrapperExecFree("tag", &response);
  CHECK(strcmp(traced, "tag digit=1") == 0);
  wrapperSetCtrl(CTTraceLog, NULL);
}

static void has_a_text_for_every_code(void) {
#define TEXT(code, name, text) CHECK(strcmp(wrapperError(name), text) == 0 && strlen(text) > 30);
  DIGITS_ERRORS(TEXT)
#undef TEXT
  CHECK(strlen(wrapperError(0)) > 0 && strlen(wrapperError(-1)) > 0);
  CHECK(strlen(wrapperVersion()) > 0);
}

/* ---- threads ------------------------------------------------------------------------------------------ */

static void *exec_many(void *failures) {
  for (int round = 0; round < 50; round++) {
    pDataList response;
    DataList request = stroke_node("img");
    if (exec(&request, &response) != 0 || !is_answer(response, 1)) ++*(int *)failures;
    wrapperExecFree("tag", &response);
  }
  return NULL;
}

static void answers_on_several_threads(void) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  int failures[THREADS] = {0};
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, exec_many, &failures[i]) == 0);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK(failures[i] == 0);
  }
}

void check_wrapper(char *weights_path, Blob weights, char *scratch) {
  draw_stroke();
  refuses_missing_configuration();
  refuses_files_that_hold_no_weights(weights, scratch);
  refuses_calls_before_and_second_init(weights_path);
  refuses_requests_without_an_image();
  answers_with_one_text();
  looks_at_img_or_the_first_node();
  frees_nothing_when_given_nothing();
  traces_the_digit();
  has_a_text_for_every_code();
  answers_on_several_threads();
  CHECK(wrapperFini() == 0);
  CHECK(init(weights_path) == 0);
  CHECK(wrapperFini() == 0);
}
