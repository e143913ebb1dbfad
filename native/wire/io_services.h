// SPDX-License-Identifier: Apache-2.0
// What connections and listeners use of the thread they live on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "event_queue.h"
#include "events.h"
#include "nghttp2_api.h"
#include "options.h"
#include "pollable.h"
#include "timers.h"
#include "unique_fd.h"

namespace aiges::wire {

class Call;
class Connection;
class SendingMessage;
struct Method;

class IoServices {
 public:
  virtual ~IoServices() = default;

  virtual const Nghttp2& api() const = 0;
  virtual const nghttp2_session_callbacks* callbacks() const = 0;
  virtual const nghttp2_option* session_options() const = 0;
  virtual const Options& options() const = 0;
  virtual const std::shared_ptr<MemoryLedger>& ledger() const = 0;
  Stats& stats() const { return ledger()->stats(); }
  virtual EventQueue& events() = 0;
  virtual Timers& timers() = 0;
  // The time at which this round of events began: reading the clock for every frame would be a waste.
  virtual Clock::time_point now() const = 0;
  // Shared by all connections: what is read is processed before the next one reads.
  virtual std::span<std::byte> read_buffer() = 0;

  // `events` 0 stops watching without forgetting the descriptor.
  virtual void Watch(int fd, std::uint32_t events, Pollable* target) = 0;

  // nullptr when the path is not registered; then `refusal` is the text to answer with.
  virtual const Method* FindMethod(std::string_view path, std::string& refusal) const = 0;
  virtual CallId Register(Call& call) = 0;
  virtual void Unregister(CallId call) = 0;

  // Flush is called at the end of the round.
  virtual void MarkDirty(Connection& connection) = 0;
  // Whether there is memory for what the connection may read.
  virtual bool HasMemoryFor(Connection& connection) const = 0;
  // Resumed, and flushed, when there is.
  virtual void AwaitMemory(Connection& connection) = 0;
  // The message's memory is taken over if it is not released in time.
  virtual void AwaitLease(Connection& connection, const std::shared_ptr<SendingMessage>& message) = 0;
  virtual void Adopt(UniqueFd socket) = 0;
  // The connection is destroyed at the end of the round.
  virtual void Closed(Connection& connection) = 0;
};

}  // namespace aiges::wire
