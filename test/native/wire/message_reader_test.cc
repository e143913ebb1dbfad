// SPDX-License-Identifier: Apache-2.0
#include "message_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "client.h"
#include "leaf_alignment.h"

namespace aiges::wire {
namespace {

using test::Prefixed;
using Outcome = MessageReader::Outcome;

std::span<const std::byte> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

class Reader : public testing::Test {
 protected:
  // All messages in `pieces`, which are read one after the other.
  std::vector<std::string> ReadAll(const std::vector<std::string>& pieces) {
    std::vector<std::string> messages;
    for (const std::string& piece : pieces) {
      auto data = Bytes(piece);
      while (!data.empty()) {
        if (reader.Read(data) != Outcome::kMessage) continue;
        const std::size_t size = reader.length();
        if (BlockRef block = reader.TakeBlock()) {
          messages.emplace_back(reinterpret_cast<const char*>(block->data() + reader.offset()), size);
        } else {
          messages.emplace_back(reinterpret_cast<const char*>(reader.small().data()), reader.small().size());
        }
      }
    }
    return messages;
  }

  const std::shared_ptr<MemoryLedger> ledger = std::make_shared<MemoryLedger>(1 << 30);
  MessageReader reader{ledger, 1 << 24};
};

TEST_F(Reader, RefusesByThePrefixAlone) {
  MessageReader small(ledger, 10);
  auto data = Bytes(std::string_view("\0\0\0\0\xb", 5));
  EXPECT_EQ(small.Read(data), Outcome::kTooLong);
  EXPECT_EQ(small.length(), 11u);
  data = Bytes(std::string_view("\x2\0\0\0\0", 5));
  EXPECT_EQ(reader.Read(data), Outcome::kBadFlag);
  EXPECT_EQ(reader.flag(), 2u);
}

TEST_F(Reader, FindsMessagesWhereverTheyAreCut) {
  const std::string a(7, 'a'), b, c(500, 'c');
  const std::string all = Prefixed(a) + Prefixed(b) + Prefixed(c);
  const std::vector<std::string> expected = {a, b, c};
  for (std::size_t first = 0; first <= all.size(); ++first) {
    EXPECT_EQ(ReadAll({all.substr(0, first), all.substr(first)}), expected);
  }
  std::vector<std::string> single;
  for (const char byte : all) single.emplace_back(1, byte);
  EXPECT_EQ(ReadAll(single), expected);
  EXPECT_FALSE(reader.in_message());
}

TEST_F(Reader, FindsLargeMessagesWhereverTheyAreCut) {
  std::mt19937 random(7);
  for (const std::size_t size : {16'383u, 16'384u, 20'000u, 65'535u, 65'536u, 65'537u, 200'000u}) {
    std::string payload(size, '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
    const std::string all = Prefixed(payload) + Prefixed("tail");
    for (int round = 0; round < 20; ++round) {
      std::vector<std::string> pieces;
      for (std::size_t at = 0; at < all.size();) {
        const std::size_t part = 1 + random() % (round < 10 ? 300u : 50'000u);
        pieces.push_back(all.substr(at, part));
        at += part;
      }
      EXPECT_TRUE(ReadAll(pieces) == (std::vector<std::string>{payload, "tail"})) << size;
    }
  }
  EXPECT_EQ(ledger->stats().bytes_held, 0);
}

TEST_F(Reader, CountsWhatHasArrivedAndNotWhatIsAnnounced) {
  const std::string message = Prefixed(std::string(1'000'000, 'x'));
  const std::string part = message.substr(0, 5'005);
  auto data = Bytes(part);
  EXPECT_EQ(reader.Read(data), Outcome::kMore);
  EXPECT_EQ(reader.received(), 5'000u);
  EXPECT_LT(ledger->stats().bytes_held, 5'100);
  EXPECT_TRUE(reader.in_message());
}

// Of a message that may be mapped, so that there are no more mappings than a process may have.
TEST_F(Reader, CountsMoreThanHasArrivedOfALargeMessageThatHasABlock) {
  const auto held = [&] { return ledger->stats().bytes_held.load(); };
  const std::string all = Prefixed(std::string(1'000'000, 'x'));
  auto data = Bytes(std::string_view(all).substr(0, 5 + 8'192));
  EXPECT_EQ(reader.Read(data), Outcome::kMore);
  EXPECT_EQ(held(), (1 << 30) / 16'384);
  data = Bytes(std::string_view(all).substr(5 + 8'192, 60'000));
  EXPECT_EQ(reader.Read(data), Outcome::kMore);
  EXPECT_NEAR(static_cast<double>(held()), 8'192 + 60'000, 64) << "less than the alignment on top";
  data = Bytes(std::string_view(all).substr(5 + 8'192 + 60'000));
  EXPECT_EQ(reader.Read(data), Outcome::kMessage);
  EXPECT_NEAR(static_cast<double>(held()), 1'000'000, 64);
  reader.TakeBlock();
  EXPECT_EQ(held(), 0);
}

TEST_F(Reader, AlignsTheLeafEvenWhenItsHeadersComeInPieces) {
  const std::string payload(100'000, '\xff');
  // Field 1 (9 bytes), then field 2 with the payload.
  const std::string message = std::string("\x0a\x07") + "padding" + "\x12\xa0\x8d\x06" + payload;
  const std::string all = Prefixed(message);
  for (const std::size_t first : {1u, 6u, 7u, 12u, 100u, 3000u}) {
    auto data = Bytes(std::string_view(all).substr(0, first));
    EXPECT_EQ(reader.Read(data), Outcome::kMore);
    data = Bytes(std::string_view(all).substr(first));
    EXPECT_EQ(reader.Read(data), Outcome::kMessage);
    const BlockRef block = reader.TakeBlock();
    const auto leaf =
        reinterpret_cast<std::uintptr_t>(block->data() + reader.offset() + message.size() - payload.size());
    EXPECT_EQ(leaf % 64, 0u);
    EXPECT_EQ(std::memcmp(block->data() + reader.offset(), message.data(), message.size()), 0);
  }
}

TEST_F(Reader, CopiesNothingThatIsInPlaceAlready) {
  const std::string message(300'000, 'm');
  const std::string all = Prefixed(message);
  auto data = Bytes(std::string_view(all).substr(0, 10'000));
  EXPECT_EQ(reader.Read(data), Outcome::kMore);
  const auto copied = ledger->stats().bytes_copied_in.load();
  const std::span<std::byte> tail = reader.Tail();
  ASSERT_EQ(tail.size(), all.size() - 10'000);
  std::memcpy(tail.data(), all.data() + 10'000, tail.size());
  data = tail;
  EXPECT_EQ(reader.Read(data), Outcome::kMessage);
  EXPECT_EQ(ledger->stats().bytes_copied_in, copied);
  const BlockRef block = reader.TakeBlock();
  EXPECT_EQ(std::memcmp(block->data() + reader.offset(), message.data(), message.size()), 0);
  EXPECT_TRUE(reader.Tail().empty());
}

TEST_F(Reader, BlocksOutliveTheirReader) {
  BlockRef block;
  {
    MessageReader short_lived(ledger, 1 << 20);
    const std::string all = Prefixed(std::string(50'000, 'x'));
    auto data = Bytes(all);
    EXPECT_EQ(short_lived.Read(data), Outcome::kMessage);
    block = short_lived.TakeBlock();
  }
  EXPECT_EQ(ledger->stats().bytes_held, 50'000);
  const BlockRef copy = block;
  block = {};
  EXPECT_EQ(ledger->stats().bytes_held, 50'000);
}

}  // namespace
}  // namespace aiges::wire
