// SPDX-License-Identifier: Apache-2.0
#include "kept_blocks.h"

#include <algorithm>
#include <new>
#include <utility>

namespace aiges {
namespace {

constexpr std::chrono::seconds kPeriod{1};
// At once: unmapping takes a while.
constexpr std::size_t kMostSurplus = 8;

}  // namespace

// Unmapped when it goes, which is after the lock: everybody with a message needs that.
struct KeptBlocks::Surplus {
  explicit Surplus(Unmap u) : unmap(u) {}
  Surplus(const Surplus&) = delete;
  Surplus& operator=(const Surplus&) = delete;
  ~Surplus() {
    for (std::size_t i = 0; i < count; ++i) unmap(blocks[i].first, blocks[i].second);
  }
  bool full() const { return count == blocks.size(); }
  void Add(std::byte* block, std::size_t size) { blocks[count++] = {block, size}; }

  const Unmap unmap;
  std::array<std::pair<std::byte*, std::size_t>, kMostSurplus> blocks{};
  std::size_t count = 0;
};

std::byte* KeptBlocks::Take(std::size_t size, Clock::time_point now) {
  if (size > kLargestKept) return nullptr;
  std::lock_guard lock(mutex_);
  auto& blocks = blocks_[size / kKeptBlock];
  if (blocks.empty()) return nullptr;
  std::byte* block = blocks.back();
  blocks.pop_back();
  bytes_ -= size;
  Count(lent_ + size, now);
  return block;
}

void KeptBlocks::Lent(std::size_t size, Clock::time_point now) {
  if (size > kLargestKept) return;
  Surplus surplus(unmap_);
  std::lock_guard lock(mutex_);
  Count(lent_ + size, now);
  Shrink(surplus);
}

void KeptBlocks::Return(std::byte* block, std::size_t size, Clock::time_point now) noexcept {
  if (size > kLargestKept) return unmap_(block, size);
  Surplus surplus(unmap_);
  std::lock_guard lock(mutex_);
  Count(lent_ - size, now);
  if (bytes_ + size <= Room()) {
    try {
      blocks_[size / kKeptBlock].push_back(block);
      bytes_ += size;
      return;
    } catch (const std::bad_alloc&) {
      // No memory for the list either: more of a reason to give it back.
    }
  }
  surplus.Add(block, size);
  Shrink(surplus);
}

bool KeptBlocks::Clear(std::chrono::milliseconds unused, Clock::time_point now) {
  Blocks blocks;
  {
    std::lock_guard lock(mutex_);
    if (bytes_ > 0 && now - used_ < unused) return false;
    blocks.swap(blocks_);
    bytes_ = 0;
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::byte* block : blocks[i]) unmap_(block, i * kKeptBlock);
  }
  return true;
}

void KeptBlocks::Count(std::size_t lent, Clock::time_point now) {
  if (now - period_ >= kPeriod) {
    peak_before_ = now - period_ < 2 * kPeriod ? peak_ : lent_;
    peak_ = lent_;
    period_ = now;
  }
  lent_ = lent;
  peak_ = std::max(peak_, lent_);
  used_ = now;
}

// For those that wait.
std::size_t KeptBlocks::Room() const {
  const std::size_t peak = std::max(peak_, peak_before_);
  return std::max(kKeptBytes, peak - lent_);
}

void KeptBlocks::Shrink(Surplus& surplus) {
  // Largest first, so that few have to go.
  for (std::size_t i = blocks_.size(); i-- > 1 && !surplus.full();) {
    while (bytes_ > Room() && !blocks_[i].empty() && !surplus.full()) {
      surplus.Add(blocks_[i].back(), i * kKeptBlock);
      blocks_[i].pop_back();
      bytes_ -= i * kKeptBlock;
    }
  }
}

}  // namespace aiges
