// SPDX-License-Identifier: Apache-2.0
// A gRPC server (HTTP/2 without TLS) in a thread of its own. Nothing in it knows Node or protobuf.
//
//   auto api = Nghttp2::FromProcess(version);               // or a Status that says why not
//   Server server(api.value(), options, sink);
//   server.AddMethod("/package.Service/Method", MethodKind::kUnary);
//   auto bound = server.Listen({.host = "127.0.0.1", .port = 0});
//   ... sink.Wake() → on the consumer's own thread: for (Event& event : server.Take()) ...
//   Commands commands; commands.Reply(...); commands.Reply(...); server.Submit(std::move(commands));
//   server.Drain();  ... kDrained ...  server.Stop();
//
// All functions may be called on any thread except the server's own (that is, not by EventSink::Wake).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "events.h"
#include "nghttp2_api.h"
#include "options.h"
#include "stats.h"

namespace aiges::wire {

enum class MethodKind : std::uint8_t {
  kUnary,   // exactly one message in; the call is reported when it is complete
  kStream,  // any number of messages; the call is reported with its headers
};

class IoThread;

class Server {
 public:
  // Starts the thread. `sink` must live until Stop has returned. Throws std::system_error when there is no thread or
  // no file descriptor left.
  Server(const Nghttp2& api, Options options, EventSink& sink);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before the first Listen. `path` is "/package.Service/Method", each once.
  MethodId AddMethod(std::string path, MethodKind kind);

  // Where clients can connect from now on.
  struct Bound {
    std::optional<Endpoint> endpoint;  // empty: `error` says why
    SystemError error;
  };
  // Any number of times.
  Bound Listen(const ListenOptions& options);

  // Hands the batch to the server's thread. After Stop it releases the messages at once, without a Wake: call Take.
  void Submit(Commands commands);

  // What has happened since the last time, in order. The small messages in it share few blocks, usually one, which no
  // other batch refers to. Also after Stop.
  Events Take();

  // Accepts nothing more, tells every client to go elsewhere (GOAWAY) and lets open calls end. kDrained when the last
  // connection has ended; clients with open calls decide when that is, so bound the wait and call Stop.
  void Drain();

  // Ends everything at once: listeners, connections, the thread. Calls that were open are in Take as kCancelled, and
  // every token that was not released yet as kReleased. May be called again.
  void Stop();

  const Stats& stats() const;

 private:
  std::unique_ptr<IoThread> io_;
};

}  // namespace aiges::wire
