// SPDX-License-Identifier: Apache-2.0
// What RFC 9113 forbids a client, one case each: what it gets for it, and that nobody else is harmed.
#include <gtest/gtest.h>

#include <functional>

#include "harness.h"

namespace aiges::wire::test {
namespace {

enum Code : std::uint32_t {
  kProtocol = 1,
  kInternal = 2,
  kFlowControl = 3,
  kStreamClosed = 5,
  kFrameSize = 6,
  kRefused = 7,
  kCompression = 9,
  kCalm = 11,
};

enum class Fate {
  kConnection,  // GOAWAY with the code, then the connection ends
  kStream,      // RST_STREAM with the code on stream 1; the connection stays usable
  kNothing,     // ignored; the connection stays usable
};

struct Attack {
  const char* name;
  const char* section;  // of RFC 9113
  std::function<void(Client&)> act;
  Fate fate;
  std::vector<std::uint32_t> codes;  // any of them
};

// After the preface.
void Open(Client& client, std::uint32_t stream = 1) { client.SendHeaders(stream, Client::Request(kUnaryPath)); }

std::function<void(Client&)> Raw(int type, int flags, std::uint32_t stream, std::string payload) {
  return [=](Client& client) { client.SendFrame(type, flags, stream, payload); };
}

std::function<void(Client&)> OnStream(int type, int flags, std::string payload) {
  return [=](Client& client) {
    Open(client);
    client.SendFrame(type, flags, 1, payload);
  };
}

std::function<void(Client&)> Headers(Fields fields, bool end = false) {
  return [=](Client& client) { client.SendHeaders(1, fields, end); };
}

Fields Plus(Fields more) { return Client::Request(kUnaryPath, more); }

Fields Minus(const std::string& name) {
  Fields fields = Client::Request(kUnaryPath);
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  return fields;
}

Fields Empty(const std::string& name) {
  Fields fields = Client::Request(kUnaryPath);
  for (auto& [key, value] : fields) {
    if (key == name) value.clear();
  }
  return fields;
}

Fields PseudoAtTheEnd() {
  Fields fields = Client::Request(kUnaryPath);
  std::rotate(fields.begin(), fields.begin() + 1, fields.end());
  return fields;
}

const std::vector<Attack>& Attacks() {
  static const std::string kZeros(8, '\0');
  static const std::vector<Attack> attacks = {
      // 4: frames
      {"FrameLargerThanAdvertised", "4.2",
       [](Client& c) {
         Open(c);
         c.Send(FrameBytes(0, 0, 1, std::string((1 << 20) + 1, 'x')));
       },
       Fate::kConnection, {kFrameSize}},
      {"HeadersLargerThanAdvertised", "4.2", Raw(1, 4, 1, std::string((1 << 20) + 1, 'x')), Fate::kConnection, {kFrameSize}},
      {"UnknownFrameType", "4.1", Raw(0x42, 0xff, 0, "whatever"), Fate::kNothing, {}},
      {"UnknownFrameTypeOnAStream", "4.1", OnStream(0x42, 0, "whatever"), Fate::kNothing, {}},
      {"ReservedBitOfAStream", "4.1", Raw(6, 0, 0x80000000u, kZeros), Fate::kNothing, {}},
      {"UndefinedFlags", "4.1", Raw(6, 0xfe, 0, kZeros), Fate::kNothing, {}},
      // 4.3: header blocks
      {"HpackGarbage", "4.3", Raw(1, 5, 1, std::string(10, '\xff')), Fate::kConnection, {kCompression}},
      {"HpackIndexOutOfTable", "4.3", Raw(1, 5, 1, "\xfe"), Fate::kConnection, {kCompression}},
      {"HpackTableSizeBeyondSettings", "4.3", Raw(1, 5, 1, "\x3f\xff\xff\x7f"), Fate::kConnection, {kCompression}},
      {"HeaderBlockInterruptedByData", "4.3",
       [](Client& c) {
         c.SendFrame(1, 0, 1, c.Encode(Plus({})));
         c.SendFrame(0, 1, 1, "x");
       },
       Fate::kConnection, {kProtocol}},
      {"HeaderBlockInterruptedByPing", "6.2",
       [](Client& c) {
         c.SendFrame(1, 0, 1, c.Encode(Plus({})));
         c.SendFrame(6, 0, 0, kZeros);
       },
       Fate::kConnection, {kProtocol}},
      {"HeaderBlockInterruptedByAnUnknownFrame", "6.2",
       [](Client& c) {
         c.SendFrame(1, 0, 1, c.Encode(Plus({})));
         c.SendFrame(0x42, 0, 1, "x");
       },
       Fate::kConnection, {kProtocol}},
      {"HeaderBlockContinuedOnAnotherStream", "6.10",
       [](Client& c) {
         c.SendFrame(1, 0, 1, c.Encode(Plus({})));
         c.SendFrame(9, 4, 3, "");
       },
       Fate::kConnection, {kProtocol}},
      {"ContinuationOutOfTheBlue", "6.10", Raw(9, 4, 1, ""), Fate::kConnection, {kProtocol}},
      {"ContinuationAfterTheEndOfHeaders", "6.10", OnStream(9, 4, ""), Fate::kConnection, {kProtocol}},
      // 5.1: states and stream identifiers
      {"DataOnAnIdleStream", "5.1", Raw(0, 0, 1, "x"), Fate::kConnection, {kProtocol}},
      {"ResetOfAnIdleStream", "5.1", Raw(3, 0, 1, Int32(8)), Fate::kConnection, {kProtocol}},
      {"WindowOfAnIdleStream", "5.1", Raw(8, 0, 1, Int32(1)), Fate::kConnection, {kProtocol}},
      {"EvenStream", "5.1.1", Raw(1, 5, 2, "\x82"), Fate::kConnection, {kProtocol}},
      {"StreamZeroForHeaders", "6.2", Raw(1, 5, 0, "\x82"), Fate::kConnection, {kProtocol}},
      {"StreamZeroForData", "6.1", Raw(0, 0, 0, "x"), Fate::kConnection, {kProtocol}},
      // nghttp2 cannot tell it from trailers of a call that has just been answered, and ignores it.
      {"DecreasingStream", "5.1.1",
       [](Client& c) {
         c.Await(c.Call(kUnaryPath, "x"));  // 1
         c.SendHeaders(5, Plus({}));
         c.SendHeaders(3, Plus({}), true);
       },
       Fate::kNothing,
       {}},
      {"HeadersOnAClosedStream", "5.1",
       [](Client& c) {
         c.Await(c.Call(kUnaryPath, "x"));
         c.SendHeaders(1, Plus({}), true);
       },
       Fate::kNothing,
       {}},
      {"DataAfterTheEndOfTheRequest", "5.1",
       [](Client& c) {
         // Together, so that the answer does not come in between.
         const std::uint32_t stream = c.NextStream();
         c.Send(FrameBytes(1, 5, stream, c.Encode(Client::Request(kStreamPath))) + FrameBytes(0, 0, stream, "x"));
       },
       Fate::kConnection, {kStreamClosed, kProtocol}},
      {"DataAfterTheAnswer", "5.1",
       [](Client& c) {
         c.Await(c.Call(kUnaryPath, "x"));
         c.SendFrame(0, 0, 1, "x");
       },
       Fate::kNothing, {}},
      {"DataAfterReset", "5.1",
       [](Client& c) {
         Open(c);
         c.SendReset(1, 8);
         c.SendFrame(0, 0, 1, "x");
       },
       Fate::kNothing, {}},
      // 5.2 and 6.9: flow control
      {"WindowUpdateOfZeroOnTheConnection", "6.9", Raw(8, 0, 0, Int32(0)), Fate::kConnection, {kProtocol}},
      {"WindowUpdateOfZeroOnAStream", "6.9", OnStream(8, 0, Int32(0)), Fate::kConnection, {kProtocol}},
      {"WindowUpdateTooShort", "6.9", Raw(8, 0, 0, "abc"), Fate::kConnection, {kFrameSize}},
      {"WindowUpdateTooLong", "6.9", Raw(8, 0, 0, "abcde"), Fate::kConnection, {kFrameSize}},
      {"WindowOverflowOfTheConnection", "6.9.1",
       [](Client& c) {
         c.SendWindow(0, kMaxWindow);
         c.SendWindow(0, kMaxWindow);
       },
       Fate::kConnection, {kFlowControl}},
      {"WindowOverflowOfAStream", "6.9.1", OnStream(8, 0, Int32(kMaxWindow)), Fate::kStream, {kFlowControl}},
      {"WindowOverflowBySettings", "6.9.2",
       [](Client& c) {
         c.SendFrame(4, 0, 0, SettingsPayload({{kSetInitialWindow, 65535}}));
         Open(c);
         c.SendWindow(1, kMaxWindow - 65535);
         c.SendFrame(4, 0, 0, SettingsPayload({{kSetInitialWindow, 70000}}));
       },
       Fate::kStream,
       {kFlowControl}},
      // 6.1, 6.2: padding
      {"PaddingLongerThanData", "6.1", OnStream(0, 8, std::string(1, 5) + "abcd"), Fate::kConnection, {kProtocol}},
      {"PaddedWithoutALength", "6.1", OnStream(0, 8, ""), Fate::kConnection, {kProtocol, kFrameSize}},
      {"PaddingLongerThanHeaders", "6.2", Raw(1, 0xc, 1, std::string(1, 9) + "\x82"), Fate::kConnection, {kProtocol}},
      // 6.3: PRIORITY
      {"PriorityTooShort", "6.3", OnStream(2, 0, "abcd"), Fate::kConnection, {kFrameSize}},
      {"PriorityOnStreamZero", "6.3", Raw(2, 0, 0, "abcde"), Fate::kConnection, {kProtocol}},
      {"PriorityOfItself", "5.3.2", OnStream(2, 0, Int32(1) + "x"), Fate::kNothing, {}},  // deprecated, and ignored
      {"PriorityOfAnIdleStream", "5.1", Raw(2, 0, 7, Int32(1) + "x"), Fate::kNothing, {}},
      // 6.4: RST_STREAM
      {"ResetOfStreamZero", "6.4", Raw(3, 0, 0, Int32(8)), Fate::kConnection, {kProtocol}},
      {"ResetTooShort", "6.4", OnStream(3, 0, "abc"), Fate::kConnection, {kFrameSize}},
      {"ResetTooLong", "6.4", OnStream(3, 0, "abcde"), Fate::kConnection, {kFrameSize}},
      {"ResetWithAnUnknownCode", "7", OnStream(3, 0, Int32(0xdead)), Fate::kNothing, {}},
      // 6.5: SETTINGS
      {"SettingsOnAStream", "6.5", Raw(4, 0, 1, ""), Fate::kConnection, {kProtocol}},
      {"SettingsOfOddLength", "6.5", Raw(4, 0, 0, "abcde"), Fate::kConnection, {kFrameSize}},
      {"SettingsAckWithPayload", "6.5", Raw(4, 1, 0, "abcdef"), Fate::kConnection, {kFrameSize}},
      {"SettingsAckTooMuch", "6.5.3",
       [](Client& c) {
         for (int i = 0; i < 3; ++i) c.SendFrame(4, 1, 0, "");
       },
       Fate::kConnection, {kProtocol}},
      {"SettingsPushOfTwo", "6.5.2", Raw(4, 0, 0, SettingsPayload({{kSetEnablePush, 2}})), Fate::kConnection, {kProtocol}},
      {"SettingsWindowTooLarge", "6.5.2", Raw(4, 0, 0, SettingsPayload({{kSetInitialWindow, 0x80000000u}})),
       Fate::kConnection, {kFlowControl}},
      {"SettingsFrameTooSmall", "6.5.2", Raw(4, 0, 0, SettingsPayload({{kSetMaxFrame, 16383}})), Fate::kConnection, {kProtocol}},
      {"SettingsFrameTooLarge", "6.5.2", Raw(4, 0, 0, SettingsPayload({{kSetMaxFrame, 1u << 24}})), Fate::kConnection, {kProtocol}},
      {"SettingsUnknown", "6.5.2", Raw(4, 0, 0, SettingsPayload({{0xabcd, 1}})), Fate::kNothing, {}},
      {"SettingsTwice", "6.5", Raw(4, 0, 0, SettingsPayload({{kSetHeaderTableSize, 0}, {kSetHeaderTableSize, 4096}})), Fate::kNothing, {}},
      // 6.6: PUSH_PROMISE
      {"PushPromiseFromAClient", "8.4", OnStream(5, 4, Int32(2) + "\x82"), Fate::kConnection, {kProtocol}},
      // 6.7: PING
      {"PingTooShort", "6.7", Raw(6, 0, 0, "abc"), Fate::kConnection, {kFrameSize}},
      {"PingTooLong", "6.7", Raw(6, 0, 0, "abcdefghi"), Fate::kConnection, {kFrameSize}},
      {"PingOnAStream", "6.7", Raw(6, 0, 1, kZeros), Fate::kConnection, {kProtocol}},
      {"PingAckThatNobodyAskedFor", "6.7", Raw(6, 1, 0, kZeros), Fate::kNothing, {}},
      // 6.8: GOAWAY
      {"GoawayTooShort", "6.8", Raw(7, 0, 0, "abcdefg"), Fate::kConnection, {kFrameSize}},
      {"GoawayOnAStream", "6.8", Raw(7, 0, 1, kZeros), Fate::kConnection, {kProtocol}},
      // 8: HTTP
      {"UppercaseName", "8.2", Headers(Plus({{"Upper", "x"}})), Fate::kStream, {kProtocol}},
      {"NameWithASpace", "8.2.1", Headers(Plus({{"a b", "x"}})), Fate::kStream, {kProtocol}},
      {"ValueWithANewline", "8.2.1", Headers(Plus({{"a", "x\ny"}})), Fate::kStream, {kProtocol}},
      {"Connection", "8.2.2", Headers(Plus({{"connection", "close"}})), Fate::kStream, {kProtocol}},
      {"KeepAlive", "8.2.2", Headers(Plus({{"keep-alive", "1"}})), Fate::kStream, {kProtocol}},
      {"ProxyConnection", "8.2.2", Headers(Plus({{"proxy-connection", "x"}})), Fate::kStream, {kProtocol}},
      {"TransferEncoding", "8.2.2", Headers(Plus({{"transfer-encoding", "chunked"}})), Fate::kStream, {kProtocol}},
      {"Upgrade", "8.2.2", Headers(Plus({{"upgrade", "h2c"}})), Fate::kStream, {kProtocol}},
      {"TeOfGzip", "8.2.2",
       [](Client& c) {
         Fields fields = Minus("te");
         fields.emplace_back("te", "gzip");
         c.SendHeaders(1, fields);
       },
       Fate::kStream, {kProtocol}},
      {"NoMethod", "8.3.1", Headers(Minus(":method")), Fate::kStream, {kProtocol}},
      {"NoScheme", "8.3.1", Headers(Minus(":scheme")), Fate::kStream, {kProtocol}},
      {"NoPath", "8.3.1", Headers(Minus(":path")), Fate::kStream, {kProtocol}},
      {"EmptyPath", "8.3.1", Headers(Empty(":path")), Fate::kStream, {kProtocol}},
      {"TwoMethods", "8.3.1",
       [](Client& c) {
         Fields fields = Client::Request(kUnaryPath);
         fields.insert(fields.begin(), {":method", "POST"});
         c.SendHeaders(1, fields);
       },
       Fate::kStream, {kProtocol}},
      {"UnknownPseudoField", "8.3",
       [](Client& c) {
         Fields fields = Client::Request(kUnaryPath);
         fields.insert(fields.begin(), {":unknown", "x"});
         c.SendHeaders(1, fields);
       },
       Fate::kStream, {kProtocol}},
      {"PseudoFieldOfAResponse", "8.3",
       [](Client& c) {
         Fields fields = Client::Request(kUnaryPath);
         fields.insert(fields.begin(), {":status", "200"});
         c.SendHeaders(1, fields);
       },
       Fate::kStream, {kProtocol}},
      {"PseudoFieldAfterOthers", "8.3", Headers(PseudoAtTheEnd()), Fate::kStream, {kProtocol}},
      {"PseudoFieldInTrailers", "8.1",
       [](Client& c) {
         Open(c);
         c.SendHeaders(1, {{":method", "POST"}}, true);
       },
       Fate::kStream, {kProtocol}},
      {"TrailersWithoutEndStream", "8.1",
       [](Client& c) {
         Open(c);
         c.SendHeaders(1, {{"x", "y"}}, false);
       },
       Fate::kStream, {kProtocol}},
      {"ContentLengthThatIsNone", "8.1.1", Headers(Plus({{"content-length", "x"}})), Fate::kStream, {kProtocol}},
      {"ContentLengthTooSmall", "8.1.1",
       [](Client& c) {
         c.SendHeaders(1, Plus({{"content-length", "3"}}));
         c.SendData(1, Prefixed("hello"), true);
       },
       Fate::kStream, {kProtocol}},
      {"ContentLengthTooLarge", "8.1.1",
       [](Client& c) {
         c.SendHeaders(1, Plus({{"content-length", "300"}}));
         c.SendData(1, Prefixed("hello"), true);
       },
       Fate::kStream, {kProtocol}},
      {"ContentLengthWithoutData", "8.1.1", Headers(Plus({{"content-length", "1"}}), true), Fate::kStream, {kProtocol}},
  };
  return attacks;
}

class Attacked : public testing::TestWithParam<Attack> {};

TEST_P(Attacked, GetsWhatTheRfcPrescribes) {
  const Attack& attack = GetParam();
  EchoServer server;
  Client client(server.port());
  client.Hello({}, 0);
  ASSERT_TRUE(client.RoundTrip());
  attack.act(client);
  switch (attack.fate) {
    case Fate::kConnection:
      ASSERT_TRUE(client.AwaitClose()) << "RFC 9113, " << attack.section;
      ASSERT_FALSE(client.goaways().empty());
      EXPECT_NE(std::find(attack.codes.begin(), attack.codes.end(), client.goaways().back().code), attack.codes.end())
          << client.goaways().back().code;
      break;
    case Fate::kStream:
      ASSERT_TRUE(client.Until([&] { return client.answer(1).reset.has_value(); })) << "RFC 9113, " << attack.section;
      EXPECT_NE(std::find(attack.codes.begin(), attack.codes.end(), *client.answer(1).reset), attack.codes.end())
          << *client.answer(1).reset;
      [[fallthrough]];
    case Fate::kNothing:
      ASSERT_TRUE(client.RoundTrip()) << "RFC 9113, " << attack.section;
      EXPECT_TRUE(client.goaways().empty());
      const std::uint32_t stream = 101;
      client.SendHeaders(stream, Client::Request(kUnaryPath));
      client.SendData(stream, Prefixed("usable"), true);
      EXPECT_EQ(client.Await(stream).data, Prefixed("usable"));
  }
  EXPECT_TRUE(server.Alive());
}

INSTANTIATE_TEST_SUITE_P(Rfc9113, Attacked, testing::ValuesIn(Attacks()),
                         [](const auto& info) { return info.param.name; });

struct Preface {
  const char* name;
  std::string bytes;
};

class BadPreface : public testing::TestWithParam<Preface> {};

TEST_P(BadPreface, EndsTheConnection) {
  EchoServer server;
  Client client(server.port());
  client.Send(GetParam().bytes);
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_EQ(client.goaways().back().code, kProtocol);
  EXPECT_TRUE(server.Alive());
}

INSTANTIATE_TEST_SUITE_P(Rfc9113, BadPreface,
                         testing::ValuesIn(std::vector<Preface>{
                             {"Http1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
                             {"Tls",
                              std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + std::string(500, 'x')},
                             {"OtherMagic", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"},
                             {"NoSettings", std::string(kMagic) + FrameBytes(6, 0, 0, "12345678")},
                             {"AckInsteadOfSettings", std::string(kMagic) + FrameBytes(4, 1, 0, "")},
                         }),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace aiges::wire::test
