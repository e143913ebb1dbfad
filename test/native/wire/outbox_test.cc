// SPDX-License-Identifier: Apache-2.0
#include "outbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "event_queue.h"
#include "unique_fd.h"

namespace aiges::wire {
namespace {

class Box : public testing::Test, protected EventSink {
 protected:
  Box() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    ours = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
  }
  void Wake() noexcept override {}
  std::string Drain() {
    std::string all;
    std::array<char, 65536> buffer;
    for (ssize_t got = 0; (got = read(theirs.get(), buffer.data(), buffer.size())) > 0;) {
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return all;
  }
  std::shared_ptr<SendingMessage> Lender(Token token) {
    OutgoingMessage message;
    message.token = token;
    return std::make_shared<SendingMessage>(std::move(message), 1, events, ledger->stats(), queued);
  }

  UniqueFd ours, theirs;
  std::size_t queued = 0;
  const std::shared_ptr<MemoryLedger> ledger = std::make_shared<MemoryLedger>(1 << 30);
  EventQueue events{ledger, *this};
  Outbox box{ledger->stats()};
};

TEST_F(Box, KeepsTheOrderOfCopiesAndLoans) {
  const std::string large(3'000, 'L');
  const auto* bytes = reinterpret_cast<const std::byte*>(large.data());
  box.AppendCopy("one", 3);
  box.AppendCopy("two", 3);
  box.AppendLent(bytes, large.size(), Lender(0));
  box.AppendCopy("three", 5);
  EXPECT_EQ(box.pending(), 3'011u);
  EXPECT_EQ(box.Write(ours.get()), Outbox::Outcome::kEmpty);
  EXPECT_EQ(Drain(), "onetwo" + large + "three");
  EXPECT_EQ(box.pending(), 0u);
}

TEST_F(Box, SurvivesWritesOfAnyLength) {
  const std::string payload(200'000, 'p');
  const auto* bytes = reinterpret_cast<const std::byte*>(payload.data());
  std::mt19937 random(5);
  std::string expected, received;
  int blocked = 0;
  for (int i = 0; i < 400; ++i) {
    const std::size_t size = random() % 20'000;
    if (random() % 2 == 0) {
      box.AppendCopy(payload.data(), size % 100);
      expected.append(payload, 0, size % 100);
    } else {
      box.AppendLent(bytes, size, Lender(0));
      expected.append(payload, 0, size);
    }
    if (box.Write(ours.get()) == Outbox::Outcome::kBlocked) {
      ++blocked;
      if (random() % 3 == 0) received += Drain();
    }
  }
  while (box.Write(ours.get()) == Outbox::Outcome::kBlocked) received += Drain();
  received += Drain();
  EXPECT_TRUE(received == expected);
  EXPECT_GT(blocked, 0);
}

TEST_F(Box, LetsGoOfWhatIsWritten) {
  const std::string payload(3'000'000, 'p');
  box.AppendLent(reinterpret_cast<const std::byte*>(payload.data()), payload.size(), Lender(1));
  EXPECT_EQ(box.Write(ours.get()), Outbox::Outcome::kBlocked);
  events.Publish(true);
  EXPECT_TRUE(events.Take().empty());
  std::size_t received = Drain().size();
  while (box.Write(ours.get()) == Outbox::Outcome::kBlocked) received += Drain().size();
  received += Drain().size();
  EXPECT_EQ(received, payload.size());
  events.Publish(true);
  EXPECT_EQ(events.Take().at(0).token, 1u);
}

// A reply in `count` chunks on lease, and what its client must get.
struct Leased {
  std::vector<std::string> memory;
  std::string expected;
  std::shared_ptr<SendingMessage> message;

  // What an engine does with memory that it has got back.
  void Overwrite() {
    for (std::string& chunk : memory) std::fill(chunk.begin(), chunk.end(), '!');
  }
};

class LeaseBox : public Box {
 protected:
  Leased Lease(const std::vector<std::size_t>& sizes, std::size_t head = 7) {
    Leased leased;
    OutgoingMessage message;
    message.token = 1;
    message.head = std::string(head, 'h');
    char letter = 'a';
    for (const std::size_t size : sizes) leased.memory.emplace_back(size, letter++);
    for (const std::string& chunk : leased.memory) {
      message.chunks.push_back({reinterpret_cast<const std::byte*>(chunk.data()), chunk.size()});
    }
    const std::size_t size = message.size();
    for (int shift = 32; shift >= 0; shift -= 8) leased.expected += static_cast<char>(shift == 32 ? 0 : size >> shift);
    leased.expected += message.head;
    for (const std::string& chunk : leased.memory) leased.expected += chunk;
    leased.message = std::make_shared<SendingMessage>(std::move(message), 1, events, ledger->stats(), queued);
    return leased;
  }
  void HandOver(const std::shared_ptr<SendingMessage>& message, std::size_t most) {
    while (most > 0 && message->left() > 0) {
      const Chunk piece = message->Next(most);
      box.AppendLent(piece.data, piece.size, message);
      most -= piece.size;
    }
  }
  std::size_t Released() {
    events.Publish(true);
    std::size_t count = 0;
    for (const Event& event : events.Take()) count += event.kind == Event::Kind::kReleased && event.token == 1;
    return count;
  }
  std::string WriteAll() {
    std::string all;
    while (box.Write(ours.get()) == Outbox::Outcome::kBlocked) all += Drain();
    return all + Drain();
  }
};

TEST_F(LeaseBox, TakesOverWhatIsNotWritten) {
  struct Case {
    std::size_t handed_over, written;
  };
  // Nothing, within the head, at its end, within a chunk, at its end, all; and of that nothing, a part, all.
  for (const Case& at : {Case{0, 0},
                         {5, 0},
                         {12, 0},
                         {12, 3},
                         {500, 0},
                         {500, 300},
                         {1'012, 1'012},
                         {2'512, 1'400},
                         {3'012, 0},
                         {3'012, 3'000}}) {
    Leased leased = Lease({1'000, 0, 2'000});
    std::string received;
    HandOver(leased.message, at.written);
    received += WriteAll();
    HandOver(leased.message, at.handed_over - at.written);
    ASSERT_TRUE(box.TakeOver(*leased.message));
    EXPECT_EQ(Released(), 1u);
    leased.Overwrite();
    EXPECT_EQ(queued, 3'007u) << "the copy counts as the answer did";
    HandOver(leased.message, 1 << 20);
    received += WriteAll();
    EXPECT_TRUE(received == leased.expected) << at.handed_over << " handed over, " << at.written << " written";
    leased.message.reset();
    EXPECT_EQ(Released(), 0u);
    EXPECT_EQ(queued, 0u);
  }
}

TEST_F(LeaseBox, TakesOverAtAnyTime) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::size_t> sizes(random() % 5);
    for (std::size_t& size : sizes) size = random() % 4 == 0 ? 0 : random() % 150'000;
    Leased leased = Lease(sizes, random() % 3'000);
    Leased other = Lease({40'000});
    std::string expected, received;
    const auto when = random() % (leased.expected.size() + 1);
    bool taken_over = false;
    while (leased.message->left() > 0 || !taken_over) {
      if (!taken_over && leased.expected.size() - leased.message->left() >= when) {
        ASSERT_TRUE(box.TakeOver(*leased.message));
        leased.Overwrite();
        taken_over = true;
      }
      HandOver(leased.message, 1 + random() % 60'000);
      if (random() % 2 == 0) box.Write(ours.get());
      if (random() % 2 == 0) received += Drain();
    }
    HandOver(other.message, 1 << 20);
    received += WriteAll();
    ASSERT_TRUE(received == leased.expected + other.expected) << "round " << round;
  }
}

TEST_F(Box, NoticesThatNobodyReads) {
  theirs = {};
  box.AppendCopy("x", 1);
  EXPECT_EQ(box.Write(ours.get()), Outbox::Outcome::kBroken);
}

}  // namespace
}  // namespace aiges::wire
