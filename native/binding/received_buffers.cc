// SPDX-License-Identifier: Apache-2.0
#include "received_buffers.h"

#include <utility>

#include "external_memory.h"

namespace aiges {
namespace {

// All servers' buffers by address. One table per thread, because an environment, and with it its buffers, lives on one.
std::unordered_map<const void*, const wire::BlockRef*>& Blocks() {
  thread_local std::unordered_map<const void*, const wire::BlockRef*> blocks;
  return blocks;
}

}  // namespace

Napi::ArrayBuffer ReceivedBuffers::Wrap(Napi::Env env, wire::Message message) {
  void* data = message.data();
  auto entry = std::make_unique<Entry>(Entry{shared_from_this(), std::move(message.block), data, message.size});
  auto buffer = Napi::ArrayBuffer::New(env, data, message.size, &ReceivedBuffers::Collected, entry.get());
  HideFromCollector(env, message.size);
  Blocks().emplace(data, &entry->block);
  live_.emplace(data, entry.release());  // the finalizer's from here on
  return buffer;
}

void ReceivedBuffers::Release(Napi::ArrayBuffer buffer) {
  const auto found = live_.find(buffer.Data());
  if (found == live_.end() || buffer.IsDetached()) return;
  Entry& entry = *found->second;
  live_.erase(found);
  Blocks().erase(entry.data);
  buffer.Detach();
  ShowToCollector(buffer.Env(), entry.size);
  entry.block = {};
}

void ReceivedBuffers::Collected(Napi::Env env, void*, Entry* entry) {
  const std::unique_ptr<Entry> owned(entry);
  if (!owned->block) return;
  ShowToCollector(env, owned->size);
  Blocks().erase(owned->data);
  owned->owner->live_.erase(owned->data);
}

wire::BlockRef ReceivedBuffers::BlockOf(Napi::ArrayBuffer buffer) {
  const auto found = Blocks().find(buffer.Data());
  return found == Blocks().end() ? wire::BlockRef() : *found->second;
}

}  // namespace aiges
