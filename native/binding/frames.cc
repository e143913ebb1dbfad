// SPDX-License-Identifier: Apache-2.0
#include "frames.h"

#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "shared_memory.h"

namespace aiges {
namespace {

// Up to here a plain ArrayBuffer and one more copy cost less than an external one with its bookkeeping.
constexpr std::size_t kSmallAnswer = 16 * 1024;

constexpr napi_type_tag kMemoryTag{0x7b1f0e6a52c94d11, 0x9e0c4a7d3b8f2265};

// What keeps input alive: a list of ordinary buffers, and what owns the memory of the others.
struct Pins {
  std::shared_ptr<void> buffers;
  std::vector<std::shared_ptr<void>> owners;
};

// What the ArrayBuffers of one answer lie in: copied payloads, engine memory on lease, or both.
struct AnswerMemory {
  Block block;
  std::shared_ptr<void> lease;
};

// The handle that JavaScript releases. The buffers are weak: when nobody reads the answer any more they may be
// collected, which lets go of the memory as well.
struct MemoryHandle {
  std::vector<Napi::Reference<Napi::ArrayBuffer>> buffers;
};

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

Borrowed AddFrames(JsThread& js, const Napi::Value& value, DataListBuilder& builder) {
  const Napi::Env env = value.Env();
  if (!value.IsArray()) throw Napi::TypeError::New(env, "expected an array for frames");
  const auto array = value.As<Napi::Array>();
  std::vector<Napi::Value> buffers;
  std::vector<std::shared_ptr<void>> owners;
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
    bool fleeting = false;
    if (bytes.ByteLength() >= kInPlaceBytes) {
      // A received message is let go of when its call has ended, whoever still holds the buffer; an asynchronous
      // engine that was given up may still be reading. So is an answer that is released.
      std::shared_ptr<void> owner = OwnerOf(bytes.ArrayBuffer());
      if (owner != nullptr) {
        owners.push_back(std::move(owner));
      } else if (js.memory_outlives_calls()) {
        buffers.push_back(data);
      } else {
        fleeting = true;
      }
    }
    const std::string key = ReadKey(object.Get("key"), "frame.key");
    const StringPairs desc = ReadPairs(object.Get("desc"), "frame.desc");
    builder.AddFrame({
        .key = key,
        .data = {reinterpret_cast<const std::byte*>(bytes.Data()), bytes.ByteLength()},
        .type = ReadNumber(object.Get("type"), "frame.type"),
        .status = ReadNumber(object.Get("status"), "frame.status"),
        .desc = &desc,
        .fleeting = fleeting,
    });
  }
  Borrowed borrowed;
  if (!builder.borrows()) return borrowed;
  auto pins = std::make_shared<Pins>();
  pins->owners = std::move(owners);
  if (!buffers.empty()) {
    // An array of our own: nobody can take an element out of it.
    auto held = Napi::Array::New(env, buffers.size());
    for (std::uint32_t i = 0; i < buffers.size(); ++i) held.Set(i, buffers[i]);
    pins->buffers = js.Pin(held);
    borrowed.inside = js.EnterEngine();
  }
  borrowed.pins = std::move(pins);
  return borrowed;
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
  // The copied payloads share one ArrayBuffer, each leased one has its own.
  std::shared_ptr<AnswerMemory> memory;
  Napi::ArrayBuffer copied;
  std::size_t begin = 0;
  const std::byte* block = output.block.get();
  const bool leased = output.lease != nullptr;
  if (output.block_size > kSmallAnswer || leased) {
    memory = std::make_shared<AnswerMemory>(AnswerMemory{std::move(output.block), std::move(output.lease)});
  }
  auto share = [&](const std::byte* data, std::size_t size) {
    const Napi::ArrayBuffer buffer = ShareMemory(env, data, size, memory);
    handle->buffers.push_back(Napi::Weak(buffer));
    return buffer;
  };
  if (output.block_size > kSmallAnswer) {
    copied = share(block, output.block_size);
  } else if (output.block_size != 0) {
    if (output.block_size <= JsThread::kPooledBytes) {
      copied = JsThread::Of(env)->Pooled(output.block_size, begin);
    } else {
      copied = Napi::ArrayBuffer::New(env, output.block_size);
    }
    std::memcpy(static_cast<std::byte*>(copied.Data()) + begin, block, output.block_size);
  }

  auto frames = Napi::Array::New(env, output.frames.size());
  std::uint32_t i = 0;
  for (const OutputFrame& frame : output.frames) {
    Napi::Uint8Array data;
    if (frame.size == 0) {
      data = Napi::Uint8Array::New(env, 0);
    } else if (frame.leased) {
      data = Napi::Uint8Array::New(env, frame.size, share(frame.data, frame.size), 0);
    } else {
      data = Napi::Uint8Array::New(env, frame.size, copied, begin + static_cast<std::size_t>(frame.data - block));
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
  answer.Set("leased", Napi::Boolean::New(env, leased));
  answer.Set("frames", frames);
  if (memory == nullptr) {
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
    if (const Napi::ArrayBuffer buffer = reference.Value(); !buffer.IsEmpty()) LetGo(buffer);
  }
  handle.buffers.clear();
}

}  // namespace aiges
