// SPDX-License-Identifier: Apache-2.0
#include "command_reader.h"

#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "wire_layout.h"

namespace aiges {
namespace {

namespace layout = wire_layout::command;

constexpr double kLargestInteger = 9007199254740991;

[[noreturn]] void Refuse(Napi::Env env, const char* expected) {
  throw Napi::TypeError::New(env, std::string("expected ") + expected);
}

// Walks through the three parts of a batch side by side.
class Reader {
 public:
  Reader(Napi::Env env, std::string_view bytes, Napi::Value chunks) : env_(env), bytes_(bytes) {
    if (chunks.IsNull()) return;
    if (!chunks.IsArray()) Refuse(env, "an array or null for chunks");
    chunks_ = chunks.As<Napi::Array>();
    chunks_left_ = chunks_.Length();
  }

  std::uint64_t Integer(double number) const {
    if (!(number >= 0 && number <= kLargestInteger)) Refuse(env_, "integers in commands");
    return static_cast<std::uint64_t>(number);
  }

  std::string_view Text(double size) {
    const std::uint64_t length = Integer(size);
    if (length > bytes_.size()) Refuse(env_, "as many bytes as the commands name");
    const std::string_view text = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return text;
  }

  wire::Metadata Metadata(double size) {
    std::string_view rest = Text(size);
    wire::Metadata metadata;
    while (!rest.empty()) {
      std::uint32_t lengths[2] = {};
      static_assert(sizeof lengths == wire_layout::kFieldHeader);
      if (rest.size() < sizeof lengths) Refuse(env_, "whole fields");
      std::memcpy(lengths, rest.data(), sizeof lengths);
      rest.remove_prefix(sizeof lengths);
      const std::size_t name = lengths[0];
      const std::size_t value = lengths[1];
      if (rest.size() < name + value) Refuse(env_, "whole fields");
      metadata.Add(rest.substr(0, name), rest.substr(name, value));
      rest.remove_prefix(name + value);
    }
    return metadata;
  }

  wire::OutgoingMessage Message(const double* command) {
    wire::OutgoingMessage message;
    message.head = Text(command[layout::kText]);
    message.token = Integer(command[layout::kSubject]);
    const std::uint64_t count = Integer(command[layout::kChunks]);
    if (count > chunks_left_) Refuse(env_, "as many chunks as the commands name");
    if (count > 0 && message.token == 0) Refuse(env_, "a token for lent chunks");
    message.chunks.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) message.chunks.push_back(Chunk());
    return message;
  }

 private:
  wire::Chunk Chunk() {
    const Napi::Value value = chunks_.Get(next_chunk_++);
    --chunks_left_;
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      Refuse(env_, "a Uint8Array for a chunk");
    }
    const auto bytes = value.As<Napi::Uint8Array>();
    return {reinterpret_cast<const std::byte*>(bytes.Data()), bytes.ByteLength()};
  }

  const Napi::Env env_;
  std::string_view bytes_;
  Napi::Array chunks_;
  std::uint32_t next_chunk_ = 0;
  std::uint32_t chunks_left_ = 0;
};

void Add(wire::Commands& commands, Reader& reader, const double* command, Napi::Env env) {
  const wire::CallId call = reader.Integer(command[layout::kCall]);
  const auto kind = static_cast<int>(reader.Integer(command[layout::kKind]));
  switch (kind) {
    case layout::kMetadata: return commands.SendMetadata(call, reader.Metadata(command[layout::kFields]));
    case layout::kMessage: return commands.SendMessage(call, reader.Message(command));
    case layout::kFinish: {
      const std::uint64_t code = reader.Integer(command[layout::kSubject]);
      if (code > std::numeric_limits<std::uint32_t>::max()) Refuse(env, "a status code of 32 bits");
      wire::CallStatus status{static_cast<std::uint32_t>(code), std::string(reader.Text(command[layout::kText]))};
      return commands.Finish(call, std::move(status), reader.Metadata(command[layout::kFields]));
    }
    case layout::kReply:
    case layout::kLeasedReply: {
      wire::OutgoingMessage message = reader.Message(command);
      message.leased = kind == layout::kLeasedReply;
      return commands.Reply(call, std::move(message), reader.Metadata(command[layout::kFields]));
    }
    case layout::kConsumed: return commands.Consumed(call, reader.Integer(command[layout::kSubject]));
    default: Refuse(env, "a known kind of command");
  }
}

}  // namespace

wire::Commands ReadCommands(const Napi::CallbackInfo& info, std::size_t first) {
  const Napi::Env env = info.Env();
  const Napi::Value numbers = info[first];
  const Napi::Value count = info[first + 1];
  const Napi::Value bytes = info[first + 2];
  if (!numbers.IsTypedArray() || numbers.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    Refuse(env, "a Float64Array for commands");
  }
  if (!count.IsNumber()) Refuse(env, "a number for count");
  if (!bytes.IsTypedArray() || bytes.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    Refuse(env, "a Uint8Array for bytes");
  }
  const auto array = numbers.As<Napi::Float64Array>();
  const auto text = bytes.As<Napi::Uint8Array>();
  Reader reader(env, {reinterpret_cast<const char*>(text.Data()), text.ByteLength()}, info[first + 3]);
  const std::uint64_t length = reader.Integer(count.As<Napi::Number>().DoubleValue());
  if (length > array.ElementLength() / layout::kStride) Refuse(env, "as many commands as count says");

  wire::Commands commands;
  const double* command = array.Data();
  for (std::uint64_t i = 0; i < length; ++i, command += layout::kStride) Add(commands, reader, command, env);
  return commands;
}

}  // namespace aiges
