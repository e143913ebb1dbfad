// SPDX-License-Identifier: Apache-2.0
// The threads on which one engine's code runs. Not libuv's: calls of seconds would starve dns, fs and zlib there.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "unique_function.h"

namespace aiges {

class Executor {
 public:
  using Task = UniqueFunction<void()>;

  struct Options {
    std::string name;                        // threads show it in gdb, perf and top (the first 15 characters)
    std::size_t max_threads = 1;             // at least 1
    std::chrono::milliseconds idle{30'000};  // a thread that had nothing to do for so long ends; the last one stays
  };

  explicit Executor(Options options);
  // Tasks that were submitted still run, each thread ends when there are none left. Does not wait: the last reference
  // to an engine may be dropped on one of these threads, and a process must be able to end under an engine that hangs.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Runs the task on a thread of the pool, in the order of submission. False when there is no thread and none can be
  // started: the task is dropped and never runs.
  // kLater: the caller submits more at once and calls WakeUp then. A thread that is awake may take the task before.
  enum class Wake { kNow, kLater };
  [[nodiscard]] bool Submit(Task task, Wake wake = Wake::kNow);
  void WakeUp();
  // The same for what has to happen in any case: without a thread it waits for the next task that gets one.
  void Post(Task task);

  // Allows more threads from now on; never fewer.
  void RaiseLimit(std::size_t max_threads);

  // For those who own nothing but the threads, such as tests. An engine ends its own otherwise: it must not wait.
  // Waits until nothing is queued and nothing runs. Not from a thread of the pool.
  void Drain();
  // Drain, then wait for the threads to end. Nothing may be submitted afterwards.
  void Stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace aiges
