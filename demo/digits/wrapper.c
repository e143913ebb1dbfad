/* SPDX-License-Identifier: Apache-2.0
 *
 * An engine that reads handwritten digits: the capability group "once", and trace through "control".
 */
#include <aiges/wrapper.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "image.h"
#include "model.h"

/* Written by wrapperSetCtrl, wrapperInit and wrapperFini, which never overlap another call; only read in between. */
static struct {
  Model *model;
  wrapperTraceLog trace;
} engine;

/* An answer is one block: the loader's view of it comes first, what that points to follows. */
typedef struct {
  DataList node;
  ParamList desc[2];
  char key[sizeof "result"];
  char encoding[sizeof "encoding"];
  char utf8[sizeof "utf8"];
  char format[sizeof "format"];
  char json[sizeof "json"];
  char text[192];
} Answer;

/* ---- input -------------------------------------------------------------------------------------------- */

/* An empty list is NULL or one node without a key. */
static const char *find_value(const ParamList *list, const char *key) {
  for (; list != NULL; list = list->next) {
    if (list->key != NULL && strcmp(list->key, key) == 0) return list->value;
  }
  return NULL;
}

/* The node with key "img", else the first one. */
static const DataList *find_image(const DataList *list) {
  for (const DataList *node = list; node != NULL; node = node->next) {
    if (node->key != NULL && strcmp(node->key, "img") == 0) return node;
  }
  return list != NULL && list->key != NULL ? list : NULL;
}

static Status classify(const DataList *request, float scores[MODEL_CLASSES]) {
  if (engine.model == NULL) return E_NOT_READY;
  const DataList *node = find_image(request);
  if (node == NULL) return E_NO_IMAGE;
  if (node->data == NULL || node->len == 0) return E_EMPTY_IMAGE;
  uint8_t ink[IMAGE_PIXELS];
  TRY(image_ink(node->data, node->len, ink));
  return model_scores(engine.model, ink, scores);
}

/* ---- output ------------------------------------------------------------------------------------------- */

static int best_of(const float scores[MODEL_CLASSES]) {
  int best = 0;
  for (int digit = 1; digit < MODEL_CLASSES; digit++) {
    if (scores[digit] > scores[best]) best = digit;
  }
  return best;
}

/* Appends a score with four decimals. Integers, because printf takes the decimal point from the locale. */
static size_t put_score(char *text, size_t size, float score) {
  const long parts = lroundf(score * 10000);
  return (size_t)snprintf(text, size, "%ld.%04ld", parts / 10000, parts % 10000);
}

/* Writes the answer as JSON; the longest one fits by far. */
static unsigned write_json(char *text, size_t size, const float scores[MODEL_CLASSES]) {
  const int digit = best_of(scores);
  size_t length = (size_t)snprintf(text, size, "{\"digit\":%d,\"confidence\":", digit);
  length += put_score(text + length, size - length, scores[digit]);
  length += (size_t)snprintf(text + length, size - length, ",\"scores\":");
  for (int i = 0; i < MODEL_CLASSES; i++) {
    text[length++] = i == 0 ? '[' : ',';
    length += put_score(text + length, size - length, scores[i]);
  }
  length += (size_t)snprintf(text + length, size - length, "]}");
  return (unsigned)length;
}

static Answer *make_answer(const float scores[MODEL_CLASSES]) {
  Answer *answer = malloc(sizeof *answer);
  if (answer == NULL) return NULL;
  *answer = (Answer){.key = "result", .encoding = "encoding", .utf8 = "utf8", .format = "format", .json = "json"};
  answer->desc[0] = (ParamList){answer->encoding, answer->utf8, sizeof "utf8" - 1, &answer->desc[1]};
  answer->desc[1] = (ParamList){answer->format, answer->json, sizeof "json" - 1, NULL};
  answer->node = (DataList){
      .key = answer->key,
      .data = answer->text,
      .len = write_json(answer->text, sizeof answer->text, scores),
      .type = DataText,
      .status = DataOnce,
      .desc = answer->desc,
  };
  return answer;
}

static void trace_digit(const char *tag, const float scores[MODEL_CLASSES]) {
  if (engine.trace == NULL) return;
  const char digit[] = {(char)('0' + best_of(scores)), '\0'};
  engine.trace(tag, "digit", digit);
}

/* ---- entry points ------------------------------------------------------------------------------------- */

int wrapperSetCtrl(CtrlType type, void *func) {
  /* ISO C has no conversion from void * to a function pointer; every platform with dlopen has equal representations. */
  if (type == CTTraceLog) memcpy(&engine.trace, &func, sizeof func);
  return OK;
}

int wrapperInit(pConfig cfg) {
  if (engine.model != NULL) return E_READY;
  const char *path = find_value(cfg, "weights");
  return path == NULL || *path == '\0' ? E_WEIGHTS_KEY : (int)model_load(path, &engine.model);
}

int wrapperFini(void) {
  model_free(engine.model);
  engine.model = NULL;
  engine.trace = NULL;
  return OK;
}

const char *wrapperError(int errNum) { return status_text(errNum); }

const char *wrapperVersion(void) { return "1.0.0"; }

int wrapperExec(const char *usrTag, pParamList params, pDataList reqData, pDataList *respData, unsigned int psrIds[],
                int psrCnt) {
  (void)params;
  (void)psrIds;
  (void)psrCnt;
  float scores[MODEL_CLASSES];
  TRY(classify(reqData, scores));
  Answer *answer = make_answer(scores);
  if (answer == NULL) return E_MEMORY;
  trace_digit(usrTag, scores);
  *respData = &answer->node;
  return OK;
}

int wrapperExecFree(const char *usrTag, pDataList *respData) {
  (void)usrTag;
  if (respData == NULL) return OK;
  free(*respData); /* node is the first member of Answer: the same address */
  *respData = NULL;
  return OK;
}
