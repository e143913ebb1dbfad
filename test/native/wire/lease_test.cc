// SPDX-License-Identifier: Apache-2.0
// Replies that lie in memory on lease: slow clients get them all the same, and cannot keep the memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "harness.h"

namespace aiges::wire::test {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kSize = 3'000'000;

// Neither constant nor of a short period, so that a piece in the wrong place shows.
std::string Payload(std::size_t size = kSize) {
  std::string bytes(size, '\0');
  std::mt19937 random(static_cast<std::uint32_t>(size));
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

Options WithLeases(milliseconds time) {
  Options options;
  options.lease_time = time;
  options.max_send_bytes = std::size_t{64} << 20;
  return options;
}

void Reply(TestServer& server, CallId call, const std::string& memory, Token token, bool leased = true) {
  OutgoingMessage message;
  message.head = "head";
  message.chunks.push_back({reinterpret_cast<const std::byte*>(memory.data()), memory.size()});
  message.token = token;
  message.leased = leased;
  Commands commands;
  commands.Reply(call, std::move(message), {});
  server.server.Submit(std::move(commands));
}

void Overwrite(std::string& memory) { std::fill(memory.begin(), memory.end(), '!'); }

// A client that gets `window` bytes of an answer and reads no more before it says so.
class SlowReader {
 public:
  SlowReader(TestServer& server, std::uint32_t window) : client(server.port()) {
    client.Hello({{kSetInitialWindow, window}});
    EXPECT_TRUE(client.RoundTrip());
    stream = client.Call(kTestUnary, "x");
    call = server.Next(Event::Kind::kStart).call;
  }
  std::string ReadAll() {
    client.SendWindow(stream, kMaxWindow - 1'000'000);
    return client.Await(stream).data;
  }
  Client client;
  std::uint32_t stream;
  CallId call;
};

TEST(Lease, EndsInTimeWhenTheClientReadsNothing) {
  TestServer server(WithLeases(milliseconds(30)));
  SlowReader reader(server, 0);
  std::string memory = Payload();
  const std::string expected = Prefixed("head" + memory);
  Reply(server, reader.call, memory, 7);
  EXPECT_EQ(server.Next().token, 7u);
  EXPECT_EQ(server.server.stats().bytes_queued, static_cast<std::int64_t>(kSize + 4)) << "the copy counts";
  EXPECT_EQ(server.server.stats().bytes_copied_out, static_cast<std::int64_t>(kSize));
  EXPECT_EQ(server.server.stats().tokens, 0);
  Overwrite(memory);
  EXPECT_TRUE(reader.ReadAll() == expected);
  EXPECT_EQ(reader.client.answer(reader.stream).status(), "0");
  EXPECT_TRUE(Eventually([&] { return server.server.stats().bytes_queued == 0; }));
  EXPECT_FALSE(server.TryNext(milliseconds(20))) << "it is not released twice";
}

TEST(Lease, EndsInTimeWhenTheClientHasReadAPart) {
  TestServer server(WithLeases(milliseconds(30)));
  SlowReader reader(server, 100'000);
  std::string memory = Payload();
  const std::string expected = Prefixed("head" + memory);
  Reply(server, reader.call, memory, 7);
  EXPECT_EQ(server.Next().token, 7u);
  Overwrite(memory);
  EXPECT_TRUE(reader.ReadAll() == expected);
  // The part that is out by then is not copied; the head, which is small, is.
  EXPECT_EQ(server.server.stats().bytes_copied_out, static_cast<std::int64_t>(9 + kSize + 9 - 100'000));
}

TEST(Lease, EndsInTimeWhenTheSocketTakesNoMore) {
  TestServer server(WithLeases(milliseconds(30)));
  Client client(server.ListenLocally());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  std::string memory = Payload(20'000'000);
  const std::string expected = Prefixed("head" + memory);
  Reply(server, server.Next(Event::Kind::kStart).call, memory, 7);
  EXPECT_EQ(server.Next().token, 7u);
  Overwrite(memory);
  EXPECT_TRUE(client.Await(stream).data == expected);
}

TEST(Lease, OfMuchMemoryEndsInSeveralTurns) {
  TestServer server(WithLeases(milliseconds(10)));
  std::vector<std::unique_ptr<SlowReader>> readers;
  std::string memory = Payload(10'000'000);
  const std::string expected = Prefixed("head" + memory);
  for (int i = 0; i < 5; ++i) readers.push_back(std::make_unique<SlowReader>(server, 0));
  for (std::size_t i = 0; i < readers.size(); ++i) Reply(server, readers[i]->call, memory, i + 1);
  for (Token token = 1; token <= 5; ++token) EXPECT_EQ(server.Next().token, token);
  Overwrite(memory);
  for (const auto& reader : readers) EXPECT_TRUE(reader->ReadAll() == expected);
}

TEST(Lease, OfAReplyThatIsReadInTimeCopiesNothing) {
  TestServer server(WithLeases(std::chrono::hours(1)));
  const std::string memory = Payload();
  Client client(server.port());
  client.Hello();
  for (Token token = 1; token <= 20; ++token) {
    const std::uint32_t stream = client.Call(kTestUnary, "x");
    Reply(server, server.Next(Event::Kind::kStart).call, memory, token);
    EXPECT_TRUE(client.Await(stream).data == Prefixed("head" + memory));
    EXPECT_EQ(server.Next().token, token);
  }
  EXPECT_LT(server.server.stats().bytes_copied_out, 1'000);
}

TEST(Lease, IsNotWhatOtherRepliesHave) {
  TestServer server(WithLeases(milliseconds(1)));
  SlowReader reader(server, 0);
  const std::string memory = Payload();
  Reply(server, reader.call, memory, 7, false);
  EXPECT_FALSE(server.TryNext(milliseconds(50)));
  EXPECT_TRUE(reader.ReadAll() == Prefixed("head" + memory));
  EXPECT_EQ(server.Next().token, 7u);
}

// Whoever comes first, the memory comes back once.
TEST(Lease, EndsOnceWhenTheClientLeavesAtThatMoment) {
  TestServer server(WithLeases(milliseconds(5)));
  const std::string memory = Payload();
  for (int round = 0; round < 40; ++round) {
    SlowReader reader(server, round % 2 == 0 ? 0 : 50'000);
    Reply(server, reader.call, memory, static_cast<Token>(round + 1));
    reader.client.ReadFor(milliseconds(round % 10));
    if (round % 4 < 2) {
      reader.client.SendReset(reader.stream, ng::kCancel);
      EXPECT_TRUE(reader.client.RoundTrip());
    } else {
      reader.client.Abort();
    }
    EXPECT_EQ(server.Next(Event::Kind::kReleased).token, static_cast<Token>(round + 1));
  }
  EXPECT_TRUE(Eventually([&] { return server.server.stats().bytes_queued == 0; }));
  EXPECT_FALSE(server.TryNext(milliseconds(20)));
  EXPECT_EQ(server.server.stats().tokens, 0);
}

TEST(Lease, EndsWithTheServer) {
  const std::string memory = Payload();
  TestServer server(WithLeases(std::chrono::hours(1)));
  SlowReader reader(server, 0);
  Reply(server, reader.call, memory, 7);
  ASSERT_TRUE(Eventually([&] { return server.server.stats().bytes_queued > 0; }));
  server.server.Stop();
  EXPECT_EQ(server.Next(Event::Kind::kReleased).token, 7u);
}

}  // namespace
}  // namespace aiges::wire::test
