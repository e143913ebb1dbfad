// SPDX-License-Identifier: Apache-2.0
// Floods, and clients that do nothing.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "harness.h"

namespace aiges::wire::test {
namespace {

using std::chrono::milliseconds;

struct Flood {
  const char* name;
  std::function<void(Client&, int)> act;  // the i-th time
  const char* text;                       // of the GOAWAY
};

class Flooded : public testing::TestWithParam<Flood> {};

TEST_P(Flooded, EndsWithEnhanceYourCalm) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  int i = 0;
  for (; i < 20'000 && !client.closed(); ++i) {
    GetParam().act(client, i);
    if (i % 100 == 0) client.ReadFor(milliseconds(0));
  }
  ASSERT_TRUE(client.AwaitClose());
  ASSERT_FALSE(client.goaways().empty());
  EXPECT_EQ(client.goaways().front().code, ng::kEnhanceYourCalm);
  EXPECT_EQ(client.goaways().front().text, GetParam().text);
  EXPECT_EQ(server.stats().connections_abused, 1);
  EXPECT_TRUE(server.Alive());
}

INSTANTIATE_TEST_SUITE_P(
    Abuse, Flooded,
    testing::ValuesIn(std::vector<Flood>{
        {"RapidReset",
         [](Client& client, int) {
           const std::uint32_t stream = client.NextStream();
           client.SendHeaders(stream, Client::Request(kUnaryPath));
           client.SendReset(stream, 8);
         },
         "too many resets"},
        {"Pings", [](Client& client, int) { client.SendFrame(6, 0, 0, "12345678"); }, "too_many_pings"},
        {"Settings", [](Client& client, int) { client.SendFrame(4, 0, 0, ""); }, "too many control frames"},
        {"Priorities", [](Client& client, int) { client.SendFrame(2, 0, 1, Int32(3) + "x"); },
         "too many control frames"},
        {"EmptyData",
         [](Client& client, int i) {
           if (i == 0) client.SendHeaders(1, Client::Request(kStreamPath));
           client.SendFrame(0, 0, 1, "");
         },
         "too many control frames"},
        {"Continuations",
         [](Client& client, int i) {
           if (i == 0) client.SendFrame(1, 0, 1, "");
           client.SendFrame(9, 0, 1, "");
         },
         "too many CONTINUATION frames"},
    }),
    [](const auto& info) { return info.param.name; });

// What comes behind it, in the same read, belongs to a call of no method.
TEST(Abuse, NothingIsReadAfterWhatEndsAConnection) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  std::string frames = FrameBytes(1, 0, 1, client.Encode(Client::Request("/no/such")));
  for (int i = 0; i < 65; ++i) frames += FrameBytes(9, i == 64 ? 4 : 0, 1, "");
  client.Send(frames + FrameBytes(0, 1, 1, Prefixed("x")));
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways().front().code, ng::kEnhanceYourCalm);
  EXPECT_EQ(server.stats().messages_received, 0);
  EXPECT_TRUE(server.Alive());
}

TEST(Abuse, ResetsWithinTheLimitAreFine) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  for (int i = 0; i < 900; ++i) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kUnaryPath));
    client.SendReset(stream, 8);
  }
  EXPECT_EQ(client.Await(client.Call(kUnaryPath, "still")).data, Prefixed("still"));
}

// grpc-go measures the bandwidth with a ping per round trip for as long as data flows.
TEST(Abuse, PingsBetweenCallsAreFine) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  for (int i = 0; i < 1000; ++i) {
    client.SendFrame(6, 0, 0, std::string("\x02\x04\x10\x10\x09\x0e\x07\x07", 8));
    const std::uint32_t stream = client.Call(kUnaryPath, "x");
    if (i % 50 == 0) client.Await(stream);
  }
  EXPECT_TRUE(client.RoundTrip());
  EXPECT_TRUE(client.goaways().empty());
}

TEST(Abuse, PingStrikesCanBeStricter) {
  Options options;
  options.max_ping_strikes = 2;
  options.min_ping_interval = std::chrono::minutes(5);
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  for (int i = 0; i < 4; ++i) client.SendFrame(6, 0, 0, "12345678");
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways().front().text, "too_many_pings");
}

