// SPDX-License-Identifier: Apache-2.0
#include "shared_memory.h"

#include <utility>

#include "external_memory.h"
#include "js_thread.h"
#include "received_buffers.h"

namespace aiges {
namespace {

constexpr napi_type_tag kShareTag{0x51c8a7e02d9b4f36, 0x8f63b0d4e7125ca9};

struct Part {
  std::shared_ptr<void> owner;
  std::size_t hidden = 0;  // bytes
};

// Belongs to the buffer's memory, which may move to another buffer, and to the buffer, by which it is found.
using Share = std::shared_ptr<Part>;

Share* ShareOf(const Napi::ArrayBuffer& buffer) {
  if (!buffer.CheckTypeTag(&kShareTag)) return nullptr;
  void* share = nullptr;
  if (napi_unwrap(buffer.Env(), buffer, &share) != napi_ok) return nullptr;
  return static_cast<Share*>(share);
}

constexpr std::size_t kMostHidden = std::size_t{1} << 30;
thread_local std::size_t hidden_bytes = 0;

void Show(Napi::BasicEnv env, Part& part) {
  hidden_bytes -= part.hidden;
  ShowToCollector(env, std::exchange(part.hidden, 0));
}

}  // namespace

Napi::ArrayBuffer ShareMemory(Napi::Env env, const std::byte* data, std::size_t size, std::shared_ptr<void> owner) {
  const Share part = std::make_shared<Part>(Part{std::move(owner)});
  auto share = std::make_unique<Share>(part);
  auto known = std::make_unique<Share>(part);
  auto buffer = Napi::ArrayBuffer::New(
      env, const_cast<std::byte*>(data), size,
      [](Napi::Env env, void*, Share* owned) {
        Show(env, **owned);
        delete owned;
      },
      share.get());
  share.release();  // NOLINT(bugprone-unused-return-value): the finalizer's from here on
  const napi_status status = napi_wrap(
      env, buffer, known.get(), [](napi_env, void* owned, void*) { delete static_cast<Share*>(owned); }, nullptr,
      nullptr);
  if (status != napi_ok) throw Napi::Error::New(env);
  known.release();  // NOLINT(bugprone-unused-return-value): the same
  buffer.TypeTag(&kShareTag);
  // On the main thread the loader lets go of every one, and what else runs there is a test that does not. In a worker
  // their author may keep them, and only a collection says when nobody does any more.
  if (JsThread::Of(env)->memory_outlives_calls() && hidden_bytes + size <= kMostHidden) {
    part->hidden = size;
    hidden_bytes += size;
    HideFromCollector(env, size);
  }
  return buffer;
}

std::shared_ptr<void> OwnerOf(Napi::ArrayBuffer buffer) {
  // Shared memory has nobody who could tell how long it stays.
  if (!buffer.IsArrayBuffer()) return nullptr;
  if (wire::BlockRef block = ReceivedBuffers::BlockOf(buffer)) {
    return std::make_shared<wire::BlockRef>(std::move(block));
  }
  const Share* share = ShareOf(buffer);
  return share == nullptr ? nullptr : (*share)->owner;
}

void LetGo(Napi::ArrayBuffer buffer) {
  const Share* share = ShareOf(buffer);
  // Memory that has moved belongs to another buffer by now.
  if (share == nullptr || buffer.IsDetached()) return;
  buffer.Detach();
  Show(buffer.Env(), **share);
  (*share)->owner.reset();
}

}  // namespace aiges
