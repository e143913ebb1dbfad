// SPDX-License-Identifier: Apache-2.0
// Memory that lives as long as one call: nodes, strings and small payloads, freed together.
#pragma once

#include <cstddef>
#include <new>
#include <string_view>
#include <type_traits>
#include <vector>

#include "block.h"

namespace aiges {

class Arena {
 public:
  // Addresses are stable for the arena's life.
  std::byte* Allocate(std::size_t size, std::size_t alignment);

  // A value-initialised T; no destructor ever runs.
  template <typename T>
  T* New() {
    static_assert(std::is_trivially_destructible_v<T>);
    return new (Allocate(sizeof(T), alignof(T))) T{};
  }

  // A copy with a NUL after it.
  char* CopyString(std::string_view s);

  // A copy that shares no cache line with anything else, with a NUL after it.
  std::byte* CopyPayload(const std::byte* data, std::size_t size);

  // Whether any byte of [data, data + size) lies in this arena.
  bool Overlaps(const void* data, std::size_t size) const;

 private:
  struct Chunk {
    Block memory;
    std::size_t size;
  };
  void Grow(std::size_t at_least);

  std::vector<Chunk> chunks_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace aiges
