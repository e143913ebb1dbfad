// SPDX-License-Identifier: Apache-2.0
// A piece of memory aligned to a cache line, which is also what vector instructions ask for.
//
// Where large blocks come from decides what a large payload costs. malloc maps and unmaps them each time, which means a
// page fault for every 4 KiB, until its threshold has risen; from then on it keeps every size that was ever needed, in
// every thread's arena, for good. So blocks from kKeptBlock on are mapped by ourselves, large ones in huge pages when
// they are filled (see ExpectFilled), and kept for the next one (see kept_blocks.h): clearing pages costs as much as
// copying them.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>

namespace aiges {

inline constexpr std::size_t kBlockAlignment = 64;
inline constexpr std::size_t kKeptBlock = std::size_t{256} << 10;
inline constexpr std::size_t kLargestKept = std::size_t{32} << 20;
inline constexpr std::size_t kKeptBytes = std::size_t{64} << 20;

inline constexpr std::size_t AlignUp(std::size_t n, std::size_t alignment) {
  return (n + alignment - 1) & ~(alignment - 1);
}

struct BlockDelete {
  std::size_t size = 0;  // as it was asked for
  void operator()(std::byte* p) const;
};

// Uninitialised bytes.
using Block = std::unique_ptr<std::byte[], BlockDelete>;

// Throws std::bad_alloc. A block costs address space until it is written to.
Block AllocateBlock(std::size_t size);

// So many bytes of the block are written, and the rest is about to be. Huge pages make that cheap; they also make the
// first byte in each cost 2 MiB, which is why they are not asked for earlier.
void ExpectFilled(std::byte* block, std::size_t size, std::size_t written);

// For a process that runs engines, which call malloc for every answer: what a thread freed last stays for its next
// call, and no more than that. Once is enough.
void KeepLittleInArenas();

// Gives back what malloc keeps for the calling thread; for all of them.
void TrimThread();
void TrimMemory();

// Gives back the blocks that are kept for the next message when none was taken or freed for so long. False when there
// are some left: ask again later.
bool TrimKept(std::chrono::milliseconds unused);
bool HasKept();

}  // namespace aiges
