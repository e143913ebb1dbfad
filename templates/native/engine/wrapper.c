/* A C engine: counts how often each letter comes in its input. Replace it, or put your own libwrapper.so next to
 * aiges.toml and drop the "build" script.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aiges/wrapper.h"

enum { kTooLong = 1001, kNoMemory = 1002, kLongest = 1 << 20 };

int wrapperInit(pConfig cfg) {
  (void)cfg;
  return 0;
}

int wrapperFini(void) { return 0; }

const char* wrapperVersion(void) { return "1.0"; }

const char* wrapperError(int errNum) {
  switch (errNum) {
    case kTooLong: return "the text is longer than 1 MiB";
    case kNoMemory: return "out of memory";
    default: return "unknown";
  }
}

/* Several calls come at a time: everything that belongs to one lives on its stack, or in its answer. */
int wrapperExec(const char* usrTag, pParamList params, pDataList reqData, pDataList* respData, unsigned int psrIds[],
                int psrCnt) {
  (void)usrTag, (void)params, (void)psrIds, (void)psrCnt;
  unsigned counts[26] = {0};
  for (pDataList node = reqData; node != NULL; node = node->next) {
    if (node->key == NULL || strcmp(node->key, "text") != 0) continue;
    if (node->len > kLongest) return kTooLong;
    const char* text = node->data;
    for (unsigned i = 0; i < node->len; i++) {
      if (text[i] >= 'a' && text[i] <= 'z') counts[text[i] - 'a']++;
    }
  }
  /* At most ten digits and a comma for each. */
  char* csv = malloc(26 * 11 + 1);
  pDataList answer = calloc(1, sizeof *answer);
  if (csv == NULL || answer == NULL) {
    free(csv);
    free(answer);
    return kNoMemory;
  }
  unsigned length = 0;
  for (int i = 0; i < 26; i++) length += (unsigned)sprintf(csv + length, i == 0 ? "%u" : ",%u", counts[i]);
  answer->key = "counts";
  answer->data = csv;
  answer->len = length;
  answer->type = DataText;
  answer->status = DataOnce;
  *respData = answer;
  return 0;
}

int wrapperExecFree(const char* usrTag, pDataList* respData) {
  (void)usrTag;
  if (*respData != NULL) free((*respData)->data);
  free(*respData);
  return 0;
}
