// SPDX-License-Identifier: Apache-2.0
// The state of one HTTP/2 stream as a gRPC call. Its connection does the work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "events.h"
#include "message_reader.h"
#include "sending_message.h"
#include "timers.h"

namespace aiges::wire {

class Connection;

struct Method {
  MethodId id = 0;
  bool unary = true;
};

class Call {
 public:
  Call(Connection& owner, std::int32_t stream_id, std::shared_ptr<MemoryLedger> ledger, std::size_t max_receive_bytes)
      : connection(owner), stream(stream_id), reader(std::move(ledger), max_receive_bytes) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Connection& connection;
  const std::int32_t stream;
  // 0 as long as the consumer does not know it, and once the call has ended for the consumer.
  CallId id = 0;
  const Method* method = nullptr;

  // The request's header list.
  std::string verb;
  bool has_path = false;
  std::string path_refusal;  // why `method` is null
  std::string content_type;
  std::string timeout;
  std::string encoding;
  bool gzip = false;
  std::string bad_binary_field;  // a "-bin" field that is not base64
  std::unique_ptr<CallStart> start = std::make_unique<CallStart>();
  std::size_t header_bytes = 0;
  std::size_t header_fields = 0;
  std::size_t header_share = 0;  // of what the connection's allowance counts
  bool crowded_out = false;      // the connection's other calls have used it up

  // What it sends.
  MessageReader reader;
  bool input_ended = false;
  bool reset_by_client = false;
  bool has_message = false;      // unary: the one that may come is there
  bool unsettled = false;        // and its bytes are still where reader.small() says
  bool announced = false;        // the consumer knows the call
  bool parked = false;           // the consumer could know it, but its connection holds too much
  std::vector<Message> waiting;  // complete, but the consumer cannot have them yet
  std::size_t counted = 0;       // bytes in Connection::incomplete()
  // The last event of the call, while it can still take a message or the end of input.
  std::uint64_t batch = 0;
  std::size_t place = 0;
  bool place_has_message = false;

  // What it gets.
  bool answered = false;          // the response's header fields are submitted
  bool head_sent = false;         // and on their way
  bool unsendable = false;        // they, or the trailers, are too long: the client is told so instead
  bool ended = false;             // status and trailers are known, or the stream is reset
  bool reset = false;             // an RST_STREAM of ours is under way
  bool reading_deferred = false;  // nghttp2 waits to be told that there is more to send
  const char* http_status = "200";
  bool tell_encodings = false;  // in the answer
  Metadata metadata;
  CallStatus status;
  Metadata trailers;
  std::deque<std::shared_ptr<SendingMessage>> outgoing;

  // Flow control: delivered to the consumer and not consumed; received and not given back to the stream's window.
  std::size_t held = 0;
  std::size_t window_debt = 0;
  std::optional<Timer> deadline;
};

}  // namespace aiges::wire
