// SPDX-License-Identifier: Apache-2.0
// Counts the received bytes that one server holds, on any thread, and tells its thread when there is room again.
//
// Blocks keep it alive: the last of them may be released long after the server has gone.
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

#include "stats.h"
#include "unique_fd.h"

namespace aiges::wire {

class MemoryLedger {
 public:
  explicit MemoryLedger(std::size_t limit) : limit_(static_cast<std::int64_t>(limit)) {
    wake_ = UniqueFd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  Stats& stats() { return stats_; }
  const Stats& stats() const { return stats_; }
  int wake_fd() const { return wake_.get(); }
  void Wake() const { eventfd_write(wake_.get(), 1); }

  void Hold(std::size_t bytes) { stats_.bytes_held += static_cast<std::int64_t>(bytes); }
  void Drop(std::size_t bytes) {
    stats_.bytes_held -= static_cast<std::int64_t>(bytes);
    if (awaited_.load() && HasRoom() && awaited_.exchange(false)) Wake();
  }

  // What a block that may have a mapping of its own counts for at least. A process may have 65,530 mappings
  // (vm.max_map_count), and a block can have two: no more of them than kMostMappings fit in, however little of each has
  // arrived.
  std::size_t least_mapped() const { return static_cast<std::size_t>(limit_ / kMostMappings); }

  bool Full() const { return Total() >= limit_; }
  // Some way below the limit, so that reading does not stop and go with every message.
  bool HasRoom() const { return Total() < limit_ - limit_ / 8; }
  // The consumer will bring `busy` bytes to an end by itself. Waiting for it is no use when most of what is held is not
  // among them: incomplete messages, unread answers, and the requests that answers may still lie in.
  bool Stuck(std::size_t busy) const { return Total() - static_cast<std::int64_t>(busy) > limit_ / 2; }
  // A wake-up is wanted once there is room. False when there is already: whoever made it may not have known.
  bool AwaitRoom() {
    awaited_.store(true);
    return !HasRoom();
  }

 private:
  static constexpr std::int64_t kMostMappings = 16'384;

  std::int64_t Total() const { return stats_.bytes_held.load() + stats_.bytes_queued.load(); }

  const std::int64_t limit_;
  Stats stats_;
  UniqueFd wake_;
  std::atomic<bool> awaited_{false};
};

}  // namespace aiges::wire
