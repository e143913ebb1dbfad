// SPDX-License-Identifier: Apache-2.0
// A message on its way out. Its end, whatever the reason, gives the consumer its memory back.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "event_queue.h"

namespace aiges::wire {

// Lives on the server's thread, shared by its call and the output buffer of its connection.
class SendingMessage {
 public:
  // `queued` counts the bytes of the connection as long as the message lives.
  SendingMessage(OutgoingMessage message, CallId call, EventQueue& events, Stats& stats, std::size_t& queued);
  ~SendingMessage();
  SendingMessage(const SendingMessage&) = delete;
  SendingMessage& operator=(const SendingMessage&) = delete;

  // Of what goes into DATA frames, the gRPC prefix included.
  std::size_t left() const { return left_; }
  bool started() const { return started_; }
  // Of the chunk (or head) that the next piece is from.
  std::size_t chunk_size() const;
  // The next piece in one place, at most `most` bytes, which then counts as handed over.
  Chunk Next(std::size_t most);

  // Moves the chunks that are left into memory of its own. Returns where in it there is room for the `handed_over`
  // bytes that are not written yet, nullptr when there is no memory: then nothing has changed.
  std::byte* TakeOver(std::size_t handed_over);
  // The consumer has its memory back, earlier than at the end.
  void ReleaseLoan();
  std::size_t size() const { return size_; }

 private:
  Chunk Current() const;
  void SkipEmpty();

  const CallId call_;
  Token token_;  // 0: nothing is lent
  EventQueue& events_;
  Stats& stats_;
  std::size_t& queued_;
  const std::size_t size_;

  std::string head_;  // with the prefix
  std::vector<Chunk> chunks_;
  std::unique_ptr<std::byte[]> own_;  // what chunks_ and the output buffer refer to, once the memory is taken over
  std::size_t piece_ = 0;             // 0: head_, else chunks_[piece_ - 1]
  std::size_t offset_ = 0;
  std::size_t left_;
  bool started_ = false;
};

// For a message that is not sent at all.
inline void ReleaseToken(const OutgoingMessage& message, CallId call, EventQueue& events) {
  if (message.token != 0) events.Add(Event::Kind::kReleased, call).token = message.token;
}

}  // namespace aiges::wire
