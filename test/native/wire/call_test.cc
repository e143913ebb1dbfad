// SPDX-License-Identifier: Apache-2.0
// Unary calls, and what is refused before a consumer sees it.
#include <gtest/gtest.h>

#include "harness.h"

namespace aiges::wire::test {
namespace {

struct Refusal {
  const char* name;
  Fields fields;
  std::string body;
  const char* http;
  const char* status;
  const char* message;  // as on the wire
};

Fields Change(const char* name, const char* value) {
  Fields fields = Client::Request(kTestUnary);
  for (auto& [key, old] : fields) {
    if (key == name) old = value;
  }
  return fields;
}

Fields Without(const char* name) {
  Fields fields = Client::Request(kTestUnary);
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  return fields;
}

Fields With(const char* name, std::string value) { return Client::Request(kTestUnary, {{name, std::move(value)}}); }

const std::vector<Refusal>& Refusals() {
  static const std::vector<Refusal> refusals = {
      {"UnknownMethod", Change(":path", "/test.Service/call"), Prefixed("x"), "200", "12",
       "unknown method call for service test.Service"},
      {"UnknownService", Change(":path", "/other/Unary"), Prefixed("x"), "200", "12", "unknown service other"},
      {"PathWithoutMethod", Change(":path", "/nothing"), Prefixed("x"), "200", "12",
       "malformed method name: \"/nothing\""},
      {"Get", Change(":method", "GET"), Prefixed("x"), "405", "13", "the method of a gRPC request is POST, not GET"},
      {"ContentTypeOfJson", Change("content-type", "application/json"), Prefixed("x"), "415", "13",
       "invalid gRPC request content-type \"application/json\""},
      {"ContentTypeOfGrpcWeb", Change("content-type", "application/grpc-web"), Prefixed("x"), "415", "13",
       "invalid gRPC request content-type \"application/grpc-web\""},
      {"NoContentType", Without("content-type"), Prefixed("x"), "415", "13", "invalid gRPC request content-type \"\""},
      {"TimeoutWithoutUnit", With("grpc-timeout", "100"), Prefixed("x"), "400", "13",
       "malformed grpc-timeout: transport: timeout unit is not recognized: \"100\""},
      {"TimeoutTooLong", With("grpc-timeout", "123456789S"), Prefixed("x"), "400", "13",
       "malformed grpc-timeout: transport: timeout string is too long: \"123456789S\""},
      {"TimeoutTooShort", With("grpc-timeout", "S"), Prefixed("x"), "400", "13",
       "malformed grpc-timeout: transport: timeout string is too short: \"S\""},
      {"TimeoutNegative", With("grpc-timeout", "-1S"), Prefixed("x"), "400", "13",
       "malformed grpc-timeout: strconv.ParseUint: parsing \"-1\": invalid syntax"},
      {"BinaryThatIsNot", With("key-bin", "a*b"), Prefixed("x"), "400", "13",
       "malformed binary metadata in header \"key-bin\""},
      {"UnknownEncoding", With("grpc-encoding", "snappy"), Prefixed("x"), "200", "12",
       "grpc: Decompressor is not installed for grpc-encoding \"snappy\""},
      {"HeaderListTooLong", With("big", std::string(70'000, 'x')), Prefixed("x"), "200", "8",
       "received header list larger than max (70325 bytes in 7 fields vs. 65536 in 256)"},
      {"MessageTooLong", Client::Request(kTestUnary), std::string("\0\x00\x40\x00\x01", 5), "200", "8",
       "grpc: received message larger than max (4194305 vs. 4194304)"},
      {"CompressedWithoutEncoding", Client::Request(kTestUnary), Prefixed("x", true), "200", "13",
       "grpc: compressed flag set with identity or empty encoding"},
      {"CompressedIdentity", With("grpc-encoding", "identity"), Prefixed("x", true), "200", "13",
       "grpc: compressed flag set with identity or empty encoding"},
      {"FlagTwo", Client::Request(kTestUnary), "\2" + Prefixed("x").substr(1), "200", "13",
       "grpc: received unexpected payload format 2"},
      {"NoMessage", Client::Request(kTestUnary), "", "200", "13",
       "cardinality violation: received no request message from non-client-streaming RPC"},
      {"TwoMessages", Client::Request(kTestUnary), Prefixed("x") + Prefixed("y"), "200", "13",
       "cardinality violation: received multiple request messages for non-client-streaming RPC"},
      {"HalfAPrefix", Client::Request(kTestUnary), Prefixed("x").substr(0, 3), "200", "13", "unexpected EOF"},
      {"HalfAMessage", Client::Request(kTestUnary), Prefixed("xyz").substr(0, 6), "200", "13", "unexpected EOF"},
  };
  return refusals;
}

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, IsAnsweredWithoutTheConsumer) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, GetParam().fields);
  client.SendData(stream, GetParam().body, true);
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.Get(":status"), GetParam().http);
  EXPECT_EQ(answer.status(), GetParam().status);
  EXPECT_EQ(answer.message(), GetParam().message);
  EXPECT_EQ(answer.Get("content-type"), "application/grpc");
  EXPECT_TRUE(answer.trailers.empty()) << "one HEADERS frame is enough";
  // The connection is as good as before.
  const std::uint32_t next = client.Call(kTestUnary, "next");
  const Event event = server.Next();
  EXPECT_EQ(Text(event.message), "next");
  server.Reply(event.call, "answer");
  EXPECT_EQ(client.Await(next).status(), "0");
}

