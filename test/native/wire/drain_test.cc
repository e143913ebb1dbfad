// SPDX-License-Identifier: Apache-2.0
// The end of a server: gentle and sudden.
#include <gtest/gtest.h>

#include <thread>

#include "harness.h"

namespace aiges::wire::test {
namespace {

using std::chrono::milliseconds;

TEST(Drain, WithoutConnectionsIsOverAtOnce) {
  TestServer server;
  server.server.Drain();
  EXPECT_EQ(server.Next().kind, Event::Kind::kDrained);
  EXPECT_ANY_THROW(Client(server.port())) << "nobody listens any more";
}

TEST(Drain, EndsIdleConnectionsWithTwoGoaways) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  server.server.Drain();
  EXPECT_TRUE(client.AwaitClose());
  ASSERT_EQ(client.goaways().size(), 2u);
  EXPECT_EQ(client.goaways()[0].last_stream, kMaxWindow);
  EXPECT_EQ(client.goaways()[1].last_stream, 0u);
  EXPECT_EQ(client.goaways()[1].code, ng::kNoError);
  EXPECT_EQ(server.Next().kind, Event::Kind::kDrained);
}

TEST(Drain, LetsOpenCallsEndAndServesWhatCrossesIt) {
  Options options;
  options.drain_ping_timeout = std::chrono::minutes(5);
  TestServer server(options);
  Client client(server.port());
  client.Hello();
  client.answers_pings = false;  // our answer to the drain's ping decides when it is final
  const std::uint32_t open = client.Call(kTestUnary, "open");
  const CallId first = server.Next().call;
  server.server.Drain();
  ASSERT_TRUE(client.Until([&] { return client.goaways().size() == 1; }));
  const std::uint32_t crossing = client.Call(kTestUnary, "crossing");
  const CallId second = server.Next().call;
  std::string ping;
  for (const Frame& frame : client.frames()) {
    if (frame.type == 6 && (frame.flags & 1) == 0) ping = frame.payload;
  }
  ASSERT_TRUE(client.Until([&] {
    for (const Frame& frame : client.frames()) {
      if (frame.type == 6 && (frame.flags & 1) == 0) ping = frame.payload;
    }
    return !ping.empty();
  }));
  client.SendFrame(6, 1, 0, ping);
  ASSERT_TRUE(client.Until([&] { return client.goaways().size() == 2; }));
  EXPECT_EQ(client.goaways()[1].last_stream, crossing);
  const std::uint32_t late = client.Call(kTestUnary, "late");
  client.ReadFor(milliseconds(30));
  EXPECT_FALSE(client.answer(late).over());
  EXPECT_FALSE(server.TryNext(milliseconds(0))) << "a call after the final GOAWAY is not seen";
  server.Reply(first, "1");
  server.Reply(second, "2");
  EXPECT_EQ(client.Await(open).data, Prefixed("1"));
  EXPECT_EQ(client.Await(crossing).data, Prefixed("2"));
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_EQ(server.Next(Event::Kind::kDrained).kind, Event::Kind::kDrained);
}

TEST(Drain, DoesNotWaitForAnAnswerToItsPing) {
  Options options;
  options.drain_ping_timeout = milliseconds(50);
  TestServer server(options);
  Client client(server.port());
  client.answers_pings = false;
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  server.server.Drain();
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_EQ(server.Next().kind, Event::Kind::kDrained);
}

TEST(Drain, EndsHalfOpenConnectionsAtOnce) {
  TestServer server;
  Client client(server.port());
  ASSERT_TRUE(Eventually([&] { return server.server.stats().connections == 1; }));
  server.server.Drain();
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_EQ(server.Next().kind, Event::Kind::kDrained);
}

TEST(Stop, CutsWhatIsOpenAndReleasesEverything) {
  TestServer server;
  Client client(server.port());
  client.Hello({{kSetInitialWindow, 10}});
  client.Call(kTestUnary, "one");
  client.Call(kTestUnary, "two");
  const CallId one = server.Next(Event::Kind::kStart).call;
  const CallId two = server.Next(Event::Kind::kStart).call;
  server.Reply(one, std::string(100'000, 'x'), 11);
  server.server.Stop();
  const int wakes = server.wakes();
  server.Reply(two, "too late", 22);
  bool cancelled = false;
  std::vector<Token> released;
  for (const Event& event : server.server.Take()) {
    if (event.kind == Event::Kind::kCancelled) {
      EXPECT_EQ(event.call, two);
      EXPECT_EQ(event.reason, CancelReason::kShutdown);
      cancelled = true;
    }
    if (event.kind == Event::Kind::kReleased) released.push_back(event.token);
  }
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(released, (std::vector<Token>{11, 22}));
  EXPECT_EQ(server.wakes(), wakes) << "nobody is called after Stop";
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_EQ(server.server.stats().connections, 0);
  EXPECT_EQ(server.server.stats().tokens, 0);
  server.server.Stop();
  server.server.Drain();
}

TEST(Stop, FromManyThreadsWhileOthersSubmit) {
  EchoServer server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->Hello();
    for (int k = 0; k < 20; ++k) clients.back()->Call(kUnaryPath, std::string(5'000, 'x'));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { server.echo.server().Stop(); });
  for (std::thread& thread : threads) thread.join();
}

TEST(Stop, LeavesBlocksToWhoHoldsThem) {
  Message kept;
  {
    TestServer server;
    Client client(server.port());
    client.Hello();
    ASSERT_TRUE(client.RoundTrip());
    client.Call(kTestUnary, std::string(100'000, 'k'));
    kept = server.Next().message;
  }
  EXPECT_EQ(Text(kept), std::string(100'000, 'k'));
}

}  // namespace
}  // namespace aiges::wire::test
