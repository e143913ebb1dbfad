// SPDX-License-Identifier: Apache-2.0
// The functions of the addon that concern a stream. Their contract is src/runtimes/native/addon.ts.
#pragma once

#include "napi_setup.h"

namespace aiges {

void ExportStream(Napi::Env env, Napi::Object exports);

}  // namespace aiges
