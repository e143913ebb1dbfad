// SPDX-License-Identifier: Apache-2.0
#include "stream_results.h"

#include <string>
#include <utility>

namespace aiges {
namespace {

// What a result holds on to, roughly.
std::size_t Weight(const OwnedFrames& result) {
  std::size_t bytes = sizeof(OwnedFrames) + result.block_size;
  for (const OutputFrame& frame : result.frames) {
    bytes += sizeof(OutputFrame) + frame.key.size();
    for (const auto& [key, value] : frame.desc) bytes += sizeof(frame.desc.front()) + key.size() + value.size();
  }
  return bytes;
}

std::string TooLarge(std::size_t bytes, std::size_t limit) {
  return "the stream gave a result of " + std::to_string(bytes) + " bytes, [limits].resultBytes allows " +
         std::to_string(limit);
}

std::string TooFast(std::size_t count, std::size_t bytes) {
  return "the stream gave results faster than they were taken: " + std::to_string(count) + " with " +
         std::to_string(bytes) + " bytes wait already";
}

}  // namespace

bool StreamResults::Push(OwnedFrames result, bool last) {
  const std::size_t bytes = Weight(result);
  std::deque<Waiting> dropped;
  bool room = true;
  {
    std::lock_guard lock(mutex_);
    if (ended_) return false;
    room = waiting_.size() < limits_.count && bytes_ + bytes <= limits_.bytes;
    if (room) {
      waiting_.push_back({std::move(result), bytes});
      bytes_ += bytes;
      ended_ = last;
    } else {
      failure_ = Status{Code::kCallbackError, "wrapperCallback", 0,
                        bytes > limits_.bytes ? TooLarge(bytes, limits_.bytes) : TooFast(waiting_.size(), bytes_)};
      ended_ = true;
      bytes_ = 0;
      dropped.swap(waiting_);
    }
  }
  wake_();
  return room;
}

bool StreamResults::Fail(Status status) {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return false;
    ended_ = true;
    failure_ = std::move(status);
  }
  wake_();
  return true;
}

void StreamResults::Close() {
  std::deque<Waiting> dropped;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    failure_.reset();
    bytes_ = 0;
    dropped.swap(waiting_);
  }
  wake_();
}

StreamResults::Batch StreamResults::Take(std::size_t max_results) {
  Batch batch;
  std::lock_guard lock(mutex_);
  while (!waiting_.empty() && batch.results.size() < max_results) {
    bytes_ -= waiting_.front().bytes;
    batch.results.push_back(std::move(waiting_.front().result));
    waiting_.pop_front();
  }
  if (!waiting_.empty()) return batch;
  batch.failure = std::exchange(failure_, std::nullopt);
  batch.ended = ended_;
  return batch;
}

}  // namespace aiges
