// SPDX-License-Identifier: Apache-2.0
// Calls with any number of messages in either direction.
#include <gtest/gtest.h>

#include "harness.h"

namespace aiges::wire::test {
namespace {

class StreamCall : public testing::Test {
 protected:
  // Opens a call, without any message.
  CallId Open(const Fields& more = {}) {
    client.Hello();
    stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kTestStream, more));
    const Event start = server.Next();
    EXPECT_EQ(start.kind, Event::Kind::kStart);
    EXPECT_EQ(start.start->method, 1u);
    EXPECT_FALSE(start.message.block);
    EXPECT_FALSE(start.end_of_input);
    return start.call;
  }

  TestServer server;
  Client client{server.port()};
  std::uint32_t stream = 0;
};

TEST_F(StreamCall, PlaysPingPong) {
  const CallId call = Open();
  for (int i = 0; i < 5; ++i) {
    const std::string text = "ping " + std::to_string(i);
    client.SendData(stream, Prefixed(text));
    const Event event = server.Next();
    EXPECT_EQ(event.kind, Event::Kind::kMessage);
    EXPECT_EQ(Text(event.message), text);
    server.Consumed(call, event.message.size);
    server.Send(call, "pong", static_cast<Token>(100 + i));
    EXPECT_EQ(server.Next().token, static_cast<Token>(100 + i)) << "the next one may be sent";
  }
  client.SendData(stream, "", true);
  const Event end = server.Next();
  EXPECT_EQ(end.kind, Event::Kind::kEnd);
  EXPECT_TRUE(end.end_of_input);
  server.Finish(call);
  const Answer& answer = client.Await(stream);
  std::string all;
  for (int i = 0; i < 5; ++i) all += Prefixed("pong");
  EXPECT_EQ(answer.data, all);
  EXPECT_EQ(answer.status(), "0");
}

TEST_F(StreamCall, AttachesToTheStartWhatComesWithIt) {
  client.Hello();
  stream = client.NextStream();
  std::string bytes = FrameBytes(1, 4, stream, client.Encode(Client::Request(kTestStream)));
  bytes += FrameBytes(0, 1, stream, Prefixed("one") + Prefixed("two"));
  client.Send(bytes);
  Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kStart);
  EXPECT_EQ(Text(event.message), "one");
  EXPECT_FALSE(event.end_of_input);
  event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kMessage);
  EXPECT_EQ(Text(event.message), "two");
  EXPECT_TRUE(event.end_of_input);
  server.Finish(event.call);
  EXPECT_EQ(client.Await(stream).status(), "0");
}

TEST_F(StreamCall, WithoutAnyMessageEndsWithOneFrame) {
  client.Hello();
  stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kTestStream), true);
  const Event event = server.Next();
  EXPECT_TRUE(event.end_of_input);
  EXPECT_FALSE(event.message.block);
  server.Finish(event.call);
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.status(), "0");
  EXPECT_TRUE(answer.trailers.empty());
}

TEST_F(StreamCall, FinishesAfterTheMessagesBeforeIt) {
  const CallId call = Open();
  Commands commands;
  for (int i = 0; i < 100; ++i)
    commands.SendMessage(call, {.head = std::string(1000, static_cast<char>('a' + i % 26))});
  commands.Finish(call, {9, "enough"}, {});
  server.server.Submit(std::move(commands));
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.data.size(), 100u * 1005);
  EXPECT_EQ(answer.message(), "enough");
  // The client has not ended its side: it need not.
  ASSERT_TRUE(client.Until([&] { return client.answer(stream).reset.has_value(); }));
  EXPECT_EQ(answer.reset, ng::kNoError);
}

TEST_F(StreamCall, WaitsForTheClientToRead) {
  client.Hello({{kSetInitialWindow, 1000}});
  stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kTestStream));
  const CallId call = server.Next().call;
  server.Send(call, std::string(1500, 'x'), 1);
  EXPECT_FALSE(server.TryNext(std::chrono::milliseconds(30))) << "not out yet";
  client.SendWindow(stream, 10'000);
  EXPECT_EQ(server.Next().token, 1u);
  server.Finish(call);
  EXPECT_EQ(client.Await(stream).data, Prefixed(std::string(1500, 'x')));
}

TEST_F(StreamCall, EndsWithAMessageThatIsTooLong) {
  const CallId call = Open();
  client.SendData(stream, Prefixed("fine") + std::string("\0\x7f\xff\xff\xff", 5));
  EXPECT_EQ(Text(server.Next().message), "fine");
  const Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kCancelled);
  EXPECT_EQ(event.call, call);
  EXPECT_EQ(event.reason, CancelReason::kBadInput);
  EXPECT_EQ(client.Await(stream).message(), "grpc: received message larger than max (2147483647 vs. 4194304)");
}