// The same when the request does not end: the answer comes all the same, and then RST_STREAM(NO_ERROR).
TEST_P(Refused, StopsAClientThatStillSends) {
  const std::string name = GetParam().name;
  if (name == "NoMessage" || name == "HalfAPrefix" || name == "HalfAMessage") return;  // nothing wrong so far
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, GetParam().fields);
  client.SendData(stream, GetParam().body);
  ASSERT_TRUE(client.Until([&] { return client.answer(stream).reset.has_value(); }));
  EXPECT_TRUE(client.answer(stream).ended);
  EXPECT_EQ(client.answer(stream).status(), GetParam().status);
  EXPECT_EQ(client.answer(stream).reset, ng::kNoError);
}

INSTANTIATE_TEST_SUITE_P(Requests, Refused, testing::ValuesIn(Refusals()),
                         [](const auto& info) { return info.param.name; });

TEST(Unary, IsOneEvent) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream =
      client.Call(kTestUnary, "hello", {{"user-agent", "tester"}, {"key", "value"}, {"grpc-tags-bin", "AAAA"}});
  const Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kStart);
  EXPECT_TRUE(event.end_of_input);
  EXPECT_EQ(Text(event.message), "hello");
  EXPECT_EQ(event.start->method, 0u);
  EXPECT_EQ(event.start->authority, "test");
  EXPECT_EQ(event.start->deadline, Clock::time_point::max());
  EXPECT_EQ(event.start->connection->peer.host, "127.0.0.1");
  EXPECT_NE(event.start->connection->peer.port, 0);
  EXPECT_EQ(event.start->connection->local.port, server.port());
  ASSERT_EQ(event.start->metadata.size(), 2u) << "what is reserved stays with the wire";
  EXPECT_EQ(event.start->metadata[0].name, "user-agent");
  EXPECT_EQ(event.start->metadata[1].name, "key");
  EXPECT_EQ(event.start->metadata[1].value, "value");

  server.Reply(event.call, "world", 7);
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.Get(":status"), "200");
  EXPECT_EQ(answer.Get("content-type"), "application/grpc");
  EXPECT_EQ(answer.data, Prefixed("world"));
  EXPECT_EQ(answer.trailers, (Fields{{"grpc-status", "0"}, {"grpc-message", ""}}));
  const Event released = server.Next();
  EXPECT_EQ(released.kind, Event::Kind::kReleased);
  EXPECT_EQ(released.token, 7u);
  EXPECT_FALSE(server.TryNext(std::chrono::milliseconds(20))) << "that was all";
}

