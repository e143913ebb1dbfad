// SPDX-License-Identifier: Apache-2.0
#include "outbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <random>
#include <string>

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

TEST_F(Box, NoticesThatNobodyReads) {
  theirs = {};
  box.AppendCopy("x", 1);
  EXPECT_EQ(box.Write(ours.get()), Outbox::Outcome::kBroken);
}

}  // namespace
}  // namespace aiges::wire
