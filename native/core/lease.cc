// SPDX-License-Identifier: Apache-2.0
#include "lease.h"

#include <iterator>
#include <map>
#include <mutex>

namespace aiges {
namespace {

struct Claims {
  std::mutex mutex;
  std::map<const std::byte*, const std::byte*> ranges;  // begin to end; they never overlap
};

Claims& claims() {
  // One per process, as memory is. Never destroyed: answers may be let go while the process ends.
  static Claims& instance = *new Claims;
  return instance;
}

}  // namespace

LeasedRanges::~LeasedRanges() {
  std::lock_guard lock(claims().mutex);
  for (const void* data : claimed_) {
    const auto range = claims().ranges.find(static_cast<const std::byte*>(data));
    counters().leased_bytes -= range->second - range->first;
    claims().ranges.erase(range);
  }
}

bool LeasedRanges::Claim(const void* data, std::size_t size, std::size_t limit) {
  const auto* begin = static_cast<const std::byte*>(data);
  const auto* end = begin + size;
  std::lock_guard lock(claims().mutex);
  auto& ranges = claims().ranges;
  if (static_cast<std::size_t>(counters().leased_bytes.load()) + size > limit) return false;
  const auto after = ranges.lower_bound(end);  // the first range that begins at or after our end
  if (after != ranges.begin() && std::prev(after)->second > begin) return false;
  claimed_.reserve(claimed_.size() + 1);  // nothing may fail between the two insertions
  ranges.emplace(begin, end);
  claimed_.push_back(data);
  counters().leased_bytes += static_cast<std::int64_t>(size);
  return true;
}

}  // namespace aiges
