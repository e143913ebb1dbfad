// SPDX-License-Identifier: Apache-2.0
#include "executor.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <latch>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support.h"

namespace aiges {
namespace {

using testing::Await;
using testing::Slot;

TEST(Executor, LivesOnWhenATaskThrows) {
  Executor executor({.name = "throws", .max_threads = 1});
  ASSERT_TRUE(executor.Submit([] { throw std::runtime_error("escapes"); }));
  ASSERT_TRUE(executor.Submit([] { throw 42; }));
  Slot<int> slot;
  ASSERT_TRUE(executor.Submit([set = slot.Setter()]() mutable { set(1); }));
  EXPECT_EQ(slot.Take(), 1);
  executor.Stop();
}

TEST(Executor, RunsTasksInOrderOnOneThread) {
  Executor executor({.name = "order", .max_threads = 1});
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(executor.Submit([&order, i] { order.push_back(i); }));
  executor.Drain();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  executor.Stop();
}

TEST(Executor, GrowsUpToItsCapAndNotBeyond) {
  Executor executor({.name = "cap", .max_threads = 3});
  std::latch all_inside(3);
  std::latch go(1);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(executor.Submit([&, i] {
      const int now = ++inside;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      if (i < 3) all_inside.count_down();
      go.wait();
      --inside;
    }));
  }
  all_inside.wait();  // three run at the same time …
  go.count_down();
  executor.Drain();
  EXPECT_EQ(most, 3);  // … and never four
  executor.Stop();
}

TEST(Executor, GrowsFurtherWhenItsLimitIsRaised) {
  Executor executor({.name = "raise", .max_threads = 1});
  executor.RaiseLimit(2);
  executor.RaiseLimit(1);
  std::latch both(2);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(executor.Submit([&] { both.arrive_and_wait(); }));
  executor.Stop();
}

TEST(Executor, FindsAThreadForEachTaskOfABatchThatWasHandedOverWithOneWakeUp) {
  Executor executor({.name = "batch", .max_threads = 4});
  // The second time they are woken up, the first time they are started.
  for (int round = 0; round < 2; ++round) {
    std::latch all(4);
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(executor.Submit([&] { all.arrive_and_wait(); }, Executor::Wake::kLater));
    executor.WakeUp();
    executor.Drain();
    EXPECT_TRUE(all.try_wait());
  }
  executor.Stop();
}

TEST(Executor, DoesNotWakeUpForNothing) {
  Executor executor({.name = "nothing", .max_threads = 2});
  const auto before = counters().threads.load();
  executor.WakeUp();
  EXPECT_EQ(counters().threads, before);
  executor.Stop();
}

TEST(Executor, NamesItsThreads) {
  Executor executor({.name = "a name longer than fifteen", .max_threads = 1});
  Slot<std::string> slot;
  ASSERT_TRUE(executor.Submit([set = slot.Setter()]() mutable {
    std::array<char, 32> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    set(name.data());
  }));
  EXPECT_EQ(slot.Take(), "a name longer t");
  executor.Stop();
}

TEST(Executor, ShrinksToOneThreadWhenIdle) {
  const auto before = counters().threads.load();
  Executor executor({.name = "idle", .max_threads = 4, .idle = std::chrono::milliseconds(1)});
  std::latch all(4);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(executor.Submit([&] { all.arrive_and_wait(); }));
  executor.Drain();
  Await([&] { return counters().threads == before + 1; });
  Slot<int> slot;
  ASSERT_TRUE(executor.Submit([set = slot.Setter()]() mutable { set(1); }));
  EXPECT_EQ(slot.Take(), 1);
  executor.Stop();
  EXPECT_EQ(counters().threads, before);
}

TEST(Executor, RunsWhatWasSubmittedBeforeItWasDestroyed) {
  std::atomic<int> ran{0};
  const auto before = counters().threads.load();
  {
    Executor executor({.name = "destroyed", .max_threads = 2});
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(executor.Submit([&] { ++ran; }));
  }
  Await([&] { return counters().threads == before; });
  EXPECT_EQ(ran, 100);
}

TEST(Executor, MayBeDestroyedByOneOfItsOwnThreads) {
  const auto before = counters().threads.load();
  auto executor = std::make_shared<Executor>(Executor::Options{.name = "itself", .max_threads = 1});
  std::latch let_go(1);
  ASSERT_TRUE(executor->Submit([&let_go, self = executor] { let_go.wait(); }));
  executor.reset();
  let_go.count_down();
  Await([&] { return counters().threads == before; });
}

TEST(Executor, TakesTasksFromManyThreads) {
  Executor executor({.name = "many", .max_threads = 4});
  std::atomic<int> ran{0};
  {
    std::vector<std::jthread> submitters;
    for (int t = 0; t < 4; ++t) {
      submitters.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) EXPECT_TRUE(executor.Submit([&] { ++ran; }));
      });
    }
  }
  executor.Stop();
  EXPECT_EQ(ran, 4000);
  EXPECT_EQ(counters().jobs_queued, 0);
  EXPECT_EQ(counters().jobs_running, 0);
}

}  // namespace
}  // namespace aiges
