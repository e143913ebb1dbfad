// SPDX-License-Identifier: Apache-2.0
#include "frames.h"

#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "external_memory.h"
#include "received_buffers.h"

namespace aiges {
namespace {

// Up to here a plain ArrayBuffer and one more copy cost less than an external one with its bookkeeping.
constexpr std::size_t kSmallAnswer = 16 * 1024;

constexpr napi_type_tag kMemoryTag{0x7b1f0e6a52c94d11, 0x9e0c4a7d3b8f2265};

// What keeps input alive: the buffers, and the blocks of those that can be emptied under us.
struct Pinned {
  std::shared_ptr<void> buffers;
  std::vector<wire::BlockRef> blocks;
};

// What the ArrayBuffers of one answer lie in: copied payloads, engine memory on lease, or both.
struct AnswerMemory {
  Block block;
  std::shared_ptr<void> lease;
  std::size_t hidden = 0;  // bytes of its ArrayBuffers
};

struct Wrapped {
  std::shared_ptr<AnswerMemory> memory;
  std::size_t size;
};

// The handle that JavaScript releases. The buffers are weak: when nobody reads the answer any more they may be
// collected, and their finalizers let go of the memory instead.
struct MemoryHandle {
  std::shared_ptr<AnswerMemory> memory;
  std::vector<Napi::Reference<Napi::ArrayBuffer>> buffers;
};

Napi::ArrayBuffer WrapMemory(Napi::Env env, const std::byte* data, std::size_t size,
                             const std::shared_ptr<AnswerMemory>& memory) {
  auto hint = std::make_unique<Wrapped>(Wrapped{memory, size});
  auto buffer = Napi::ArrayBuffer::New(
      env, const_cast<std::byte*>(data), size,
      [](Napi::Env env, void*, Wrapped* wrapped) {
        const std::unique_ptr<Wrapped> owned(wrapped);
        if (owned->memory->hidden == 0) return;  // released
        owned->memory->hidden -= owned->size;
        ShowToCollector(env, owned->size);
      },
      hint.get());
  hint.release();  // its finalizer's from here on
  memory->hidden += size;
  HideFromCollector(env, size);
  return buffer;
}

std::uint32_t ReadNumber(const Napi::Value& value, const char* what) {
  if (!value.IsNumber()) throw Napi::TypeError::New(value.Env(), std::string("expected a number for ") + what);
  return value.As<Napi::Number>().Uint32Value();
}

Napi::Array WritePairs(Napi::Env env, const StringPairs& pairs) {
  auto array = Napi::Array::New(env, pairs.size() * 2);
  std::uint32_t i = 0;
  for (const auto& [key, value] : pairs) {
    array.Set(i++, Napi::String::New(env, key));
    array.Set(i++, Napi::String::New(env, value));
  }
  return array;
}

}  // namespace

std::string ReadKey(const Napi::Value& value, const char* what) {
  if (!value.IsString()) throw Napi::TypeError::New(value.Env(), std::string("expected a string for ") + what);
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) {
    throw Napi::TypeError::New(value.Env(), std::string("expected a string without NUL for ") + what);
  }
  return text;
}

StringPairs ReadPairs(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), std::string("expected an array for ") + what);
  const auto array = value.As<Napi::Array>();
  const std::uint32_t length = array.Length();
  if (length % 2 != 0) {
    throw Napi::TypeError::New(value.Env(), std::string("expected keys and values in turn for ") + what);
  }
  StringPairs pairs;
  pairs.reserve(length / 2);
  for (std::uint32_t i = 0; i < length; i += 2) {
    const Napi::Value text = array.Get(i + 1);
    if (!text.IsString()) throw Napi::TypeError::New(value.Env(), std::string("expected strings for ") + what);
    pairs.emplace_back(ReadKey(array.Get(i), what), text.As<Napi::String>().Utf8Value());
  }
  return pairs;
}

std::vector<Napi::Value> AddFrames(const Napi::Value& value, DataListBuilder& builder) {
  const Napi::Env env = value.Env();
  if (!value.IsArray()) throw Napi::TypeError::New(env, "expected an array for frames");
  const auto array = value.As<Napi::Array>();
  std::vector<Napi::Value> borrowed;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value element = array.Get(i);
    if (!element.IsObject()) throw Napi::TypeError::New(env, "expected an object for a frame");
    const auto object = element.As<Napi::Object>();
    const Napi::Value data = object.Get("data");
    if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      throw Napi::TypeError::New(env, "expected a Uint8Array for frame.data");
    }
    const auto bytes = data.As<Napi::Uint8Array>();
    if (bytes.ByteLength() > std::numeric_limits<unsigned int>::max()) {
      throw Napi::TypeError::New(env, "expected less than 4 GiB for frame.data");
    }
    const std::string key = ReadKey(object.Get("key"), "frame.key");
    const StringPairs desc = ReadPairs(object.Get("desc"), "frame.desc");
    builder.AddFrame({
        .key = key,
        .data = {reinterpret_cast<const std::byte*>(bytes.Data()), bytes.ByteLength()},
        .type = ReadNumber(object.Get("type"), "frame.type"),
        .status = ReadNumber(object.Get("status"), "frame.status"),
        .desc = &desc,
    });
    if (bytes.ByteLength() >= kInPlaceBytes) borrowed.push_back(data);
  }
  if (!builder.borrows()) borrowed.clear();
  return borrowed;
}

