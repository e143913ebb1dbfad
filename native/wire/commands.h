// SPDX-License-Identifier: Apache-2.0
// What the consumer tells the server: collected in any number, submitted with one wake-up (Server::Submit).
//
// Back pressure for streaming replies: send a message, wait for the kReleased of its token, send the next one. The
// token comes when the message's last byte was taken over by the kernel (or, for small messages, by the connection's
// bounded output buffer), which happens only as fast as the client reads. Several messages may be under way at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "events.h"
#include "metadata.h"

namespace aiges::wire {

// The numbers of gRPC's status codes that the wire itself answers with.
enum class GrpcCode : std::uint32_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kDeadlineExceeded = 4,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
};

struct CallStatus {
  std::uint32_t code = 0;  // any gRPC status code
  std::string message{};   // UTF-8; percent-encoded on the way out
};

// Memory that stays valid and unchanged until the message's token is released.
struct Chunk {
  const std::byte* data = nullptr;
  std::size_t size = 0;
};

// One message to send: `head`, then the chunks in their order. Never joined, never copied if they are large.
struct OutgoingMessage {
  std::string head{};  // small bytes that belong to the message itself, such as the encoded fields around a payload
  std::vector<Chunk> chunks{};
  Token token = 0;
  // The chunks may be needed elsewhere: what is not written after `lease_time` is copied, and the token released then.
  // For replies only, since messages of streams count on the token for their back pressure.
  bool leased = false;

  std::size_t size() const {
    std::size_t sum = head.size();
    for (const Chunk& chunk : chunks) sum += chunk.size;
    return sum;
  }
};

// A batch. Commands for one call take effect in their order. In metadata, fields with reserved names (grpc-*, pseudo
// headers, content-type, te), with names or values that HTTP/2 does not allow, are left out: check before. Metadata of
// more than 64 KiB cannot be sent: the call ends with RESOURCE_EXHAUSTED in its place.
class Commands {
 public:
  // The header fields ahead of the first message; without it they go out, empty, with that message.
  void SendMetadata(CallId call, Metadata metadata) {
    Command& c = Add(Kind::kMetadata, call);
    c.metadata = std::move(metadata);
  }

  // A message that exceeds max_send_bytes is not sent: the call ends with RESOURCE_EXHAUSTED.
  void SendMessage(CallId call, OutgoingMessage message) {
    Command& c = Add(Kind::kMessage, call);
    c.message = std::move(message);
  }

  // Ends the call, after the messages that were sent before. Without any of them, and without SendMetadata, the answer
  // is one HEADERS frame.
  void Finish(CallId call, CallStatus status, Metadata trailers) {
    Command& c = Add(Kind::kFinish, call);
    c.status = std::move(status);
    c.metadata = std::move(trailers);
  }

  // SendMessage and Finish with OK in one.
  void Reply(CallId call, OutgoingMessage message, Metadata trailers) {
    Command& c = Add(Kind::kReply, call);
    c.message = std::move(message);
    c.metadata = std::move(trailers);
  }

  // The consumer is done with received messages of so many bytes (Message::size) of a streaming call, and the client
  // may send as many more. Not needed for unary calls, nor once a call has ended: ending it consumes the rest.
  void Consumed(CallId call, std::size_t bytes) { Add(Kind::kConsumed, call).bytes = bytes; }

  bool empty() const { return commands_.empty(); }

 private:
  friend class Server;
  friend class IoThread;
  enum class Kind : std::uint8_t { kMetadata, kMessage, kFinish, kReply, kConsumed };
  struct Command {
    Kind kind;
    CallId call;
    std::size_t bytes = 0;
    OutgoingMessage message;
    CallStatus status;
    Metadata metadata;
  };

  Command& Add(Kind kind, CallId call) {
    Command& command = commands_.emplace_back();
    command.kind = kind;
    command.call = call;
    return command;
  }

  std::vector<Command> commands_;
};

}  // namespace aiges::wire