TEST(Unary, CarriesEmptyMessages) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "");
  const Event event = server.Next();
  ASSERT_TRUE(event.message.block);
  EXPECT_EQ(event.message.size, 0u);
  server.Reply(event.call, "");
  EXPECT_EQ(client.Await(stream).data, Prefixed(""));
  EXPECT_EQ(client.Await(stream).status(), "0");
}

TEST(Unary, MayEndItsRequestInAFrameOfItsOwn) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  for (const std::size_t size : {3u, 20'000u, 100'000u}) {
    const std::string payload(size, 'p');
    const std::uint32_t stream = client.NextStream();
    client.SendHeaders(stream, Client::Request(kTestUnary));
    client.SendData(stream, Prefixed(payload));
    ASSERT_TRUE(client.RoundTrip());
    EXPECT_FALSE(server.TryNext(std::chrono::milliseconds(5))) << "not complete";
    client.SendData(stream, "", true);
    const Event event = server.Next();
    EXPECT_EQ(Text(event.message), payload);
    EXPECT_TRUE(event.end_of_input);
    server.Finish(event.call, 5, "no");
    EXPECT_EQ(client.Await(stream).status(), "5");
  }
}

// The first message is small and still where it was read when the second one begins, in the same read. What comes of
// that one later has no place to go to.
TEST(Unary, IsRefusedAsSoonAsASecondMessageBegins) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::string second = Prefixed(std::string(1'000'000, 's'));
  for (const std::size_t begun : {1u, 5u, 3'000u, 15'000u}) {
    const std::uint32_t stream = client.NextStream();
    std::string frames = FrameBytes(1, 4, stream, client.Encode(Client::Request(kTestUnary)));
    frames += FrameBytes(0, 0, stream, Prefixed("first") + second.substr(0, begun));
    client.Send(frames);
    client.SendData(stream, second.substr(begun, 30'000));
    EXPECT_EQ(client.Await(stream).status(), "13");
    EXPECT_EQ(client.Await(stream).message(),
              "cardinality violation: received multiple request messages for non-client-streaming RPC");
  }
  ASSERT_TRUE(client.RoundTrip());
  EXPECT_FALSE(server.TryNext(std::chrono::milliseconds(5))) << "the consumer has seen none of them";
  EXPECT_EQ(server.server.stats().bytes_held, 0);
}

TEST(Unary, EchoesTheContentTypeOfGrpc) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, Change("content-type", "application/grpc+proto"));
  client.SendData(stream, Prefixed("x"), true);
  server.Reply(server.Next().call, "y");
  EXPECT_EQ(client.Await(stream).Get("content-type"), "application/grpc+proto");
}

TEST(Unary, HandsCompressedMessagesOnAsTheyAre) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, With("grpc-encoding", "gzip"));
  client.SendData(stream, Prefixed("not even gzip", true), true);
  const Event event = server.Next();
  EXPECT_TRUE(event.start->gzip);
  EXPECT_TRUE(event.message.compressed);
  EXPECT_EQ(Text(event.message), "not even gzip");
  server.Finish(event.call, 13, "");
  client.Await(stream);
}

TEST(Unary, TellsWhichEncodingsThereAre) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x", {{"grpc-encoding", "br"}});
  EXPECT_EQ(client.Await(stream).Get("grpc-accept-encoding"), "identity,gzip");
}

TEST(Metadata, ComesInDecoded) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  client.Call(kTestUnary, "x",
              {{"a-bin", "AAEC"}, {"b-bin", "AA=="}, {"c-bin", "AA"}, {"d-bin", "AAE, AAEC,/w=="}, {"e-bin", ""}});
  const Event event = server.Next();
  const Metadata& metadata = event.start->metadata;
  const std::vector<std::pair<std::string, std::string>> expected = {{"a-bin", std::string("\0\1\2", 3)},
                                                                     {"b-bin", std::string("\0", 1)},
                                                                     {"c-bin", std::string("\0", 1)},
                                                                     {"d-bin", std::string("\0\1", 2)},
                                                                     {"d-bin", std::string("\0\1\2", 3)},
                                                                     {"d-bin", "\xff"},
                                                                     {"e-bin", ""}};
  ASSERT_EQ(metadata.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(metadata[i].name, expected[i].first);
    EXPECT_EQ(metadata[i].value, expected[i].second) << i;
  }
}

