// SPDX-License-Identifier: Apache-2.0
// A server whose consumer is the test itself, and one that echoes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "client.h"
#include "echo.h"
#include "server.h"

namespace aiges::wire::test {

// Debian's, which the addon never uses: there it is Node's own.
const Nghttp2& Api();

std::string Text(const wire::Message& message);

// Waits until it holds: what other threads do takes its time.
bool Eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience = Client::kPatience);

inline constexpr char kTestUnary[] = "/test.Service/Unary";
inline constexpr char kTestStream[] = "/test.Service/Stream";

class TestServer final : public EventSink {
 public:
  explicit TestServer(Options options = {});
  ~TestServer() override {
    GoOn();
    server.Stop();
  }

  std::uint16_t port() const { return port_; }
  // Listens on a Unix socket as well, and gives its path. TCP is not for clients that read nothing: a kernel with a
  // full receive buffer may drop what comes in together with the acknowledgements in it, and what the client sends is
  // stuck.
  std::string ListenLocally();
  // Keeps the server's thread from doing anything until GoOn(), so that it finds what happens meanwhile all at once,
  // however long that takes. For servers that have had no calls yet.
  void Halt();
  void GoOn();
  // The next event. The test fails when none comes.
  Event Next();
  std::optional<Event> TryNext(std::chrono::milliseconds patience);
  // The next one of that kind; others are forgotten.
  Event Next(Event::Kind kind);

  void Send(CallId call, std::string_view payload, Token token = 0);
  void Reply(CallId call, std::string_view payload, Token token = 0);
  void Finish(CallId call, std::uint32_t code = 0, std::string message = "", Metadata trailers = {});
  void Consumed(CallId call, std::size_t bytes);

  int wakes() const { return wakes_; }

 private:
  void Wake() noexcept override;

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  std::atomic<int> wakes_{0};
  bool awake_ = false;
  bool halted_ = false;
  std::deque<Event> events_;
  std::deque<std::string> lent_;  // what messages point to, for as long as the server lives
  std::uint16_t port_ = 0;

 public:
  Server server;
};

class EchoServer {
 public:
  explicit EchoServer(Options options = {});
  ~EchoServer();  // checks that every token has come back
  std::uint16_t port() const { return port_; }
  const Stats& stats() { return echo.server().stats(); }
  // Another client is served.
  bool Alive();

  Echo echo;

 private:
  std::uint16_t port_ = 0;
};

}  // namespace aiges::wire::test
