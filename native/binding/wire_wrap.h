// SPDX-License-Identifier: Apache-2.0
// The wire for JavaScript: see src/transports/grpc/wire-addon.ts.
#pragma once

#include "napi_setup.h"

namespace aiges {

void ExportWire(Napi::Env env, Napi::Object exports);

}  // namespace aiges