TEST(Metadata, GoesOutEncodedAndOnlyWhatMay) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  const Event event = server.Next();
  Commands commands;
  wire::Metadata headers;
  headers.Add("early", "1");
  headers.Add("raw-bin", std::string("\0\1\2\3", 4));
  headers.Add("Upper", "no");
  headers.Add("grpc-status", "0");
  headers.Add("connection", "close");
  headers.Add("bad", "line\nbreak");
  commands.SendMetadata(event.call, std::move(headers));
  wire::Metadata trailers;
  trailers.Add("late", "2");
  trailers.Add("late", "3");
  commands.Reply(event.call, {.head = "answer"}, std::move(trailers));
  server.server.Submit(std::move(commands));
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.headers,
            (Fields{{":status", "200"}, {"content-type", "application/grpc"}, {"early", "1"}, {"raw-bin", "AAECAw"}}));
  EXPECT_EQ(answer.trailers, (Fields{{"grpc-status", "0"}, {"grpc-message", ""}, {"late", "2"}, {"late", "3"}}));
  EXPECT_EQ(answer.data, Prefixed("answer"));
}

TEST(Unary, SendsHeadersAheadOfTheMessageWhenTold) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  const Event event = server.Next();
  Commands commands;
  commands.SendMetadata(event.call, {});
  server.server.Submit(std::move(commands));
  ASSERT_TRUE(client.Until([&] { return !client.answer(stream).headers.empty(); }));
  server.Finish(event.call, 3, "after all");
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.trailers, (Fields{{"grpc-status", "3"}, {"grpc-message", "after all"}}));
}

TEST(Unary, EncodesErrorTexts) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  server.Finish(server.Next().call, 2, "\t100% \xE2\x98\xBA\r\n");
  EXPECT_EQ(client.Await(stream).message(), "%09100%25 %E2%98%BA%0D%0A");
}

TEST(Unary, WritesHeadAndChunksInOrder) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  const std::string large(100'000, 'L'), small(10, 's'), empty, last(5'000, 'l');
  OutgoingMessage message;
  message.head = "head";
  for (const std::string* text : {&small, &large, &empty, &last, &empty}) {
    message.chunks.push_back({reinterpret_cast<const std::byte*>(text->data()), text->size()});
  }
  message.token = 1;
  Commands commands;
  commands.Reply(server.Next().call, std::move(message), {});
  const auto copied = server.server.stats().bytes_copied_out.load();
  server.server.Submit(std::move(commands));
  EXPECT_EQ(client.Await(stream).data, Prefixed("head" + small + large + last));
  EXPECT_EQ(server.server.stats().bytes_copied_out - copied, 5 + 4 + 10) << "large chunks are written where they are";
  EXPECT_EQ(server.Next(Event::Kind::kReleased).token, 1u);
}

TEST(Unary, RefusesToSendWhatIsTooLong) {
  Options options;
  options.max_send_bytes = 1000;
  TestServer server(options);
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  server.Reply(server.Next().call, std::string(1001, 'x'), 5);
  EXPECT_EQ(client.Await(stream).status(), "8");
  EXPECT_EQ(client.Await(stream).message(), "grpc: trying to send message larger than max (1001 vs. 1000)");
  const Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kReleased);
  EXPECT_EQ(event.token, 5u);
}

TEST(Unary, CommandsAfterTheEndOnlyRelease) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  const CallId call = server.Next().call;
  server.Finish(call, 1, "first");
  server.Reply(call, "second", 9);
  server.Finish(call, 2, "third");
  server.Reply(12345, "nobody", 10);
  EXPECT_EQ(client.Await(stream).message(), "first");
  EXPECT_EQ(server.Next().token, 9u);
  EXPECT_EQ(server.Next().token, 10u);
}

