// SPDX-License-Identifier: Apache-2.0
#include "leaf_alignment.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace aiges::wire {
namespace {

std::string Varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string Field(unsigned number, const std::string& contents) {
  return Varint(number << 3 | 2) + Varint(contents.size()) + contents;
}

std::string Number(unsigned number, std::uint64_t value) { return Varint(number << 3) + Varint(value); }

std::size_t Leaf(const std::string& message) {
  const auto* bytes = reinterpret_cast<const std::byte*>(message.data());
  return LargestLeaf({bytes, std::min(message.size(), kLeafPeek)}, message.size());
}

// Not a message, whatever way it is looked at.
std::string Payload(std::size_t size) { return std::string(size, '\xff'); }

// As the clients of the loader send it: ReqData{op, s, param, data[0].data = LoaderInput{…, pl[0].data = payload}}.
std::string Request(const std::string& payload, const std::string& after = "") {
  const std::string param = Field(1, "waitTime") + Field(2, "5000");
  const std::string attribute = Field(1, "encoding") + Field(2, "raw");
  const std::string meta = Field(1, "input") + Number(2, 1) + Field(3, attribute) + Field(3, attribute);
  const std::string pl = Field(1, meta) + Field(2, payload);
  std::string input = Field(1, "service") + Field(2, "name") + Number(3, 1);
  for (int i = 0; i < 6; ++i) input += Field(4, param) + Field(5, param);
  input += Field(6, Field(1, "result") + Number(2, 4)) + Field(7, pl) + Number(8, 3) + after;
  std::string request = Field(1, "AIIn") + Field(2, "") + Field(3, param) + Field(3, param) + Field(4, Field(1, input));
  return request + after;
}

TEST(LargestLeaf, IsTheMessageItselfWhenNothingElseIsThere) {
  EXPECT_EQ(Leaf(""), 0u);
  EXPECT_EQ(Leaf(Payload(100'000)), 0u);
  EXPECT_EQ(Leaf(std::string(100'000, '\0')), 0u) << "field number 0";
  EXPECT_EQ(Leaf(std::string(100'000, '\x0b')), 0u) << "groups";
  EXPECT_EQ(Leaf(Field(1, Payload(70'000)).substr(0, 50'000)), 0u) << "a field that is longer than the message";
}

TEST(LargestLeaf, FollowsTheNestingOfARequest) {
  for (const std::size_t size : {65'536u, 100'000u, 3'000'000u}) {
    const std::string payload = Payload(size);
    const std::string request = Request(payload);
    EXPECT_EQ(Leaf(request), request.find(payload));
  }
}

TEST(LargestLeaf, IsFoundWithFieldsBehindIt) {
  const std::string payload = Payload(80'000);
  const std::string request = Request(payload, Field(9, "more") + Number(10, 1));
  EXPECT_EQ(Leaf(request), request.find(payload));
}

TEST(LargestLeaf, IsTheLargestOfSeveral) {
  const std::string payload = Payload(80'000);
  const std::string message = Field(1, std::string(300, 'a')) + Field(2, payload) + Field(3, std::string(20'000, 'b'));
  EXPECT_EQ(Leaf(message), message.find(payload));
}

TEST(LargestLeaf, StopsWhereTheHeadersAreNotInSight) {
  const std::string message = Field(1, std::string(kLeafPeek, 'a')) + Field(2, Payload(80'000));
  EXPECT_EQ(Leaf(message), 0u);
}

TEST(LargestLeaf, SkipsNumbersOfEveryKind) {
  const std::string message =
      Varint(1 << 3 | 1) + "12345678" + Varint(2 << 3 | 5) + "1234" + Number(3, ~0ull) + Field(4, Payload(70'000));
  EXPECT_EQ(Leaf(message), message.size() - 70'000);
}

TEST(AlignedOffset, PutsTheLeafOnABoundary) {
  const std::string payload = Payload(70'000);
  for (std::size_t extra = 0; extra < 130; ++extra) {
    const std::string message = Field(15, std::string(extra, 'x')) + Request(payload);
    const std::size_t offset =
        AlignedOffset({reinterpret_cast<const std::byte*>(message.data()), kLeafPeek}, message.size());
    EXPECT_LT(offset, 64u);
    EXPECT_EQ((offset + message.find(payload)) % 64, 0u);
  }
}

TEST(AlignedOffset, SurvivesAnything) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 32);
    const std::size_t size = bytes.size() + random() % 100'000;
    EXPECT_LT(AlignedOffset({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, size), 64u);
    EXPECT_LE(LargestLeaf({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, size), size);
  }
}

}  // namespace
}  // namespace aiges::wire
