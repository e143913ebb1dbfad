/* SPDX-License-Identifier: Apache-2.0 */
#include "errors.h"

#define CASE(code, name, text) \
  case code:                   \
    return text;

const char *status_text(int code) {
  switch (code) {
    case OK:
      return "no error";
      DIGITS_ERRORS(CASE)
    default:
      return "this code is not one of the digits engine";
  }
}