// nghttp2 sends no header block beyond 64 KiB, and would leave the client waiting.
Metadata LargeMetadata() {
  Metadata metadata;
  for (int i = 0; i < 10; ++i) metadata.Add("large", std::string(10'000, 'm'));
  return metadata;
}

TEST(Metadata, OfTheBeginningThatIsTooLongEndsTheCall) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kTestStream));
  const CallId call = server.Next().call;
  Commands commands;
  commands.SendMetadata(call, LargeMetadata());
  server.server.Submit(std::move(commands));
  server.Send(call, "message", 7);
  const Answer& answer = client.Await(stream);
  EXPECT_EQ(answer.status(), "8");
  EXPECT_NE(answer.message().find("initial metadata is longer"), std::string::npos) << answer.message();
  EXPECT_EQ(answer.data, "");
  EXPECT_EQ(server.Next(Event::Kind::kCancelled).reason, CancelReason::kBadInput);
  EXPECT_EQ(server.Next(Event::Kind::kReleased).token, 7u);
  EXPECT_EQ(server.server.stats().metadata_unsendable, 1);
  EXPECT_EQ(server.server.stats().calls, 0);
  EXPECT_TRUE(client.RoundTrip());
}

TEST(Metadata, OfTheBeginningThatIsTooLongEndsACallThatIsFinishedAlready) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  const CallId call = server.Next().call;
  OutgoingMessage message{.head = "answer", .token = 7};
  Commands commands;
  commands.SendMetadata(call, LargeMetadata());
  commands.Reply(call, std::move(message), {});
  server.server.Submit(std::move(commands));
  EXPECT_EQ(client.Await(stream).status(), "8");
  EXPECT_EQ(server.Next(Event::Kind::kReleased).token, 7u);
}

TEST(Metadata, OfTheEndThatIsTooLongEndsTheCall) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  for (const bool with_message : {true, false}) {
    const std::uint32_t stream = client.Call(kTestUnary, "x");
    const CallId call = server.Next(Event::Kind::kStart).call;
    Commands commands;
    if (with_message) {
      commands.Reply(call, {.head = "answer"}, LargeMetadata());
    } else {
      commands.Finish(call, {5, "not found"}, LargeMetadata());
    }
    server.server.Submit(std::move(commands));
    const Answer& answer = client.Await(stream);
    EXPECT_EQ(answer.status(), "8") << with_message;
    EXPECT_NE(answer.message().find("metadata is longer"), std::string::npos) << answer.message();
  }
  EXPECT_EQ(server.server.stats().metadata_unsendable, 2);
  EXPECT_TRUE(client.RoundTrip());
}

TEST(Deadline, EndsTheCallOnBothSides) {
  TestServer server;
  const auto before = Clock::now();
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x", {{"grpc-timeout", "50m"}});
  const Event start = server.Next();
  EXPECT_GE(start.start->deadline, before + std::chrono::milliseconds(50));
  EXPECT_LE(start.start->deadline, Clock::now() + std::chrono::milliseconds(50));
  const Event cancelled = server.Next();
  EXPECT_EQ(cancelled.kind, Event::Kind::kCancelled);
  EXPECT_EQ(cancelled.call, start.call);
  EXPECT_EQ(cancelled.reason, CancelReason::kDeadline);
  EXPECT_GE(Clock::now(), start.start->deadline);
  EXPECT_EQ(client.Await(stream).status(), "4");
  EXPECT_EQ(client.Await(stream).message(), "Deadline exceeded");
  server.Reply(start.call, "too late", 3);
  EXPECT_EQ(server.Next().token, 3u);
}

TEST(Deadline, MayBeOverAtOnce) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x", {{"grpc-timeout", "0n"}});
  EXPECT_EQ(client.Await(stream).status(), "4");
}

