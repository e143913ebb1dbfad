// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace aiges::wire::test {

const Nghttp2& Api() {
  static const Result<Nghttp2> api = Nghttp2::FromLibrary("libnghttp2.so.14");
  return api.value();
}

std::string Text(const wire::Message& message) { return {reinterpret_cast<const char*>(message.data()), message.size}; }

bool Eventually(const std::function<bool()>& holds, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

TestServer::TestServer(Options options) : server(Api(), std::move(options), *this) {
  server.AddMethod(kTestUnary, MethodKind::kUnary);
  server.AddMethod(kTestStream, MethodKind::kStream);
  port_ = server.Listen({.host = "127.0.0.1"}).endpoint->port;
}

void TestServer::Wake() noexcept {
  ++wakes_;
  std::unique_lock lock(mutex_);
  awake_ = true;
  woken_.notify_all();
  woken_.wait(lock, [this] { return !halted_; });
}

std::string TestServer::ListenLocally() {
  const std::string path = testing::TempDir() + "aiges-wire-" + std::to_string(getpid()) + "-local";
  EXPECT_TRUE(server.Listen({.path = path}).endpoint);
  return path;
}

void TestServer::Halt() {
  {
    std::lock_guard lock(mutex_);
    halted_ = true;
  }
  // The token of a reply to nobody comes back with a wake-up, which does not return.
  Reply(0, "", 1);
  Next(Event::Kind::kReleased);
}

void TestServer::GoOn() {
  {
    std::lock_guard lock(mutex_);
    halted_ = false;
  }
  woken_.notify_all();
}

std::optional<Event> TestServer::TryNext(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (events_.empty()) {
    {
      std::unique_lock lock(mutex_);
      if (!woken_.wait_until(lock, end, [this] { return awake_; })) return std::nullopt;
      awake_ = false;
    }
    for (Event& event : server.Take()) events_.push_back(std::move(event));
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

Event TestServer::Next() {
  auto event = TryNext(Client::kPatience);
  EXPECT_TRUE(event) << "no event";
  return event ? std::move(*event) : Event{};
}

Event TestServer::Next(Event::Kind kind) {
  for (;;) {
    auto event = TryNext(Client::kPatience);
    if (event && event->kind == kind) return std::move(*event);
    if (event) continue;
    ADD_FAILURE() << "no event of kind " << static_cast<int>(kind);
    return {};
  }
}

void TestServer::Send(CallId call, std::string_view payload, Token token) {
  lent_.emplace_back(payload);
  OutgoingMessage message;
  message.chunks.push_back({reinterpret_cast<const std::byte*>(lent_.back().data()), payload.size()});
  message.token = token;
  Commands commands;
  commands.SendMessage(call, std::move(message));
  server.Submit(std::move(commands));
}

void TestServer::Reply(CallId call, std::string_view payload, Token token) {
  lent_.emplace_back(payload);
  OutgoingMessage message;
  message.chunks.push_back({reinterpret_cast<const std::byte*>(lent_.back().data()), payload.size()});
  message.token = token;
  Commands commands;
  commands.Reply(call, std::move(message), {});
  server.Submit(std::move(commands));
}

void TestServer::Finish(CallId call, std::uint32_t code, std::string message, Metadata trailers) {
  Commands commands;
  commands.Finish(call, {code, std::move(message)}, std::move(trailers));
  server.Submit(std::move(commands));
}

void TestServer::Consumed(CallId call, std::size_t bytes) {
  Commands commands;
  commands.Consumed(call, bytes);
  server.Submit(std::move(commands));
}

EchoServer::EchoServer(Options options) : echo(Api(), std::move(options)) {
  port_ = echo.server().Listen({.host = "127.0.0.1"}).endpoint->port;
}

EchoServer::~EchoServer() {
  echo.Stop();
  EXPECT_EQ(echo.lent(), 0u);
  EXPECT_EQ(echo.strange_releases(), 0u);
  const Stats& stats = echo.server().stats();
  EXPECT_EQ(stats.tokens, 0);
  EXPECT_EQ(stats.calls, 0);
  EXPECT_EQ(stats.connections, 0);
  EXPECT_EQ(stats.connections_paused, 0);
  EXPECT_EQ(stats.bytes_held, 0);
  EXPECT_EQ(stats.bytes_queued, 0);
  EXPECT_EQ(stats.header_bytes, 0);
}

bool EchoServer::Alive() {
  Client client(port_);
  client.Hello();
  return client.Await(client.Call(kUnaryPath, "still there?")).data == Prefixed("still there?");
}

}  // namespace aiges::wire::test
