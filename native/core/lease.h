// SPDX-License-Identifier: Apache-2.0
// An answer that stays in the engine's memory until whoever reads it is done.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "counters.h"
#include "owned_frames.h"
#include "unique_function.h"

namespace aiges {

// The memory of one answer that is leased. Counted as long as it lives.
//
// Ranges of different answers never overlap: two owners of one address would each believe to be the last. Engines that
// answer from a static buffer would do that to us.
class LeasedRanges {
 public:
  LeasedRanges() = default;
  LeasedRanges(const LeasedRanges&) = delete;
  LeasedRanges& operator=(const LeasedRanges&) = delete;
  ~LeasedRanges();

  // False when any byte of the range is leased already, by this answer or another, or when all leases of the process
  // together would exceed `limit` bytes.
  bool Claim(const void* data, std::size_t size, std::size_t limit);
  bool empty() const { return claimed_.empty(); }

 private:
  std::vector<const void*> claimed_;
};

// Calls `give_back` (which hands the list to wrapperExecFree on an executor thread) when the last reader lets go.
class Lease {
 public:
  Lease(std::unique_ptr<LeasedRanges> ranges, UniqueFunction<void()> give_back)
      : ranges_(std::move(ranges)), give_back_(std::move(give_back)) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    ranges_.reset();
    give_back_();
  }

 private:
  std::unique_ptr<LeasedRanges> ranges_;
  Gauge alive_{counters().outputs_alive};
  UniqueFunction<void()> give_back_;
};

}  // namespace aiges
