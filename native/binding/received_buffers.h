// SPDX-License-Identifier: Apache-2.0
// Large received messages as ArrayBuffers on the memory they were received into.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>

#include "message_block.h"
#include "napi_setup.h"

namespace aiges {

// JavaScript thread only. Each buffer holds one reference to its block, until Release or until it is collected.
class ReceivedBuffers : public std::enable_shared_from_this<ReceivedBuffers> {
 public:
  Napi::ArrayBuffer Wrap(Napi::Env env, wire::Message message);

  // Empties the buffer and drops its reference. Does nothing to buffers that Wrap did not make and to those that are
  // released already: detaching somebody else's memory would empty strangers.
  void Release(Napi::ArrayBuffer buffer);

  // What keeps the memory of such a buffer as it is, also after Release; null for every other buffer.
  static wire::BlockRef BlockOf(Napi::ArrayBuffer buffer);

 private:
  struct Entry {
    std::shared_ptr<ReceivedBuffers> owner;
    wire::BlockRef block;  // null once released
    const void* data;
    std::size_t size;
  };

  static void Collected(Napi::Env env, void* data, Entry* entry);

  // By address: as long as we hold the memory nobody else's buffer can be there.
  std::unordered_map<const void*, Entry*> live_;
};

}  // namespace aiges
