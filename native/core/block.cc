// SPDX-License-Identifier: Apache-2.0
#include "block.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>

#include "kept_blocks.h"

namespace aiges {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kArenaLimit = 16 << 20;
// Large enough for free to look at the end of the arena, too small to be mapped.
constexpr std::size_t kPoke = std::size_t{100} << 10;

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1; older ones refuse it, and nothing is lost
#endif

// Sanitizers watch over what operator new gives.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOwnMappings = false;
#else
constexpr bool kOwnMappings = true;
#endif

// Who has set these has chosen.
bool ArenasAreOurs() {
  static const bool ours = std::getenv("MALLOC_MMAP_THRESHOLD_") == nullptr &&
                           std::getenv("MALLOC_TRIM_THRESHOLD_") == nullptr && std::getenv("GLIBC_TUNABLES") == nullptr;
  return ours;
}

// A rounded length is a multiple of every machine's pages.
std::byte* Map(std::size_t length) {
  const std::size_t slack = length >= kHugePage ? kHugePage : 0;
  if (length + slack < length) throw std::bad_alloc();
  void* memory = mmap(nullptr, length + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(memory);
  if (slack == 0) return begin;
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t ahead = AlignUp(address, kHugePage) - address;
  if (ahead > 0) munmap(begin, ahead);
  if (ahead < slack) munmap(begin + ahead + length, slack - ahead);
  return begin + ahead;
}

// What goes around the payload of a message: an answer as long as its request is to fit where that was.
constexpr std::size_t kHeads = std::size_t{4} << 10;

// Sizes are rounded so that one block serves many messages.
constexpr std::size_t Rounded(std::size_t size) { return AlignUp(size + kHeads, kKeptBlock); }

void Unmap(std::byte* block, std::size_t size) { munmap(block, size); }

KeptBlocks& kept() {
  // Never destroyed: blocks are freed until the process has ended.
  static KeptBlocks& instance = *new KeptBlocks(Unmap);
  return instance;
}

}  // namespace

Block AllocateBlock(std::size_t size) {
  std::byte* memory = nullptr;
  if (!kOwnMappings || size < kKeptBlock) {
    memory = static_cast<std::byte*>(::operator new (size, std::align_val_t{kBlockAlignment}));
  } else {
    const std::size_t rounded = Rounded(size);
    if (rounded < size) throw std::bad_alloc();
    const auto now = KeptBlocks::Clock::now();
    memory = kept().Take(rounded, now);
    if (memory == nullptr) {
      memory = Map(rounded);
      kept().Lent(rounded, now);
    }
  }
  return Block(memory, BlockDelete{size});
}

void BlockDelete::operator()(std::byte* p) const {
  if (!kOwnMappings || size < kKeptBlock) {
    ::operator delete (p, std::align_val_t{kBlockAlignment});
  } else {
    kept().Return(p, Rounded(size), KeptBlocks::Clock::now());
  }
}

void ExpectFilled(std::byte* block, std::size_t size, std::size_t written) {
  if (!kOwnMappings || size < kHugePage) return;
  // Whole huge pages only: the rest of the last one would be wasted.
  const std::size_t length = size / kHugePage * kHugePage;
  madvise(block, length, MADV_HUGEPAGE);
  // One that has small pages already takes some more of them, unless it is made huge now.
  const std::size_t begun = written % kHugePage;
  if (begun > 0 && written < length) madvise(block + (written - begun), kHugePage, MADV_COLLAPSE);
}

void KeepLittleInArenas() {
  if (!ArenasAreOurs()) return;
  // Both at once: setting one of them ends malloc's own guessing at the other.
  mallopt(M_MMAP_THRESHOLD, kArenaLimit);
  mallopt(M_TRIM_THRESHOLD, kArenaLimit);
}

void TrimThread() {
  // malloc_trim leaves alone what lies at the end of an arena, and that is where large blocks lie. Freeing something
  // there ends it at the threshold.
  if (!ArenasAreOurs()) return;
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  mallopt(M_TRIM_THRESHOLD, 0);
  void* volatile last = std::malloc(kPoke);
  std::free(last);
  mallopt(M_TRIM_THRESHOLD, kArenaLimit);
}

void TrimMemory() { malloc_trim(0); }

bool TrimKept(std::chrono::milliseconds unused) { return kept().Clear(unused, KeptBlocks::Clock::now()); }

bool HasKept() { return kept().bytes() > 0; }

}  // namespace aiges