TEST_F(StreamCall, EndsInsideAMessageAreErrors) {
  Open();
  client.SendData(stream, Prefixed("half").substr(0, 7), true);
  EXPECT_EQ(server.Next().reason, CancelReason::kBadInput);
  EXPECT_EQ(client.Await(stream).message(), "unexpected EOF");
}

TEST_F(StreamCall, EndsWhenAReplyIsTooLong) {
  const CallId call = Open();
  server.Send(call, std::string((4 << 20) + 1, 'x'), 8);
  Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kCancelled);
  event = server.Next();
  EXPECT_EQ(event.token, 8u);
  EXPECT_EQ(client.Await(stream).message(), "grpc: trying to send message larger than max (4194305 vs. 4194304)");
}

TEST_F(StreamCall, KeepsItsDeadline) {
  // Long enough for the message to be out, whatever holds us up.
  const CallId call = Open({{"grpc-timeout", "5S"}});
  server.Send(call, "one");
  const Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kCancelled);
  EXPECT_EQ(event.reason, CancelReason::kDeadline);
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.data, Prefixed("one"));
  EXPECT_EQ(answer.status(), "4");
}

TEST_F(StreamCall, IsCancelledByReset) {
  const CallId call = Open();
  client.SendData(stream, Prefixed("one"));
  server.Next();
  server.Send(call, std::string(1'000'000, 'x'), 1);
  client.SendReset(stream, ng::kCancel);
  bool cancelled = false, released = false;
  while (!cancelled || !released) {
    const Event event = server.Next();
    if (event.kind == Event::Kind::kCancelled) cancelled = true;
    if (event.kind == Event::Kind::kReleased) released = true;
    if (testing::Test::HasFailure()) break;
  }
}

// Every way to cut a message in two, then in pieces of every length.
TEST(StreamBorders, MessagesAreWholeWhereverTheyAreCut) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  const std::string messages =
      Prefixed("") + Prefixed("a") + Prefixed("hello, world") + Prefixed(std::string(300, 'z'));
  for (std::size_t piece = 1; piece <= 20; ++piece) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kStreamPath));
    client.SendData(stream, messages, true, piece);
    EXPECT_EQ(client.Await(stream).data, messages) << piece;
    ASSERT_EQ(client.Await(stream).status(), "0");
  }
  for (std::size_t cut = 0; cut <= messages.size(); ++cut) {
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kStreamPath));
    client.SendData(stream, messages.substr(0, cut));
    client.SendData(stream, messages.substr(cut), true);
    ASSERT_EQ(client.Await(stream).data, messages) << cut;
  }
}

// The same with TCP segments instead of frames.
TEST(StreamBorders, FramesAreWholeWhereverTheyAreCut) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  const std::uint32_t stream = client.NextStream();
  std::string bytes = FrameBytes(1, 4, stream, client.Encode(Client::Request(kUnaryPath)));
  bytes += FrameBytes(0, 1, stream, Prefixed("one byte at a time"));
  for (const char byte : bytes) {
    client.Send({&byte, 1});
    ASSERT_TRUE(Eventually([] { return true; }));
    client.ReadFor(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(client.Await(stream).data, Prefixed("one byte at a time"));
}

TEST(StreamBorders, PaddingIsNoPayload) {
  EchoServer server;
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip()) << "the large window counts from here on";
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kStreamPath));
  const std::string message = Prefixed(std::string(100'000, 'm'));
  for (std::size_t at = 0; at < message.size(); at += 10'000) {
    const std::string part = message.substr(at, 10'000);
    client.SendFrame(0, 8, stream, std::string(1, 100) + part + std::string(100, '\0'));
  }
  client.SendFrame(0, 9, stream, std::string(1, 0));
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.message(), "");
  EXPECT_FALSE(answer.reset);
  EXPECT_TRUE(answer.data == message);
}

TEST(LargeMessages, OfEverySizeComeBackWhole) {
  Options options;
  options.max_receive_bytes = options.max_send_bytes = std::size_t{64} << 20;
  EchoServer server(options);
  Client client(server.port());
  client.Hello();
  ASSERT_TRUE(client.RoundTrip());
  for (const std::size_t size :
       {16'383u, 16'384u, 16'385u, 65'535u, 65'536u, 70'000u, 1u << 20, 10u << 20, 20u << 20}) {
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31 + i / 251);
    for (const std::size_t frame : {16'384u, 1u << 20}) {
      const std::uint32_t stream = client.NextStream();
      client.SendHeaders(stream, Client::Request(kUnaryPath));
      client.SendData(stream, Prefixed(payload), true, frame);
      const Answer& answer = client.Await(stream);
      EXPECT_EQ(answer.status(), "0");
      ASSERT_TRUE(answer.data == Prefixed(payload)) << size;
      client.answer(stream) = {};
    }
  }
}

}  // namespace
}  // namespace aiges::wire::test
