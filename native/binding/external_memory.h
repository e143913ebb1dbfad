// SPDX-License-Identifier: Apache-2.0
// Memory that JavaScript sees and whose end it does not decide: received messages and answers are released by hand.
//
// V8 counts external ArrayBuffers as memory that a garbage collection may free, and collects the whole heap when 64 MiB
// of them have come. Ours are emptied long before, so that such a collection frees nothing and costs more than all the
// rest of a large request.
#pragma once

#include <cstddef>
#include <cstdint>

#include "napi_setup.h"

namespace aiges {

// From Node.js 23 on V8 ends the process when the count falls below what an ArrayBuffer takes from it at its end. What
// is hidden is missing just then, and nobody is told before a buffer is collected: there the collections have to be
// borne.
inline bool CanHide(Napi::BasicEnv env) {
  static const bool can = [env] {
    const napi_node_version* version = nullptr;
    return napi_get_node_version(env, &version) == napi_ok && version->major < 23;
  }();
  return can;
}

// Call it when the ArrayBuffer is there.
inline void HideFromCollector(Napi::BasicEnv env, std::size_t bytes) {
  if (CanHide(env)) Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<std::int64_t>(bytes));
}

// Call it once for the same bytes, when the ArrayBuffer has been detached or collected: V8 does not count it then.
inline void ShowToCollector(Napi::BasicEnv env, std::size_t bytes) {
  if (CanHide(env)) Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<std::int64_t>(bytes));
}

}  // namespace aiges
