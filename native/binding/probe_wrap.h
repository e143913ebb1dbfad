// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "napi_setup.h"

namespace aiges {

// Adds probe.
void ExportProbe(Napi::Env env, Napi::Object exports);

}  // namespace aiges
