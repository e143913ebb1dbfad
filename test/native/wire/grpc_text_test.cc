// SPDX-License-Identifier: Apache-2.0
#include "grpc_text.h"

#include <gtest/gtest.h>

namespace aiges::wire {
namespace {

TEST(ParseTimeout, RefusesWhatIsNone) {
  for (const char* text : {"", "5", "S", "5s", "5x", "-5S", "+5S", " 5S", "5 S", "1.5S", "0x5S", "123456789S"}) {
    EXPECT_FALSE(ParseTimeout(text).ok()) << text;
  }
}

TEST(ParseTimeout, KnowsAllUnits) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(ParseTimeout("2H").value(), std::chrono::hours(2));
  EXPECT_EQ(ParseTimeout("2M").value(), std::chrono::minutes(2));
  EXPECT_EQ(ParseTimeout("2S").value(), std::chrono::seconds(2));
  EXPECT_EQ(ParseTimeout("2m").value(), std::chrono::milliseconds(2));
  EXPECT_EQ(ParseTimeout("5049954u").value(), std::chrono::microseconds(5049954));
  EXPECT_EQ(ParseTimeout("00000007n").value(), nanoseconds(7));
  EXPECT_EQ(ParseTimeout("0n").value(), nanoseconds(0));
  EXPECT_EQ(ParseTimeout("99999999H").value(), nanoseconds(INT64_MAX)) << "longer than the clock runs";
}

TEST(PercentEncode, LeavesPrintableAsciiAlone) {
  EXPECT_EQ(PercentEncode(""), "");
  EXPECT_EQ(PercentEncode("all is (well)~"), "all is (well)~");
  EXPECT_EQ(PercentEncode("100%\x7f\n\xc3\xa4"), "100%25%7F%0A%C3%A4");
  EXPECT_EQ(PercentEncode(std::string("\0", 1)), "%00");
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"A", "AAAAA", "A*==", "A===", "====", "AA=", "AAA==", "AA==AA", "AA A"}) {
    EXPECT_FALSE(Base64Decode(text)) << text;
  }
}

TEST(Base64, GoesThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const std::string text = Base64Encode(bytes);
    EXPECT_EQ(Base64Decode(text), bytes);
    EXPECT_EQ(Base64Decode(text + std::string((4 - text.size() % 4) % 4, '=')), bytes) << "padded";
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Names, OnlyWhatHttpAndGrpcAllow) {
  EXPECT_TRUE(IsMetadataName("a-b_c.9"));
  for (const char* name : {"", "A", "a b", ":path", "a:b", "\xc3\xa4"}) EXPECT_FALSE(IsMetadataName(name)) << name;
  for (const char* name : {":path", "grpc-timeout", "grpc-x", "te", "content-type", "connection", "host"}) {
    EXPECT_TRUE(IsReservedName(name)) << name;
  }
  for (const char* name : {"grpc", "user-agent", "team"}) EXPECT_FALSE(IsReservedName(name)) << name;
  EXPECT_TRUE(IsMetadataValue("any printable ~"));
  EXPECT_FALSE(IsMetadataValue("tab\t"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc;charset=utf-8"));
  EXPECT_FALSE(IsGrpcContentType("application/grpcx"));
  EXPECT_FALSE(IsGrpcContentType("application/grp"));
}

}  // namespace
}  // namespace aiges::wire