std::shared_ptr<void> PinAll(JsThread& js, Napi::Env env, const std::vector<Napi::Value>& values) {
  // An array of our own: nobody can take an element out of it.
  auto held = Napi::Array::New(env, values.size());
  auto pinned = std::make_shared<Pinned>();
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    held.Set(i, values[i]);
    // A received message is let go of when its call has ended, whoever still holds the buffer; an asynchronous engine
    // that was given up may still be reading.
    if (!values[i].IsTypedArray()) continue;
    wire::BlockRef block = ReceivedBuffers::BlockOf(values[i].As<Napi::TypedArray>().ArrayBuffer());
    if (block) pinned->blocks.push_back(std::move(block));
  }
  pinned->buffers = js.Pin(held);
  return pinned;
}

std::vector<unsigned int> ReadIds(const Napi::Value& value) {
  const Napi::Env env = value.Env();
  if (!value.IsArray()) throw Napi::TypeError::New(env, "expected an array for resourceIds");
  const auto array = value.As<Napi::Array>();
  std::vector<unsigned int> ids;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value id = array.Get(i);
    if (!id.IsNumber()) throw Napi::TypeError::New(env, "expected numbers for resourceIds");
    ids.push_back(id.As<Napi::Number>().Uint32Value());
  }
  return ids;
}

Napi::Value MakeAnswer(Napi::Env env, OwnedFrames output) {
  auto handle = std::make_unique<MemoryHandle>();
  auto hold = [&](const Napi::ArrayBuffer& buffer) { handle->buffers.push_back(Napi::Weak(buffer)); };

  // The copied payloads share one ArrayBuffer, each leased one has its own.
  Napi::ArrayBuffer copied;
  const std::byte* block = output.block.get();
  if (output.block_size > kSmallAnswer || output.lease != nullptr) {
    handle->memory = std::make_shared<AnswerMemory>(AnswerMemory{std::move(output.block), std::move(output.lease)});
  }
  if (output.block_size > kSmallAnswer) {
    copied = WrapMemory(env, block, output.block_size, handle->memory);
    hold(copied);
  } else {
    copied = Napi::ArrayBuffer::New(env, output.block_size);
    if (output.block_size != 0) std::memcpy(copied.Data(), block, output.block_size);
  }

  auto frames = Napi::Array::New(env, output.frames.size());
  std::uint32_t i = 0;
  for (const OutputFrame& frame : output.frames) {
    Napi::Uint8Array data;
    if (frame.size == 0) {
      data = Napi::Uint8Array::New(env, 0);
    } else if (frame.leased) {
      auto buffer = WrapMemory(env, frame.data, frame.size, handle->memory);
      hold(buffer);
      data = Napi::Uint8Array::New(env, frame.size, buffer, 0);
    } else {
      data = Napi::Uint8Array::New(env, frame.size, copied, static_cast<std::size_t>(frame.data - block));
    }
    auto object = Napi::Object::New(env);
    object.Set("key", frame.key);
    object.Set("data", data);
    object.Set("type", frame.type);
    object.Set("status", frame.status);
    object.Set("desc", WritePairs(env, frame.desc));
    frames.Set(i++, object);
  }

  auto answer = Napi::Object::New(env);
  answer.Set("frames", frames);
  if (handle->memory == nullptr) {
    answer.Set("memory", env.Null());
  } else {
    auto external =
        Napi::External<MemoryHandle>::New(env, handle.release(), [](Napi::Env, MemoryHandle* owned) { delete owned; });
    external.TypeTag(&kMemoryTag);
    answer.Set("memory", external);
  }
  return answer;
}

void ReleaseAnswer(const Napi::Value& memory) {
  if (!memory.IsExternal() || !memory.As<Napi::External<MemoryHandle>>().CheckTypeTag(&kMemoryTag)) {
    throw Napi::TypeError::New(memory.Env(), "expected the memory of an answer");
  }
  MemoryHandle& handle = *memory.As<Napi::External<MemoryHandle>>().Data();
  for (auto& reference : handle.buffers) {
    Napi::ArrayBuffer buffer = reference.Value();
    if (!buffer.IsEmpty() && !buffer.IsDetached()) buffer.Detach();
  }
  handle.buffers.clear();
  if (handle.memory == nullptr) return;
  ShowToCollector(memory.Env(), std::exchange(handle.memory->hidden, 0));
  // The finalizers still hold the (now empty) AnswerMemory.
  handle.memory->block.reset();
  handle.memory->lease.reset();
  handle.memory.reset();
}

}  // namespace aiges
