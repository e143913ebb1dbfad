// SPDX-License-Identifier: Apache-2.0
// What one connection has to write: frames and small payloads joined in a buffer, large payloads where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sending_message.h"
#include "stats.h"

namespace aiges::wire {

class Outbox {
 public:
  explicit Outbox(Stats& stats) : stats_(stats) {}

  void AppendCopy(const void* data, std::size_t size);
  // The message's memory stays lent until these bytes are written.
  void AppendLent(const std::byte* data, std::size_t size, const std::shared_ptr<SendingMessage>& owner);

  // Copies what is left of a message's memory to memory that the message owns, and lets the consumer have its own back.
  // False when there is no memory for it: nothing has changed then.
  bool TakeOver(SendingMessage& message);

  std::size_t pending() const { return pending_; }

  // kBlocked: the kernel takes no more for now. kBroken: nobody will ever read it.
  enum class Outcome { kEmpty, kBlocked, kBroken };
  Outcome Write(int fd);

 private:
  struct Segment {
    const std::byte* data;  // null: in buffer_
    std::size_t begin;      // there
    std::size_t size;
    std::shared_ptr<SendingMessage> owner;  // null: in buffer_
  };

  void Forget(std::size_t written);

  Stats& stats_;
  std::vector<std::byte> buffer_;
  std::vector<Segment> segments_;
  std::size_t first_ = 0;  // the first segment that is not written
  std::size_t pending_ = 0;
};

}  // namespace aiges::wire
