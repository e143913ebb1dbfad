// SPDX-License-Identifier: Apache-2.0
// The mappings that wait for their next use, on any thread, and how many of them may.
//
// As many as make the memory that was lent lately: when 64 messages of 10 MiB come and go together, clearing the pages
// of new mappings costs more than all the rest. So those that are lent and those that wait never come to more than was
// lent at some moment of the last one or two seconds, or to kKeptBytes more than is lent now.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <vector>

#include "block.h"

namespace aiges {

class KeptBlocks {
 public:
  using Clock = std::chrono::steady_clock;
  using Unmap = void (*)(std::byte* block, std::size_t size);

  explicit KeptBlocks(Unmap unmap) : unmap_(unmap) {}

  // Sizes are multiples of kKeptBlock. Larger ones than kLargestKept are neither kept nor counted.

  // Lends one that waits, the last one that came: its pages are likely to be in the cache. null when there is none.
  std::byte* Take(std::size_t size, Clock::time_point now);
  // A new one has been made and lent. Others are unmapped if there is no room for it beside them.
  void Lent(std::size_t size, Clock::time_point now);
  // One that was lent comes back, to wait or to be unmapped.
  void Return(std::byte* block, std::size_t size, Clock::time_point now) noexcept;
  // Unmaps all that wait if none came or went for so long. False when there are some left.
  bool Clear(std::chrono::milliseconds unused, Clock::time_point now);

  std::size_t bytes() const { return bytes_; }

 private:
  using Blocks = std::array<std::vector<std::byte*>, kLargestKept / kKeptBlock + 1>;
  struct Surplus;

  // With `mutex_` held.
  void Count(std::size_t lent, Clock::time_point now);
  std::size_t Room() const;
  void Shrink(Surplus& surplus);

  const Unmap unmap_;
  std::mutex mutex_;
  Blocks blocks_;  // by their size in units of kKeptBlock
  std::atomic<std::size_t> bytes_ = 0;
  std::size_t lent_ = 0;
  // The most that was lent in the period that began at `period_`, and in the one before it.
  std::size_t peak_ = 0;
  std::size_t peak_before_ = 0;
  Clock::time_point period_;
  Clock::time_point used_;
};

}  // namespace aiges
