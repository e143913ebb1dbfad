// SPDX-License-Identifier: Apache-2.0
// How batches cross between JavaScript and the wire: src/transports/grpc/wire-addon.ts describes the fields.
#pragma once

#include <cstddef>

namespace aiges::wire_layout {

namespace event {

enum Field : std::size_t {
  kKind,
  kCall,
  kSubject,
  kFlags,
  kPlace,
  kSize,
  kDeadline,
  kConnection,
  kFields,
  kFieldsSize
};
inline constexpr std::size_t kStride = 10;

enum Kind { kStart, kMessage, kEnd, kCancelled, kReleased, kDrained };
enum Flag { kEndOfInput = 1, kHasMessage = 2, kLarge = 4, kCompressed = 8, kNewConnection = 16 };

}  // namespace event

namespace command {

enum Field : std::size_t { kKind, kCall, kSubject, kText, kChunks, kFields };
inline constexpr std::size_t kStride = 6;

enum Kind { kMetadata, kMessage, kFinish, kReply, kConsumed, kLeasedReply };

}  // namespace command

// Of a name and a value: two lengths, 32 bits each, little-endian. The texts follow.
inline constexpr std::size_t kFieldHeader = 8;

}  // namespace aiges::wire_layout
