// SPDX-License-Identifier: Apache-2.0
// The timers of one thread: a heap, so that setting and cancelling are cheap and the next one is at hand.
#pragma once

#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include "unique_function.h"

namespace aiges::wire {

class Timer;

class Timers {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // When the first one is due; TimePoint::max() when there is none.
  TimePoint Next() const;
  // Fires what is due. A timer that fires may set or cancel any, and destroy any but itself.
  void Run(TimePoint now);

 private:
  friend class Timer;
  void Place(Timer* timer, std::size_t at);
  void Up(std::size_t at);
  void Down(std::size_t at);
  void Remove(Timer* timer);

  std::vector<Timer*> heap_;
};

// Fires once for each Set, unless it is cancelled or destroyed before.
class Timer {
 public:
  Timer(Timers& timers, UniqueFunction<void()> fire) : timers_(timers), fire_(std::move(fire)) {}
  ~Timer() { Cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Set(Timers::TimePoint due);
  void Cancel() {
    if (at_ != kNowhere) timers_.Remove(this);
  }

 private:
  friend class Timers;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  Timers& timers_;
  UniqueFunction<void()> fire_;
  Timers::TimePoint due_;
  std::size_t at_ = kNowhere;  // its place in the heap
};

}  // namespace aiges::wire