TEST(Abuse, AHeaderBlockWithoutEndEndsTheConnection) {
  Options options;
  options.max_continuations = 1'000'000;
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  // A literal field without indexing, again and again.
  client.SendFrame(1, 1, 1, client.Encode(Client::Request(kUnaryPath)));
  std::string part;
  while (part.size() < 16'000) part += std::string("\x00\x03key\x7f\x81\x01", 8) + std::string(256, 'v');
  for (int i = 0; i < 500; ++i) client.SendFrame(9, 0, 1, part);
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways().front().code, ng::kEnhanceYourCalm);
  EXPECT_EQ(server.stats().connections_abused, 1);
  EXPECT_TRUE(server.Alive());
}

// ---- Fields that cost more to look at than to send ----

std::atomic<int> fields_seen = 0;
Nghttp2::OnHeader report_field = nullptr;

// nghttp2 as ever, and what it reports is counted: it has looked at so much.
Nghttp2 CountingFields() {
  Nghttp2 api = Api();
  api.session_callbacks_set_on_header_callback = [](nghttp2_session_callbacks* callbacks, Nghttp2::OnHeader report) {
    report_field = report;
    Api().session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session* session, const ng::Frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* user) {
          ++fields_seen;
          return report_field(session, frame, name, name_size, value, value_size, flags, user);
        });
  };
  fields_seen = 0;
  return api;
}

// A field of 4 KB that goes into the table, and a byte for each time that it comes again.
std::string Repeated(int times) {
  return std::string("\x40\x01x\x7f\xa1\x1e", 6) + std::string(4'000, 'v') +
         std::string(static_cast<std::size_t>(times), '\xbe');
}

struct Bomb {
  const char* name;
  bool trailers;
  int times;
  int most;  // fields that are looked at
};

class HeaderBomb : public testing::TestWithParam<Bomb> {};

TEST_P(HeaderBomb, EndsTheConnectionBeforeMuchOfItIsLookedAt) {
  Echo echo(CountingFields(), {});
  const std::uint16_t port = echo.server().Listen({.host = "127.0.0.1"}).endpoint->port;
  Client client(port);
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());  // it knows that frames may be longer than at first
  std::string block = client.Encode(Client::Request(kStreamPath));
  if (GetParam().trailers) {
    client.SendFrame(1, 4, 1, block);
    block.clear();
  }
  client.SendFrame(1, 5, 1, block + Repeated(GetParam().times));
  ASSERT_TRUE(client.AwaitClose());
  ASSERT_FALSE(client.goaways().empty());
  EXPECT_EQ(client.goaways().front().code, ng::kEnhanceYourCalm);
  EXPECT_EQ(client.goaways().front().text, "far too many headers");
  EXPECT_EQ(echo.server().stats().connections_abused, 1);
  EXPECT_LE(fields_seen, GetParam().most);
}

