// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

namespace aiges {

Counters& counters() {
  // Never destroyed: engine threads may still count while the process runs its exit handlers.
  static Counters& instance = *new Counters;
  return instance;
}

}  // namespace aiges
