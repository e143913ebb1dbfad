// SPDX-License-Identifier: Apache-2.0
#include "event_packer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "block.h"
#include "wire_layout.h"

namespace aiges {
namespace {

namespace layout = wire_layout::event;

// Up to here copying costs less than an ArrayBuffer of its own.
constexpr std::size_t kLargeMessage = 16 * 1024;
constexpr std::size_t kMessageAlignment = 8;

bool IsLarge(const wire::Message& message) { return message.size >= kLargeMessage; }

double Milliseconds(wire::Clock::time_point time) {
  if (time == wire::Clock::time_point::max()) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double, std::milli>(time.time_since_epoch()).count();
}

int KindOf(wire::Event::Kind kind) {
  switch (kind) {
    case wire::Event::Kind::kStart: return layout::kStart;
    case wire::Event::Kind::kMessage: return layout::kMessage;
    case wire::Event::Kind::kEnd: return layout::kEnd;
    case wire::Event::Kind::kCancelled: return layout::kCancelled;
    case wire::Event::Kind::kReleased: return layout::kReleased;
    case wire::Event::Kind::kDrained: return layout::kDrained;
  }
  return layout::kEnd;
}

double SubjectOf(const wire::Event& event) {
  switch (event.kind) {
    case wire::Event::Kind::kStart: return event.start->method;
    case wire::Event::Kind::kCancelled: return static_cast<double>(event.reason);
    case wire::Event::Kind::kReleased: return static_cast<double>(event.token);
    default: return 0;
  }
}

std::size_t FieldSize(std::string_view name, std::string_view value) {
  return wire_layout::kFieldHeader + name.size() + value.size();
}

std::byte* WriteField(std::byte* at, std::string_view name, std::string_view value) {
  const std::uint32_t lengths[] = {static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())};
  static_assert(sizeof lengths == wire_layout::kFieldHeader);
  std::memcpy(at, lengths, sizeof lengths);
  at += sizeof lengths;
  if (!name.empty()) std::memcpy(at, name.data(), name.size());
  at += name.size();
  if (!value.empty()) std::memcpy(at, value.data(), value.size());
  return at + value.size();
}

// The ends of a connection are fields as well: the host and, as its value, the port.
std::size_t EndsSize(const wire::ConnectionInfo& connection) {
  return FieldSize(connection.peer.host, std::to_string(connection.peer.port)) +
         FieldSize(connection.local.host, std::to_string(connection.local.port));
}

std::size_t MetadataSize(const wire::Metadata& metadata) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < metadata.size(); ++i) size += FieldSize(metadata[i].name, metadata[i].value);
  return size;
}

std::byte* WriteMetadata(std::byte* at, const wire::Metadata& metadata) {
  for (std::size_t i = 0; i < metadata.size(); ++i) at = WriteField(at, metadata[i].name, metadata[i].value);
  return at;
}

std::byte* WriteEnds(std::byte* at, const wire::ConnectionInfo& connection) {
  at = WriteField(at, connection.peer.host, std::to_string(connection.peer.port));
  return WriteField(at, connection.local.host, std::to_string(connection.local.port));
}

}  // namespace

EventPacker::Packed EventPacker::Pack(Napi::Env env, wire::Events events) {
  // First the numbers, and with them where everything is going to be; then the bytes.
  double* number = Room(env, events.size());
  std::size_t size = 0;
  std::uint32_t large_count = 0;
  for (const wire::Event& event : events) {
    int flags = event.end_of_input ? layout::kEndOfInput : 0;
    const wire::Message& message = event.message;
    if (event.kind == wire::Event::Kind::kStart || event.kind == wire::Event::Kind::kMessage) {
      if (message.block) flags |= layout::kHasMessage;
      if (message.compressed) flags |= layout::kCompressed;
    }
    number[layout::kPlace] = 0;
    if (message.block && IsLarge(message)) {
      flags |= layout::kLarge;
      number[layout::kPlace] = large_count++;
    } else if (message.block) {
      size = AlignUp(size, kMessageAlignment);
      number[layout::kPlace] = static_cast<double>(size);
      size += message.size;
    }
    if (event.kind == wire::Event::Kind::kStart) {
      const Located located = Locate(event.start->connection);
      number[layout::kDeadline] = Milliseconds(event.start->deadline);
      number[layout::kConnection] = static_cast<double>(located.place);
      number[layout::kFields] = static_cast<double>(size);
      std::size_t fields = MetadataSize(event.start->metadata);
      if (located.fresh) {
        flags |= layout::kNewConnection;
        fields += EndsSize(*event.start->connection);
      }
      number[layout::kFieldsSize] = static_cast<double>(fields);
      size += fields;
    }
    number[layout::kKind] = KindOf(event.kind);
    number[layout::kCall] = static_cast<double>(event.call);
    number[layout::kSubject] = SubjectOf(event);
    number[layout::kFlags] = flags;
    number[layout::kSize] = static_cast<double>(message.size);
    number += layout::kStride;
  }

  Packed packed;
  packed.events = numbers_.Value();
  packed.count = Napi::Number::New(env, static_cast<double>(events.size()));
  packed.bytes = env.Null();
  packed.large = env.Null();
  std::byte* bytes = nullptr;
  if (size > 0) {
    auto buffer = Napi::ArrayBuffer::New(env, size);
    bytes = static_cast<std::byte*>(buffer.Data());
    packed.bytes = buffer;
  }
  Napi::Array large;
  if (large_count > 0) packed.large = large = Napi::Array::New(env, large_count);

  number = numbers_data_;
  for (wire::Event& event : events) {
    const auto flags = static_cast<int>(number[layout::kFlags]);
    const auto place = static_cast<std::size_t>(number[layout::kPlace]);
    if (event.kind == wire::Event::Kind::kStart) {
      std::byte* at = bytes + static_cast<std::size_t>(number[layout::kFields]);
      if ((flags & layout::kNewConnection) != 0) at = WriteEnds(at, *event.start->connection);
      WriteMetadata(at, event.start->metadata);
    }
    if ((flags & layout::kLarge) != 0) {
      large.Set(static_cast<std::uint32_t>(place), buffers_->Wrap(env, std::move(event.message)));
    } else if (event.message.block && event.message.size != 0) {
      std::memcpy(bytes + place, event.message.data(), event.message.size);
    }
    number += layout::kStride;
  }
  return packed;
}

double* EventPacker::Room(Napi::Env env, std::size_t events) {
  if (events > capacity_) {
    capacity_ = std::max<std::size_t>(events * 2, 64);
    auto array = Napi::Float64Array::New(env, capacity_ * layout::kStride);
    numbers_ = Napi::Reference<Napi::Float64Array>::New(array, 1);
    numbers_data_ = array.Data();
  }
  return numbers_data_;
}

EventPacker::Located EventPacker::Locate(const std::shared_ptr<const wire::ConnectionInfo>& connection) {
  if (const auto known = place_of_.find(connection->id); known != place_of_.end()) return {known->second, false};
  if (free_.empty() && places_.size() >= look_again_at_) ForgetClosed();
  std::size_t place = places_.size();
  if (free_.empty()) {
    places_.emplace_back();
  } else {
    place = free_.back();
    free_.pop_back();
  }
  places_[place] = {connection->id, connection};
  place_of_.emplace(connection->id, place);
  return {place, true};
}

void EventPacker::ForgetClosed() {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!places_[i].connection.expired()) continue;
    place_of_.erase(places_[i].id);
    free_.push_back(i);
  }
  look_again_at_ = std::max<std::size_t>(64, (places_.size() - free_.size()) * 2);
}

}  // namespace aiges