INSTANTIATE_TEST_SUITE_P(Abuse, HeaderBomb,
                         testing::ValuesIn(std::vector<Bomb>{{"OfARequest", false, 100'000, 80},
                                                             {"OfTrailers", true, 100'000, 80},
                                                             {"ThatIsLongAsItIs", false, 1'000'000, 0}}),
                         [](const auto& info) { return info.param.name; });

// Headers of calls that last: of any number of them, and whatever else is in memory, they cost others nothing.
TEST(Abuse, HeadersOfLongCallsStopNobodyElse) {
  Options options;
  options.total_memory = 1'000'000;
  EchoServer server(options);
  std::vector<std::unique_ptr<Client>> hoarders;
  for (int i = 0; i < 4; ++i) {
    Client& client = *hoarders.emplace_back(std::make_unique<Client>(server.port()));
    client.Hello();
    for (int k = 0; k < 40; ++k) {
      // Half of them are never announced, because their message does not come.
      const char* path = k % 2 == 0 ? kStreamPath : kUnaryPath;
      client.SendHeaders(client.NextStream(), Client::Request(path, {{"padding", std::string(30'000, 'p')}}));
    }
    ASSERT_TRUE(client.RoundTrip());
  }
  EXPECT_GT(server.stats().header_bytes, 4 * 40 * 30'000);
  EXPECT_EQ(server.stats().bytes_held, 0);
  EXPECT_TRUE(server.Alive());
  for (auto& client : hoarders) {
    EXPECT_EQ(client->Await(client->Call(kUnaryPath, std::string(500'000, 'x'))).status(), "0");
  }
  EXPECT_EQ(server.stats().memory_pauses, 0);
  hoarders.clear();
  EXPECT_TRUE(Eventually([&] { return server.stats().header_bytes == 0; }));
}

TEST(Abuse, HeadersOfOneConnectionAreBounded) {
  Options options;
  options.max_streams = 100;
  options.header_bytes_per_stream = 1'000;
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  std::vector<std::uint32_t> open;
  for (int i = 0; i < 3; ++i) {
    open.push_back(client.NextStream());
    client.SendHeaders(open.back(), Client::Request(kStreamPath, {{"padding", std::string(30'000, 'p')}}));
  }
  const Fields large = {{"padding", std::string(15'000, 'p')}};
  const Answer& refused = client.Await(client.Call(kUnaryPath, "x", large));
  EXPECT_EQ(refused.status(), "8");
  EXPECT_NE(refused.message().find("bytes of headers"), std::string::npos) << refused.message();
  EXPECT_LE(server.stats().header_bytes, 100'000);
  EXPECT_EQ(client.Await(client.Call(kUnaryPath, "small")).status(), "0");
  client.SendData(open[0], "", true);
  EXPECT_EQ(client.Await(open[0]).status(), "0");
  EXPECT_EQ(client.Await(client.Call(kUnaryPath, "x", large)).status(), "0") << "once a call has ended";
}

TEST(Abuse, TooManyHeaderFieldsAreRefused) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  Fields many;
  for (int i = 0; i < 300; ++i) many.emplace_back(std::to_string(i).insert(0, 1, 'k'), "v");
  EXPECT_EQ(client.Await(client.Call(kUnaryPath, "x", many)).status(), "8");
}

// A client that has acknowledged the limit knows it: nghttp2 ends its connection.
TEST(Abuse, CallsBeyondMaxStreamsEndTheConnection) {
  Options options;
  options.max_streams = 10;
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  EXPECT_EQ(client.settings()[kSetMaxStreams], 10u);
  for (int i = 0; i < 11; ++i) client.SendHeaders(client.NextStream(), Client::Request(kUnaryPath));
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways().back().code, ng::kProtocolError);
  EXPECT_TRUE(server.Alive());
}

TEST(Abuse, CallsBeyondMaxStreamsAreRefusedToWhoCannotKnowIt) {
  Options options;
  options.max_streams = 10;
  EchoServer server(options);
  Client client(server.port());
  client.answers_settings = false;
  client.Hello();
  for (int i = 0; i < 10; ++i) client.SendHeaders(client.NextStream(), Client::Request(kUnaryPath));
  const std::uint32_t beyond = client.NextStream();
  client.SendHeaders(beyond, Client::Request(kUnaryPath));
  EXPECT_EQ(client.Await(beyond).reset, ng::kRefusedStream);
  client.SendData(1, Prefixed("x"), true);
  EXPECT_EQ(client.Await(1).status(), "0");
}

// The client makes the server reset its calls: as good as resetting them itself.
TEST(Abuse, CallsThatTheServerHasToResetAreLimitedToo) {
  Options options;
  options.client_resets = {1'000, 0};
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  for (int i = 0; i < 10'000 && !client.closed(); ++i) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kStreamPath));
    client.SendData(stream, Prefixed(""));
    client.SendWindow(stream, kMaxWindow);
    // More open ones than allowed would be a protocol error.
    if (i % 100 == 99) {
      ASSERT_TRUE(client.Await(stream).reset || client.closed());
    }
  }
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(server.stats().connections_abused, 1);
  EXPECT_LE(server.stats().calls_started, 1'000 + 100);
  EXPECT_TRUE(server.Alive());
}

TEST(Abuse, CallsThatTheServerHasToRefuseAreLimitedToo) {
  Options options;
  options.max_streams = 10;
  options.client_resets = {1'000, 0};
  EchoServer server(options);
  Client client(server.port());
  client.answers_settings = false;
  client.Hello();
  for (int i = 0; i < 100'000 && !client.closed(); ++i) {
    client.SendHeaders(client.NextStream(), Client::Request(kStreamPath));
    if (i % 100 == 0) client.ReadFor(milliseconds(0));
  }
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(server.stats().connections_abused, 1);
  EXPECT_EQ(server.stats().calls_started, 10);
  EXPECT_TRUE(server.Alive());
}

// A call that the consumer has seen, and that ends because of what the client sends.
TEST(Abuse, CallsThatBreakTheRulesAreLimitedToo) {
  Options options;
  options.client_resets = {100, 0};
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  for (int i = 0; i < 10'000 && !client.closed(); ++i) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kStreamPath));
    client.SendData(stream, "\2 is no flag", true);
    if (i % 100 == 0) client.ReadFor(milliseconds(0));
  }
  ASSERT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways().front().text, "too many resets");
  EXPECT_LE(server.stats().calls_started, 101);
}

class Unread : public testing::TestWithParam<Flood> {};

// An answer fills the socket. What the server has to say from then on waits in its memory.
TEST_P(Unread, EndsWithinABound) {
  Options options;
  options.max_streams = 10;
  options.max_send_bytes = std::size_t{16} << 20;
  options.client_resets = {1e9, 0};
  options.max_ping_strikes = 1'000'000;
  TestServer server(options);
  const Stats& stats = server.server.stats();
  Client client(server.ListenLocally());
  client.answers_settings = false;
  client.Hello();
  client.Call(kTestUnary, "x");
  server.Reply(server.Next().call, std::string(options.max_send_bytes, 'x'));
  // When the token of a later reply, to nobody, is back, the socket has been filled.
  server.Reply(0, "", 1);
  server.Next(Event::Kind::kReleased);
  const std::int64_t before = stats.bytes_received;
  for (int i = 0; i < 400'000 && stats.connections_abused == 0; ++i) GetParam().act(client, i);
  EXPECT_TRUE(Eventually([&] {
    client.Send("");
    return stats.connections_abused == 1;
  }));
  EXPECT_LE(stats.bytes_received - before, 1 << 20) << "a few reads";
  EXPECT_TRUE(Eventually([&] { return stats.connections == 0; })) << "although nobody reads the GOAWAY";
}

INSTANTIATE_TEST_SUITE_P(
    Abuse, Unread,
    testing::ValuesIn(std::vector<Flood>{
        {"Acks", [](Client& client, int) { client.SendFrame(6, 0, 0, "12345678"); }, ""},
        {"Refusals", [](Client& client, int) { client.SendHeaders(client.NextStream(), Client::Request(kTestStream)); },
         ""},
    }),
    [](const auto& info) { return info.param.name; });

TEST(Idle, HandshakesHaveALimit) {
  Options options;
  options.handshake_timeout = milliseconds(50);
  TestServer server(options);
  server.Halt();
  Client silent(server.port());
  Client half(server.port());
  half.Send(kMagic.substr(0, 10));
  Client magic(server.port());
  magic.Send(kMagic);
  // An acknowledgement in place of the preface would end them at once.
  for (Client* client : {&silent, &half, &magic}) client->answers_settings = false;
  Client good(server.port());
  good.Hello();
  server.GoOn();
  for (Client* client : {&silent, &half, &magic}) EXPECT_TRUE(client->AwaitClose());
  EXPECT_TRUE(good.RoundTrip());
}

TEST(Idle, ConnectionsWithoutCallsEnd) {
  Options options;
  options.idle_timeout = milliseconds(60);
  TestServer server(options);
  server.Halt();
  Client idle(server.port());
  idle.Hello();
  Client busy(server.port());
  busy.Hello();
  const std::uint32_t stream = busy.Call(kTestUnary, "x");
  server.GoOn();
  const CallId call = server.Next().call;
  EXPECT_TRUE(idle.AwaitClose());
  ASSERT_FALSE(idle.goaways().empty());
  EXPECT_EQ(idle.goaways().back().code, ng::kNoError);
  busy.ReadFor(milliseconds(100));
  EXPECT_FALSE(busy.closed());
  EXPECT_TRUE(busy.goaways().empty());
  server.Reply(call, "y");
  EXPECT_EQ(busy.Await(stream).status(), "0");
  EXPECT_TRUE(busy.AwaitClose());
}

TEST(Age, Drains) {
  Options options;
  options.max_age = milliseconds(50);
  options.max_age_grace = std::chrono::minutes(5);
  TestServer server(options);
  server.Halt();
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  server.GoOn();
  const CallId call = server.Next().call;
  ASSERT_TRUE(client.Until([&] { return client.goaways().size() == 2; }));
  EXPECT_EQ(client.goaways()[0].last_stream, kMaxWindow);
  EXPECT_EQ(client.goaways()[1].last_stream, 1u);
  EXPECT_FALSE(client.closed()) << "the grace";
  server.Reply(call, "y");
  EXPECT_EQ(client.Await(stream).status(), "0");
  EXPECT_TRUE(client.AwaitClose());
}

TEST(Age, CutsAfterTheGrace) {
  Options options;
  options.max_age = milliseconds(50);
  options.max_age_grace = milliseconds(80);
  TestServer server(options);
  server.Halt();
  const auto begin = Clock::now();
  Client client(server.port());
  client.Hello();
  client.Call(kTestUnary, "x");
  server.GoOn();
  EXPECT_EQ(server.Next().kind, Event::Kind::kStart);
  EXPECT_EQ(server.Next().reason, CancelReason::kShutdown);
  EXPECT_GE(Clock::now() - begin, options.max_age + options.max_age_grace);
  EXPECT_TRUE(client.AwaitClose());
}

TEST(Keepalive, FindsOutWhoIsGone) {
  Options options;
  options.keepalive_interval = milliseconds(40);
  options.keepalive_timeout = milliseconds(60);
  EchoServer server(options);
  const auto begin = Clock::now();
  Client dead(server.port());
  dead.answers_pings = false;
  dead.Hello();
  EXPECT_TRUE(dead.AwaitClose());
  EXPECT_GE(Clock::now() - begin, milliseconds(90));
}

// There is a second ping when the time for an answer to the first one has passed, and somebody is there.
TEST(Keepalive, GoesOnWithWhoAnswers) {
  Options options;
  options.keepalive_interval = milliseconds(40);
  options.keepalive_timeout = std::chrono::seconds(5);  // long enough to answer, whatever holds us up
  EchoServer server(options);
  Client alive(server.port());
  alive.Hello();
  EXPECT_TRUE(alive.Until([&] {
    return std::count_if(alive.frames().begin(), alive.frames().end(),
                         [](const Frame& frame) { return frame.type == 6 && (frame.flags & 1) == 0; }) >= 2;
  }));
  EXPECT_TRUE(alive.RoundTrip());
}

// One connection after another that announces a large message and trickles.
TEST(SlowLoris, CostsOnlyWhatHasArrived) {
  Options options;
  options.max_receive_bytes = std::size_t{64} << 20;
  EchoServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->Hello();
    clients.back()->SendHeaders(1, Client::Request(kUnaryPath));
    clients.back()->SendData(1, std::string("\0\x04\x00\x00\x00", 5) + std::string(3000, 'x'));
  }
  for (int round = 0; round < 3; ++round) {
    for (auto& client : clients) client->SendData(1, "x");
  }
  for (auto& client : clients) EXPECT_TRUE(client->RoundTrip());
  EXPECT_LT(server.stats().bytes_held, 100 * 4'000);
  EXPECT_GT(server.stats().bytes_held, 100 * 3'000);
  EXPECT_TRUE(server.Alive());
}

// Each has a mapping of its own, and a process may have 65,530.
TEST(SlowLoris, CannotHaveAnyNumberOfMappings) {
  Options options;
  options.total_memory = std::size_t{256} << 20;
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  const std::string begun = Prefixed(std::string(std::size_t{1} << 20, 'x')).substr(0, 9'000);
  for (int i = 0; i < 500; ++i) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kUnaryPath));
    client.SendData(stream, begun);
  }
  ASSERT_TRUE(client.RoundTrip());
  EXPECT_EQ(server.stats().bytes_held, 500 * (16 << 10)) << "1/16,384 of the memory for each";
  EXPECT_TRUE(server.Alive());
}

// Sanitizers do not bear it.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Memory, ThatThereIsNotEndsOneCall) {
  Options options;
  options.max_receive_bytes = std::size_t{2} << 30;
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit tight{std::size_t{2} << 30, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kUnaryPath));
  client.SendData(stream, std::string("\0\x7f\xff\xff\xff", 5) + std::string(9'000, 'x'));
  const Answer& answer = client.Await(stream);
  setrlimit(RLIMIT_AS, &before);
  EXPECT_EQ(answer.status(), "8");
  EXPECT_EQ(answer.message(), "no memory for a message of 2147483647 bytes");
  EXPECT_EQ(client.Await(client.Call(kUnaryPath, "next")).data, Prefixed("next"));
}
#endif

}  // namespace
}  // namespace aiges::wire::test
