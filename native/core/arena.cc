// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace aiges {
namespace {

// Holds the nodes, parameters and a short text of a typical request.
constexpr std::size_t kFirstChunk = 4096;
constexpr std::size_t kLargestChunk = 252 * 1024;  // less than what blocks are kept by

}  // namespace

std::byte* Arena::Allocate(std::size_t size, std::size_t alignment) {
  auto padding = [&] {
    const auto address = reinterpret_cast<std::uintptr_t>(next_);
    return AlignUp(address, alignment) - address;
  };
  if (next_ == nullptr || left_ < padding() + size) Grow(size);  // chunks begin aligned to the strictest alignment
  const std::size_t pad = padding();
  std::byte* result = next_ + pad;
  next_ += pad + size;
  left_ -= pad + size;
  return result;
}

char* Arena::CopyString(std::string_view s) {
  char* copy = reinterpret_cast<char*>(Allocate(s.size() + 1, 1));
  if (!s.empty()) std::memcpy(copy, s.data(), s.size());
  copy[s.size()] = '\0';
  return copy;
}

std::byte* Arena::CopyPayload(const std::byte* data, std::size_t size) {
  std::byte* copy = Allocate(AlignUp(size + 1, kBlockAlignment), kBlockAlignment);
  if (size != 0) std::memcpy(copy, data, size);
  copy[size] = std::byte{0};
  return copy;
}

bool Arena::Overlaps(const void* data, std::size_t size) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  return std::any_of(chunks_.begin(), chunks_.end(), [&](const Chunk& chunk) {
    const auto chunk_begin = reinterpret_cast<std::uintptr_t>(chunk.memory.get());
    return begin < chunk_begin + chunk.size && chunk_begin < begin + size;
  });
}

void Arena::Grow(std::size_t at_least) {
  const std::size_t usual = chunks_.empty() ? kFirstChunk : std::min(chunks_.back().size * 2, kLargestChunk);
  const std::size_t size = std::max(AlignUp(at_least, kBlockAlignment), usual);
  chunks_.push_back({AllocateBlock(size), size});
  next_ = chunks_.back().memory.get();
  left_ = size;
}

}  // namespace aiges
