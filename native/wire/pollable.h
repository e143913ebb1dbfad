// SPDX-License-Identifier: Apache-2.0
// What the thread's epoll reports to.
#pragma once

#include <cstdint>

namespace aiges::wire {

class Pollable {
 public:
  virtual ~Pollable() = default;
  // `events` as of epoll_wait.
  virtual void OnReady(std::uint32_t events) = 0;
};

}  // namespace aiges::wire
