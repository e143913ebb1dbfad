// SPDX-License-Identifier: Apache-2.0
#include "leaf_alignment.h"

#include <cstdint>
#include <optional>

#include "block.h"

namespace aiges::wire {
namespace {

// Reads what can be seen of a message. The offsets are those of the message, also beyond the end of `head`.
class Scanner {
 public:
  Scanner(std::span<const std::byte> head, std::size_t begin) : head_(head), at_(begin) {}

  std::size_t at() const { return at_; }
  void Skip(std::size_t bytes) { at_ += bytes; }

  std::optional<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ >= head_.size()) return std::nullopt;
      const auto byte = static_cast<std::uint8_t>(head_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

 private:
  std::span<const std::byte> head_;
  std::size_t at_;
};

struct Range {
  std::size_t begin;
  std::size_t end;
};

// The contents of the field that holds more than half of `whole`, if the bytes ahead of it are fields too.
std::optional<Range> LargestField(std::span<const std::byte> head, Range whole) {
  constexpr std::uint64_t kMaxTag = (std::uint64_t{1} << 32) - 1;
  Scanner scanner(head, whole.begin);
  while (scanner.at() < whole.end) {
    const auto tag = scanner.Varint();
    if (!tag || *tag > kMaxTag || *tag >> 3 == 0) return std::nullopt;
    switch (*tag & 7) {
      case 0:
        if (!scanner.Varint()) return std::nullopt;
        break;
      case 1: scanner.Skip(8); break;
      case 5: scanner.Skip(4); break;
      case 2: {
        const auto length = scanner.Varint();
        if (!length || scanner.at() > whole.end || *length > whole.end - scanner.at()) return std::nullopt;
        if (*length > (whole.end - whole.begin) / 2) return Range{scanner.at(), scanner.at() + *length};
        scanner.Skip(*length);
        break;
      }
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

std::size_t LargestLeaf(std::span<const std::byte> head, std::size_t size) {
  Range leaf{0, size};
  while (leaf.end - leaf.begin >= kBlockAlignment) {
    const auto inner = LargestField(head, leaf);
    if (!inner) break;
    leaf = *inner;
  }
  return leaf.begin;
}

std::size_t AlignedOffset(std::span<const std::byte> head, std::size_t size) {
  const std::size_t leaf = LargestLeaf(head, size);
  return AlignUp(leaf, kBlockAlignment) - leaf;
}

}  // namespace aiges::wire
