// SPDX-License-Identifier: Apache-2.0
// A piece of memory aligned to a cache line, which is also what vector instructions ask for.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace aiges {

inline constexpr std::size_t kBlockAlignment = 64;

inline constexpr std::size_t AlignUp(std::size_t n, std::size_t alignment) {
  return (n + alignment - 1) & ~(alignment - 1);
}

struct BlockDelete {
  void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{kBlockAlignment}); }
};

// Uninitialised bytes.
using Block = std::unique_ptr<std::byte[], BlockDelete>;

inline Block AllocateBlock(std::size_t size) {
  return Block(static_cast<std::byte*>(::operator new (size, std::align_val_t{kBlockAlignment})));
}

}  // namespace aiges
