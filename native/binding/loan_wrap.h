// SPDX-License-Identifier: Apache-2.0
// Memory of one JavaScript thread that another one reads in place. Their contract is src/runtimes/native/addon.ts.
#pragma once

#include "napi_setup.h"

namespace aiges {

void ExportLoans(Napi::Env env, Napi::Object exports);

}  // namespace aiges
