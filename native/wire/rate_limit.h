// SPDX-License-Identifier: Apache-2.0
// A bucket of permits that fills at a steady rate.
#pragma once

#include <algorithm>
#include <chrono>

#include "options.h"

namespace aiges::wire {

class RateLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  RateLimit(Rate rate, TimePoint now) : rate_(rate), left_(rate.burst), filled_(now) {}

  // False when it has happened too often.
  bool Allow(TimePoint now) {
    const std::chrono::duration<double> passed = now - filled_;
    filled_ = now;
    left_ = std::min(rate_.burst, left_ + passed.count() * rate_.per_second);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const Rate rate_;
  double left_;
  TimePoint filled_;
};

}  // namespace aiges::wire
