// SPDX-License-Identifier: Apache-2.0
// What the server tells its consumer.
//
// The life of a call: kStart, any number of kMessage and one end of input (a flag on any of the two, or kEnd), and
// after it, or at any time in between, either the consumer's own Finish or Reply or one kCancelled. After those two
// nothing is reported about the call any more, and commands for it do nothing but release their messages. A
// kCancelled and a Finish can cross: ignore events of calls that you have finished.
//
// A call of a unary method is one event: kStart with its message, its end of input set. Unary calls that break the
// rules (no message, two, one that is too long, a reset on the way) are answered here and never seen by the consumer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "message_block.h"
#include "metadata.h"
#include "options.h"

namespace aiges::wire {

// Never 0, never used twice by one server, below 2^53 so that a JavaScript number can hold it.
using CallId = std::uint64_t;
// The consumer's own name for memory that it has lent to an outgoing message. 0: there is nothing to give back.
using Token = std::uint64_t;
// The place of a method in the order of registration, from 0.
using MethodId = std::uint32_t;

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC, as performance.now() and process.hrtime() are

// Shared by all calls of a connection.
struct ConnectionInfo {
  std::uint64_t id = 0;  // unique in this server: for those who keep something per connection
  Endpoint peer;
  Endpoint local;
};

struct CallStart {
  MethodId method = 0;
  // When the call ends by itself; Clock::time_point::max() without a limit. The server keeps the time: at the deadline
  // the client gets DEADLINE_EXCEEDED and the consumer kCancelled.
  Clock::time_point deadline = Clock::time_point::max();
  std::shared_ptr<const ConnectionInfo> connection;
  // Without pseudo headers, content-type, te and grpc-*.
  Metadata metadata;
  std::string authority;
  bool gzip = false;  // how compressed messages of this call are compressed, if there are any
};

enum class CancelReason : std::uint8_t {
  kClientReset,   // RST_STREAM
  kDisconnected,  // the connection is gone
  kDeadline,      // the client has DEADLINE_EXCEEDED
  kShutdown,      // Stop, or the grace of a drained connection is over
  kBadInput,      // a message broke the rules or a limit, and the client has been told so
};

struct Event {
  enum class Kind : std::uint8_t {
    kStart,      // start; perhaps a message; perhaps end_of_input
    kMessage,    // message; perhaps end_of_input
    kEnd,        // end_of_input: the client sends no more messages
    kCancelled,  // reason: nobody waits for an answer any more
    kReleased,   // token: the memory lent with it is not read any more. Exactly once for each token that was submitted,
                 // whether the message went out or not. `call` is that of the message
    kDrained,    // after Drain: the last connection has ended. Once
  };

  Kind kind = Kind::kEnd;
  bool end_of_input = false;
  CancelReason reason = CancelReason::kClientReset;
  CallId call = 0;
  Token token = 0;
  Message message;
  std::unique_ptr<CallStart> start;
};

using Events = std::vector<Event>;

// How the consumer hears that there are events.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // On the server's thread, without a lock: only wake somebody up who calls Server::Take. Not again before Take has
  // been called, and never after Server::Stop has returned. It must not call the server.
  virtual void Wake() noexcept = 0;
};

}  // namespace aiges::wire
