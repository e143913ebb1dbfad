// SPDX-License-Identifier: Apache-2.0
// Who does not read or does not consume stops the other side, and memory stays within its bounds.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "harness.h"

namespace aiges::wire::test {
namespace {

using std::chrono::milliseconds;

// Sends as much of a stream as the server's windows allow, until they allow no more and it is done.
std::size_t SendWhatIsAllowed(Client& client, std::uint32_t stream, std::string_view data, std::size_t stream_window,
                              std::size_t connection_window, std::function<bool()> done) {
  std::size_t sent = 0;
  while (sent < data.size() && !client.closed()) {
    const std::size_t allowed = std::min(stream_window + client.granted(stream), connection_window + client.granted(0));
    if (sent < allowed) {
      const std::size_t part = std::min({allowed - sent, data.size() - sent, std::size_t{16384}});
      client.SendData(stream, data.substr(sent, part));
      sent += part;
    } else if (done()) {
      break;
    } else {
      client.ReadFor(milliseconds(2));
    }
  }
  return sent;
}

TEST(FlowControl, AHandlerThatDoesNotConsumeStopsItsClient) {
  Options options;
  options.stream_window = 200'000;
  TestServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kTestStream));
  const CallId call = server.Next().call;
  std::string data;
  for (int i = 0; i < 100; ++i) data += Prefixed(std::string(10'000, 'x'));
  const auto until = Clock::now() + milliseconds(150);
  const std::size_t sent =
      SendWhatIsAllowed(client, stream, data, 200'000, 1 << 24, [&] { return Clock::now() > until; });
  EXPECT_LE(sent, 200'000u);
  EXPECT_GE(sent, 190'000u);
  // It goes on as fast as messages are consumed.
  std::size_t received = 0;
  std::size_t total = sent;
  while (received < 50) {
    const auto event = server.TryNext(milliseconds(0));
    if (event && event->message.block) {
      ++received;
      server.Consumed(call, event->message.size);
    }
    const std::string_view rest = std::string_view(data).substr(total);
    const std::size_t allowed = 200'000 + client.granted(stream);
    if (total < allowed && !rest.empty()) {
      const std::size_t part = std::min({allowed - total, rest.size(), std::size_t{16384}});
      client.SendData(stream, rest.substr(0, part));
      total += part;
    }
    client.ReadFor(milliseconds(1));
  }
  EXPECT_LE(server.server.stats().bytes_held, 250'000);
}

TEST(FlowControl, AMessageMayBeLargerThanAllWindows) {
  Options options;
  options.stream_window = 100'000;
  options.connection_window = 150'000;
  TestServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  // What the connection's window began with, less what was sent: not all of it need have been given back.
  std::size_t connection_window = 65'535;
  for (const char* path : {kTestUnary, kTestStream}) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(path));
    const std::string data = Prefixed(std::string(3'000'000, 'x'));
    const auto until = Clock::now() + Client::kPatience;
    const std::size_t sent =
        SendWhatIsAllowed(client, stream, data, 100'000, connection_window, [&] { return Clock::now() > until; });
    ASSERT_EQ(sent, data.size());
    connection_window -= sent;  // unsigned, and right all the same
    client.SendData(stream, "", true);
    Event event = server.Next();
    if (!event.message.block) event = server.Next();
    EXPECT_EQ(event.message.size, 3'000'000u);
    server.Finish(event.call);
    client.Await(stream);
  }
}

// The windows of the connection follow the consumer, too, once it holds more than it may.
TEST(FlowControl, AConnectionStopsAtItsMemory) {
  Options options;
  options.connection_memory = 1'000'000;
  options.connection_window = 200'000;
  TestServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  std::size_t sent = 0;
  std::vector<CallId> calls;
  const auto patience = Clock::now() + Client::kPatience;
  auto until = patience;
  const std::string data = Prefixed(std::string(50'000, 'x'));
  while (Clock::now() < until) {
    // From here on it must come to a stop.
    if (sent >= 1'000'000 && until == patience) until = Clock::now() + milliseconds(300);
    if (sent + data.size() <= 65'535 + client.granted(0)) {
      const std::uint32_t stream = client.NextStream();
      client.SendHeaders(stream, Client::Request(kTestUnary));
      client.SendData(stream, data, true);
      sent += data.size();
    } else {
      client.ReadFor(milliseconds(2));
    }
    while (auto event = server.TryNext(milliseconds(0))) calls.push_back(event->call);
  }
  EXPECT_GE(sent, 1'000'000u);
  EXPECT_LE(sent, 1'300'000u);
  for (const CallId call : calls) server.Finish(call);
  EXPECT_TRUE(client.Until([&] { return 65'535 + client.granted(0) >= sent + data.size(); })) << "and goes on then";
}

TEST(FlowControl, MoreThanTheWindowIsAnError) {
  Options options;
  options.stream_window = 100'000;
  TestServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  client.SendHeaders(1, Client::Request(kTestStream));
  for (int i = 0; i < 30; ++i) client.SendData(1, Prefixed(std::string(10'000, 'x')));
  EXPECT_EQ(client.Await(1).reset, 3u) << "FLOW_CONTROL_ERROR";
  EXPECT_EQ(server.Next(Event::Kind::kCancelled).reason, CancelReason::kBadInput);
  EXPECT_TRUE(client.RoundTrip());
}

TEST(FlowControl, ASlowReaderOnlyStopsItself) {
  EchoServer server;
  Client slow(server.port());
  slow.Hello({}, 0);  // 65,535 bytes of window
  ASSERT_TRUE(slow.RoundTrip());
  for (int i = 0; i < 20; ++i) slow.Call(kUnaryPath, std::string(200'000, 'x'));
  EXPECT_TRUE(server.Alive());
  EXPECT_TRUE(Eventually([&] {
    slow.Send("");
    return server.echo.lent() == 20;
  }));
  slow.Abort();
  EXPECT_TRUE(Eventually([&] { return server.echo.lent() == 0; })) << "all memory comes back";
  EXPECT_TRUE(Eventually([&] { return server.stats().bytes_held == 0 && server.stats().bytes_queued == 0; }));
}

// Answers that pile up for a client that does not read keep further calls away from the handlers.
TEST(FlowControl, CallsWaitWhileTheirConnectionDoesNotRead) {
  Options options;
  options.connection_memory = 1'000'000;
  TestServer server(options);
  Client client(server.port());
  client.Hello({}, 0);
  ASSERT_TRUE(client.RoundTrip());
  for (int i = 0; i < 3; ++i) {
    client.Call(kTestUnary, "x");
    server.Reply(server.Next(Event::Kind::kStart).call, std::string(400'000, 'x'), static_cast<Token>(i + 1));
  }
  ASSERT_TRUE(Eventually([&] { return server.server.stats().bytes_queued >= 1'200'000; }));
  const std::uint32_t waiting = client.Call(kTestUnary, "waiting");
  const std::uint32_t streaming = client.NextStream();
  client.SendHeaders(streaming, Client::Request(kTestStream));
  client.SendData(streaming, Prefixed("one"));
  client.SendData(streaming, Prefixed("two"), true);
  const std::uint32_t leaving = client.Call(kTestUnary, "leaving");
  ASSERT_TRUE(client.RoundTrip());
  client.SendReset(leaving, ng::kCancel);
  EXPECT_FALSE(server.TryNext(milliseconds(30)));
  EXPECT_EQ(server.server.stats().calls_parked, 3);
  client.SendWindow(0, 5'000'000);
  for (std::uint32_t stream = 1; stream <= 5; stream += 2) client.SendWindow(stream, 1'000'000);
  ASSERT_TRUE(client.RoundTrip());
  Event event = server.Next(Event::Kind::kStart);
  EXPECT_EQ(Text(event.message), "waiting");
  server.Reply(event.call, "served");
  event = server.Next(Event::Kind::kStart);
  EXPECT_EQ(Text(event.message), "one");
  EXPECT_FALSE(event.end_of_input);
  event = server.Next(Event::Kind::kMessage);
  EXPECT_EQ(Text(event.message), "two");
  EXPECT_TRUE(event.end_of_input);
  server.Finish(event.call);
  EXPECT_EQ(client.Await(waiting).data, Prefixed("served"));
  EXPECT_EQ(client.Await(streaming).status(), "0");
}

TEST(TotalMemory, StopsReadingUntilThereIsRoom) {
  Options options;
  options.total_memory = 2'000'000;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<Event> held;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->Hello();
    ASSERT_TRUE(clients.back()->RoundTrip());
  }
  for (auto& client : clients) {
    for (int k = 0; k < 2; ++k) client->Call(kTestUnary, std::string(500'000, 'x'));
  }
  ASSERT_TRUE(Eventually([&] {
    for (auto& client : clients) client->Send("");
    while (auto event = server.TryNext(milliseconds(0))) held.push_back(std::move(*event));
    return held.size() >= 2 && server.server.stats().memory_pauses > 0;
  }));
  while (auto event = server.TryNext(milliseconds(100))) held.push_back(std::move(*event));
  EXPECT_LT(held.size(), 20u);
  // What was read before anybody noticed: a buffer for each connection.
  EXPECT_LE(server.server.stats().bytes_held, 2'000'000 + 10 * (4 * 256 * 1024));
  std::size_t served = 0;
  const auto until = Clock::now() + Client::kPatience;
  while (served < 20 && Clock::now() < until) {
    for (Event& event : held) {
      event.message = {};
      server.Finish(event.call);
      ++served;
    }
    held.clear();
    for (auto& client : clients) client->ReadFor(milliseconds(0));
    while (auto event = server.TryNext(milliseconds(20))) held.push_back(std::move(*event));
  }
  EXPECT_EQ(served, 20u);
}

TEST(TotalMemory, ThatIsStuckInIncompleteMessagesIsTakenFromTheLargest) {
  Options options;
  options.total_memory = 2'000'000;
  options.memory_stall = milliseconds(100);
  EchoServer server(options);
  std::vector<std::unique_ptr<Client>> hoarders;
  for (int i = 0; i < 3; ++i) {
    hoarders.push_back(std::make_unique<Client>(server.port()));
    hoarders.back()->Hello();
    ASSERT_TRUE(hoarders.back()->RoundTrip());
    hoarders.back()->SendHeaders(1, Client::Request(kUnaryPath));
    const std::string part =
        Prefixed(std::string(3'000'000, 'x')).substr(0, static_cast<std::size_t>(600'000 + i * 200'000));
    hoarders.back()->SendData(1, part);
    // Which of them there is no memory for must not be left to chance: the last one, who gets it all the same.
    if (i < 2) {
      ASSERT_TRUE(hoarders.back()->RoundTrip());
    }
  }
  ASSERT_TRUE(Eventually([&] {
    hoarders[2]->Send("");
    return server.stats().memory_pauses > 0;
  }));
  // They send on, so that they are found waiting.
  const auto until = Clock::now() + Client::kPatience;
  while (server.stats().connections_abused == 0 && Clock::now() < until) {
    for (auto& client : hoarders) {
      if (!client->closed()) client->SendData(1, "x");
      client->ReadFor(milliseconds(5));
    }
  }
  EXPECT_EQ(server.stats().connections_abused, 1);
  EXPECT_TRUE(hoarders[2]->AwaitClose());
  EXPECT_TRUE(server.Alive());
}

// A client with so many unread answers that there is no memory left for anybody.
class Hoarder {
 public:
  explicit Hoarder(TestServer& server) : client(server.port()) {
    client.Hello({}, 0);
    EXPECT_TRUE(client.RoundTrip());
    for (int i = 0; i < 3; ++i) {
      client.Call(kTestUnary, "x");
      server.Reply(server.Next(Event::Kind::kStart).call, std::string(400'000, 'x'));
    }
    EXPECT_TRUE(Eventually([&] { return server.server.stats().bytes_queued >= 1'200'000; }));
  }
  void Read() {
    client.SendWindow(0, 5'000'000);
    for (std::uint32_t stream = 1; stream <= 5; stream += 2) client.SendWindow(stream, 1'000'000);
  }
  bool AllRead() {
    for (std::uint32_t stream = 1; stream <= 5; stream += 2) {
      if (client.Await(stream).data.size() != 400'005) return false;
    }
    return true;
  }
  Client client;
};

Options LittleMemory() {
  Options options;
  options.total_memory = 1'000'000;
  return options;
}

TEST(TotalMemory, IsFreedByAClientThatBeginsToRead) {
  TestServer server(LittleMemory());
  Hoarder hoarder(server);
  EXPECT_TRUE(hoarder.client.RoundTrip()) << "it is heard";
  hoarder.Read();
  EXPECT_TRUE(hoarder.AllRead());
}

// What it says about its windows comes after bytes that there is no memory for.
TEST(TotalMemory, IsFreedByAClientThatSendsBeforeItBeginsToRead) {
  TestServer server(LittleMemory());
  Hoarder hoarder(server);
  const std::uint32_t call = hoarder.client.Call(kTestUnary, std::string(900'000, 'y'));
  hoarder.Read();
  EXPECT_TRUE(hoarder.AllRead());
  server.Reply(server.Next(Event::Kind::kStart).call, "z");
  EXPECT_EQ(hoarder.client.Await(call).data, Prefixed("z"));
}

TEST(TotalMemory, ThatIsFreedResumesConnectionsWithoutAnythingElseHappening) {
  TestServer server(LittleMemory());
  Client other(server.port());
  other.Hello();
  other.Call(kTestUnary, "held by its handler");
  server.Next(Event::Kind::kStart);
  Hoarder hoarder(server);
  other.Call(kTestUnary, "waiting");
  ASSERT_TRUE(Eventually([&] { return server.server.stats().connections_paused == 1; }));
  hoarder.Read();
  EXPECT_TRUE(hoarder.AllRead());
  EXPECT_EQ(Text(server.Next(Event::Kind::kStart).message), "waiting");
  EXPECT_EQ(server.server.stats().connections_paused, 0);
}

TEST(TotalMemory, DoesNotStopWhoHoldsNothingAnyMore) {
  TestServer server(LittleMemory());
  Client other(server.port());
  other.Hello();
  other.Call(kTestUnary, "held by its handler");
  const CallId held = server.Next(Event::Kind::kStart).call;
  Hoarder hoarder(server);
  other.Call(kTestUnary, "waiting");
  ASSERT_TRUE(Eventually([&] { return server.server.stats().connections_paused == 1; }));
  server.Reply(held, "answer");
  EXPECT_EQ(Text(server.Next(Event::Kind::kStart).message), "waiting");
  EXPECT_EQ(server.server.stats().connections_paused, 0);
  EXPECT_GT(server.server.stats().bytes_queued, 1'000'000) << "and there is still no memory";
}

TEST(TotalMemory, IsNotAskedForByMoreCallsOfAClientThatDoesNotRead) {
  TestServer server(LittleMemory());
  Hoarder hoarder(server);
  hoarder.client.Call(kTestUnary, "");
  EXPECT_TRUE(Eventually([&] { return server.server.stats().calls_parked == 1; }));
  EXPECT_FALSE(server.TryNext(milliseconds(30)));
  hoarder.Read();
  EXPECT_TRUE(hoarder.AllRead());
  server.Next(Event::Kind::kStart);
}

// Many clients with more under way than there is memory for, which wait for each other's: all of them come through.
TEST(TotalMemory, ServesEverybodyInTheEnd) {
  Options options;
  options.total_memory = 500'000;
  options.memory_stall = std::chrono::minutes(5);  // nobody is slow on purpose
  EchoServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 12; ++i) {
    Client& client = *clients.emplace_back(std::make_unique<Client>(server.port(), 4096));
    client.Hello({{kSetInitialWindow, 20'000}}, 0);
    ASSERT_TRUE(client.RoundTrip());
  }
  constexpr std::size_t kSize = 150'000;
  std::vector<std::map<std::uint32_t, std::size_t>> granted(clients.size());
  for (auto& client : clients) {
    for (int k = 0; k < 3; ++k) client->Call(k == 0 ? kStreamPath : kUnaryPath, std::string(kSize, 'x'));
  }
  // They read everything, and give back what they have read.
  const auto until = Clock::now() + std::chrono::seconds(60);
  std::size_t done = 0;
  while (done < clients.size() && Clock::now() < until) {
    done = 0;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      Client& client = *clients[i];
      client.ReadFor(milliseconds(0));
      std::size_t over = 0;
      for (std::uint32_t stream = 1; stream <= 5; stream += 2) {
        const std::size_t size = client.answer(stream).data.size();
        if (const std::size_t news = size - std::exchange(granted[i][stream], size); news > 0) {
          client.SendWindow(0, static_cast<std::uint32_t>(news));
          if (!client.answer(stream).over()) client.SendWindow(stream, static_cast<std::uint32_t>(news));
        }
        if (client.answer(stream).ended && client.answer(stream).status() == "0" && size == kSize + 5) ++over;
      }
      if (over == 3) ++done;
    }
  }
  EXPECT_EQ(done, clients.size());
  EXPECT_GT(server.stats().memory_pauses, 0);
}

// Clients that come, send and vanish at any moment: every token comes back exactly once (see EchoServer).
TEST(Tokens, AreReleasedOnceWhateverHappens) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    EchoServer server;
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return static_cast<std::size_t>(random() % n); };
    std::vector<std::unique_ptr<Client>> clients;
    for (int step = 0; step < 600; ++step) {
      if (clients.size() < 12) {
        clients.push_back(std::make_unique<Client>(server.port(), below(2) == 0 ? 4096 : 0));
        clients.back()->Hello({{kSetInitialWindow, below(2) == 0 ? kMaxWindow : 30'000}},
                              below(2) == 0 ? kMaxWindow - 65535 : 0);
        clients.back()->ReadFor(milliseconds(1));
        continue;
      }
      const std::size_t i = below(static_cast<unsigned>(clients.size()));
      Client& client = *clients[i];
      switch (below(7)) {
        case 0:
        case 1: client.Call(kUnaryPath, std::string(below(60'000), 'u')); break;
        case 2: {
          const std::uint32_t stream = client.NextStream();
          client.SendHeaders(stream, Client::Request(kStreamPath));
          std::string data;
          for (std::size_t k = below(10); k > 0; --k) data += Prefixed(std::string(below(8'000), 's'));
          client.SendData(stream, data.substr(0, data.size() - std::min(data.size(), below(20))), below(2) == 0);
          break;
        }
        case 3: {
          const std::uint32_t stream = client.Call(kUnaryPath, std::string(below(100'000), 'r'));
          client.SendReset(stream, ng::kCancel);
          break;
        }
        case 4: client.ReadFor(milliseconds(1)); break;
        case 5:
          client.Call(kUnaryPath, std::string(5'000, 'd'), {{"grpc-timeout", std::to_string(below(3000)) + "u"}});
          break;
        default:
          if (below(4) != 0) break;
          if (below(2) == 0) client.Abort();
          clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (i < clients.size() && clients[i]->closed()) clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (seed != 2) clients.clear();  // or Stop finds them all at work
    if (seed != 3) continue;
    EXPECT_TRUE(Eventually([&] { return server.echo.lent() == 0; }));
  }
}

}  // namespace
}  // namespace aiges::wire::test
