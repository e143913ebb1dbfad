// SPDX-License-Identifier: Apache-2.0
// ArrayBuffers on memory that belongs to no environment's heap: answers of engines, and what other threads lend. It
// stays as it is while anybody owns a share of it, and other threads may go on reading it when the environment has
// ended.
#pragma once

#include <cstddef>
#include <memory>

#include "napi_setup.h"

namespace aiges {

// JavaScript thread only, as is everything here. The buffer owns a share until it is collected or let go of.
Napi::ArrayBuffer ShareMemory(Napi::Env env, const std::byte* data, std::size_t size, std::shared_ptr<void> owner);

// A share of the memory behind such a buffer, or behind one that received a message; null for every other buffer, and
// for those that were let go of.
std::shared_ptr<void> OwnerOf(Napi::ArrayBuffer buffer);

// Empties the buffer and drops its share. Does nothing to buffers that ShareMemory did not make: detaching somebody
// else's memory would empty strangers.
void LetGo(Napi::ArrayBuffer buffer);

}  // namespace aiges
