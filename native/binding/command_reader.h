// SPDX-License-Identifier: Apache-2.0
// Turns a packed batch of JavaScript into commands for the wire.
#pragma once

#include "commands.h"
#include "napi_setup.h"

namespace aiges {

// (…, commands, count, bytes, chunks) from `first` on: see wireSubmit in src/transports/grpc/wire-addon.ts. Throws a
// TypeError and takes nothing when something in it does not fit together.
wire::Commands ReadCommands(const Napi::CallbackInfo& info, std::size_t first);

}  // namespace aiges
