// SPDX-License-Identifier: Apache-2.0
// The results of one asynchronous stream, between the engine's threads and whoever reads them.
//
// Nothing holds an engine thread up: a stream that gives more than its reader takes fails instead of eating memory.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "owned_frames.h"
#include "result.h"
#include "unique_function.h"

namespace aiges {

class StreamResults {
 public:
  struct Limits {
    std::size_t count = 10'000;
    std::size_t bytes = std::size_t{256} << 20;
  };
  // In this order: results, then a failure if there is one; ended says that no more will come after these.
  struct Batch {
    std::vector<OwnedFrames> results;
    std::optional<Status> failure;
    bool ended = false;
  };

  // `wake` is called without a lock, on any thread, also on several at once, when there is something new to take.
  StreamResults(Limits limits, UniqueFunction<void()> wake) : limits_(limits), wake_(std::move(wake)) {}

  // False when nobody wants it any more, or when there was no room, which fails the stream.
  bool Push(OwnedFrames result, bool last);
  // Ends the stream, after the results there are. The first word counts. False when it had ended before.
  bool Fail(Status status);
  // Nobody reads any more: what waits is dropped.
  void Close();

  Batch Take(std::size_t max_results);

 private:
  struct Waiting {
    OwnedFrames result;
    std::size_t bytes;
  };

  const Limits limits_;
  UniqueFunction<void()> wake_;
  std::mutex mutex_;
  std::deque<Waiting> waiting_;
  std::size_t bytes_ = 0;
  std::optional<Status> failure_;
  bool ended_ = false;
};

}  // namespace aiges
