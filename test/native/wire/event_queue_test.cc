// SPDX-License-Identifier: Apache-2.0
#include "event_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "outbox.h"
#include "sending_message.h"

namespace aiges::wire {
namespace {

class Queue : public testing::Test, protected EventSink {
 protected:
  void Wake() noexcept override { ++wakes; }
  void AddSmall(CallId call, std::string_view text) {
    queue.Add(Event::Kind::kMessage, call);
    queue.AttachSmall(queue.Place(), {reinterpret_cast<const std::byte*>(text.data()), text.size()}, false);
  }
  static std::string Text(const Message& message) {
    return {reinterpret_cast<const char*>(message.data()), message.size};
  }

  std::atomic<int> wakes{0};
  const std::shared_ptr<MemoryLedger> ledger = std::make_shared<MemoryLedger>(1 << 30);
  EventQueue queue{ledger, *this};
};

TEST_F(Queue, WakesOnceUntilItIsTaken) {
  queue.Publish(true);
  EXPECT_EQ(wakes, 0) << "nothing has happened";
  for (int i = 0; i < 3; ++i) {
    queue.Add(Event::Kind::kEnd, 1);
    queue.Publish(true);
  }
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(queue.Take().size(), 3u);
  EXPECT_TRUE(queue.Take().empty());
  queue.Add(Event::Kind::kEnd, 2);
  queue.Publish(true);
  EXPECT_EQ(wakes, 2);
}

TEST_F(Queue, SharesABlockBetweenBatchesUntilItIsTaken) {
  AddSmall(1, "one");
  queue.Publish(true);
  AddSmall(2, "two");
  AddSmall(3, "");
  queue.Publish(true);
  const Events first = queue.Take();
  AddSmall(4, "four");
  queue.Publish(true);
  const Events second = queue.Take();
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(Text(first[0].message), "one");
  EXPECT_EQ(Text(first[1].message), "two");
  EXPECT_EQ(Text(first[2].message), "");
  EXPECT_EQ(first[0].message.block, first[2].message.block);
  EXPECT_EQ(Text(second[0].message), "four");
  EXPECT_FALSE(second[0].message.block == first[0].message.block) << "a block belongs to one batch";
}

TEST_F(Queue, TakesAnyAmountOfSmallMessages) {
  std::vector<std::string> texts;
  for (int i = 0; i < 500; ++i)
    texts.emplace_back(static_cast<std::size_t>(i * 13 % 3000), static_cast<char>('a' + i % 26));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    AddSmall(i, texts[i]);
    if (i % 7 == 0) queue.Publish(true);
  }
  queue.Publish(true);
  {
    const Events events = queue.Take();
    ASSERT_EQ(events.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(Text(events[i].message), texts[i]);
  }
  EXPECT_EQ(ledger->stats().bytes_held, 0);
}

TEST_F(Queue, LosesNothingBetweenThreads) {
  std::atomic<bool> done{false};
  std::size_t taken = 0;
  std::thread consumer([&] {
    CallId last = 0;
    const auto look = [&] {
      for (const Event& event : queue.Take()) {
        EXPECT_EQ(event.call, ++last);
        EXPECT_EQ(Text(event.message), "message " + std::to_string(event.call));
        ++taken;
      }
    };
    while (!done) look();
    look();
  });
  for (CallId i = 1; i <= 20'000; ++i) {
    AddSmall(i, "message " + std::to_string(i));
    if (i % 3 == 0) queue.Publish(true);
  }
  queue.Publish(true);
  done = true;
  consumer.join();
  EXPECT_EQ(taken, 20'000u);
}

TEST_F(Queue, SendingMessagesGiveTheirTokenBackAtTheirEnd) {
  std::size_t queued = 0;
  const std::string chunk(5'000, 'c');
  OutgoingMessage outgoing;
  outgoing.head = "head";
  outgoing.chunks = {{nullptr, 0}, {reinterpret_cast<const std::byte*>(chunk.data()), chunk.size()}, {nullptr, 0}};
  outgoing.token = 42;
  auto message = std::make_shared<SendingMessage>(std::move(outgoing), 7, queue, ledger->stats(), queued);
  EXPECT_EQ(queued, 5'004u);
  EXPECT_EQ(message->left(), 5'009u);
  std::string bytes;
  while (message->left() > 0) {
    const Chunk piece = message->Next(1'000);
    EXPECT_GT(piece.size, 0u);
    bytes.append(reinterpret_cast<const char*>(piece.data), piece.size);
  }
  EXPECT_EQ(bytes, std::string("\0\0\0\x13\x8chead", 9) + chunk);
  queue.Publish(true);
  EXPECT_TRUE(queue.Take().empty()) << "somebody may still read it";
  message.reset();
  EXPECT_EQ(queued, 0u);
  queue.Publish(true);
  const Events events = queue.Take();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, Event::Kind::kReleased);
  EXPECT_EQ(events[0].call, 7u);
  EXPECT_EQ(events[0].token, 42u);
}

}  // namespace
}  // namespace aiges::wire
