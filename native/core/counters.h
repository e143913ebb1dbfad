// SPDX-License-Identifier: Apache-2.0
// What core holds at this moment and what it has done so far. Tests assert that the live ones return to zero;
// metrics export the same numbers.
#pragma once

#include <atomic>
#include <cstdint>

namespace aiges {

struct Counters {
  using Number = std::atomic<std::int64_t>;

  // live
  Number jobs_queued{0};    // calls and frees that wait for an executor thread
  Number jobs_running{0};   // calls and frees on an executor thread
  Number outputs_alive{0};  // leased answers: engine memory that wrapperExecFree has not taken back
  Number leased_bytes{0};
  Number pins{0};           // requests whose payloads are kept alive for an engine
  Number sessions{0};       // streams between a successful wrapperCreate and wrapperDestroy
  Number async_waiting{0};  // asynchronous calls without their callback, and streams without their final one
  Number tombstones{0};     // tags of abandoned asynchronous calls and streams
  Number engines{0};        // between a successful wrapperInit and wrapperFini
  Number threads{0};        // executor threads
  Number loans{0};          // buffers of one JavaScript thread that another one reads in place

  // since the process began
  Number bytes_in{0};            // payload bytes copied on the way to engines
  Number bytes_out{0};           // payload bytes copied on the way back
  Number unaligned_copies{0};    // large payloads copied only because they were not aligned
  Number late_callbacks{0};      // callbacks for a tag that nobody waits for
  Number control_dropped{0};     // meter and trace records that found no room or no call
  Number tombstones_dropped{0};  // tombstones that went because there were too many
  Number destroy_failures{0};    // wrapperDestroy failed; there is nobody to tell
};

// One set per process: engines, like the libraries they live in, belong to the process and not to an environment.
Counters& counters();

// Counts one thing for as long as it lives.
class Gauge {
 public:
  explicit Gauge(Counters::Number& number, std::int64_t amount = 1) : number_(&number), amount_(amount) {
    *number_ += amount_;
  }
  Gauge(Gauge&& other) noexcept : number_(other.number_), amount_(other.amount_) { other.number_ = nullptr; }
  Gauge(const Gauge&) = delete;
  Gauge& operator=(const Gauge&) = delete;
  Gauge& operator=(Gauge&&) = delete;
  ~Gauge() {
    if (number_ != nullptr) *number_ -= amount_;
  }

 private:
  Counters::Number* number_;
  std::int64_t amount_;
};

}  // namespace aiges
