// SPDX-License-Identifier: Apache-2.0
// Finds the payload in the first bytes of a protobuf message without knowing its schema.
#pragma once

#include <cstddef>
#include <span>

namespace aiges::wire {

// Messages from this length on are worth the look: an engine takes such payloads in place if they are aligned.
inline constexpr std::size_t kAlignFrom = std::size_t{64} << 10;
// How many bytes are looked at. Names, parameters and descriptions come ahead of the payload and fit into it normally.
// Mostly the first frame brings so much, and who does not send it gets no block.
inline constexpr std::size_t kLeafPeek = std::size_t{8} << 10;

// The offset of the largest length-delimited leaf of a message of `size` bytes which begins with `head`. Follows the
// field that holds most of the bytes as long as what is in it looks like a message. 0 when there is no such field:
// then the message itself is the leaf.
std::size_t LargestLeaf(std::span<const std::byte> head, std::size_t size);

// Where to put the message in a block that starts at a 64-byte boundary, so that its largest leaf starts at one.
std::size_t AlignedOffset(std::span<const std::byte> head, std::size_t size);

}  // namespace aiges::wire