TEST(Deadline, AlsoEndsARequestThatNeverGetsComplete) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.NextStream();
  client.SendHeaders(stream, Client::Request(kTestUnary, {{"grpc-timeout", "20000u"}}));
  client.SendData(stream, Prefixed(std::string(100'000, 'x')).substr(0, 50'000));
  ASSERT_TRUE(client.Until([&] { return client.answer(stream).reset.has_value(); }));
  EXPECT_EQ(client.answer(stream).status(), "4");
  EXPECT_FALSE(server.TryNext(std::chrono::milliseconds(20)));
  EXPECT_TRUE(Eventually([&] { return server.server.stats().bytes_held == 0; }));
}

TEST(Deadline, CutsAReplyThatNobodyReads) {
  TestServer server;
  Client client(server.port());
  client.Hello({{kSetInitialWindow, 10'000}});
  // Long enough for the reply to have begun, whatever holds us up.
  const std::uint32_t stream = client.Call(kTestUnary, "x", {{"grpc-timeout", "5S"}});
  server.Reply(server.Next().call, std::string(100'000, 'x'), 4);
  EXPECT_EQ(client.Await(stream).reset, ng::kCancel) << "half a message cannot be followed by a status";
  EXPECT_EQ(server.Next().token, 4u);
}

TEST(Cancel, ByTheClientReachesTheConsumer) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  const std::uint32_t stream = client.Call(kTestUnary, "x");
  const CallId call = server.Next().call;
  client.SendReset(stream, ng::kCancel);
  const Event event = server.Next();
  EXPECT_EQ(event.kind, Event::Kind::kCancelled);
  EXPECT_EQ(event.call, call);
  EXPECT_EQ(event.reason, CancelReason::kClientReset);
  server.Reply(call, "late", 2);
  EXPECT_EQ(server.Next().token, 2u);
}

TEST(Cancel, ByDisconnectReachesTheConsumer) {
  TestServer server;
  std::optional<Client> client(std::in_place, server.port());
  client->Hello();
  client->Call(kTestUnary, "x");
  client->Call(kTestUnary, "y");
  server.Next();
  server.Next();
  client.reset();
  EXPECT_EQ(server.Next().reason, CancelReason::kDisconnected);
  EXPECT_EQ(server.Next().reason, CancelReason::kDisconnected);
  EXPECT_TRUE(Eventually([&] { return server.server.stats().connections == 0; }));
}

TEST(Unary, ManyConnectionsAtOnce) {
  EchoServer server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->Hello();
  }
  std::vector<std::uint32_t> streams;
  for (auto& client : clients) {
    for (int k = 0; k < 3; ++k) client->Call(kUnaryPath, std::string(1000, static_cast<char>('a' + k)));
  }
  for (auto& client : clients) {
    for (std::uint32_t stream : {1u, 3u, 5u}) {
      EXPECT_EQ(client->Await(stream).data, Prefixed(std::string(1000, static_cast<char>('a' + stream / 2))));
    }
  }
}

TEST(Unary, SmallMessagesOfABatchShareABlock) {
  TestServer server;
  Client client(server.port());
  client.Hello();
  std::string bytes;
  for (std::uint32_t stream = 1; stream < 41; stream += 2) {
    bytes += FrameBytes(1, 4, stream, client.Encode(Client::Request(kTestUnary)));
    bytes += FrameBytes(0, 1, stream, Prefixed("message " + std::to_string(stream)));
  }
  client.Send(bytes);
  ASSERT_TRUE(Eventually([&] { return server.wakes() > 0; }));
  const Events events = server.server.Take();
  ASSERT_EQ(events.size(), 20u);
  EXPECT_EQ(server.wakes(), 1) << "one wake-up for all of it";
  for (const Event& event : events) {
    EXPECT_EQ(event.message.block, events[0].message.block);
    EXPECT_EQ(Text(event.message).substr(0, 8), "message ");
    EXPECT_LE(event.message.offset + event.message.size, event.message.block->size());
  }
}

}  // namespace
}  // namespace aiges::wire::test
