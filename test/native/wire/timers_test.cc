// SPDX-License-Identifier: Apache-2.0
#include "timers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "rate_limit.h"

namespace aiges::wire {
namespace {

using std::chrono::milliseconds;

TEST(Timers, HaveNothingToWaitForWhenEmpty) {
  Timers timers;
  EXPECT_EQ(timers.Next(), Timers::TimePoint::max());
  timers.Run(Timers::TimePoint::max());
}

TEST(Timers, FireInOrderAndOnce) {
  Timers timers;
  const Timers::TimePoint start{};
  std::vector<int> fired;
  std::vector<std::unique_ptr<Timer>> all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(std::make_unique<Timer>(timers, [&fired, i] { fired.push_back(i); }));
    all.back()->Set(start + milliseconds((i * 37) % 100));
  }
  all[5]->Cancel();
  all[6]->Set(start + milliseconds(1000));  // moved
  all[7].reset();
  timers.Run(start + milliseconds(100));
  EXPECT_EQ(fired.size(), 97u);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end(), [](int a, int b) { return (a * 37) % 100 < (b * 37) % 100; }));
  timers.Run(start + milliseconds(100));
  EXPECT_EQ(fired.size(), 97u);
  EXPECT_EQ(timers.Next(), start + milliseconds(1000));
  timers.Run(start + milliseconds(1000));
  EXPECT_EQ(fired.back(), 6);
}

TEST(Timers, MaySetAndCancelWhileTheyFire) {
  Timers timers;
  const Timers::TimePoint start{};
  int again = 0;
  std::unique_ptr<Timer> repeating;
  Timer other(timers, [] { FAIL() << "was cancelled"; });
  other.Set(start + milliseconds(2));
  repeating = std::make_unique<Timer>(timers, [&] {
    ++again;
    other.Cancel();
    repeating->Set(start + milliseconds(1));
  });
  repeating->Set(start + milliseconds(1));
  timers.Run(start + milliseconds(10));
  EXPECT_EQ(again, 2) << "at most as often as there were timers";
}

TEST(Timers, KeepTheirOrderUnderAnyUse) {
  Timers timers;
  std::mt19937 random(3);
  std::vector<std::unique_ptr<Timer>> all(50);
  std::vector<Timers::TimePoint> due(50, Timers::TimePoint::max());
  for (int step = 0; step < 5'000; ++step) {
    const std::size_t i = random() % all.size();
    if (!all[i]) all[i] = std::make_unique<Timer>(timers, [&due, i] { due[i] = Timers::TimePoint::max(); });
    switch (random() % 4) {
      case 0:
        all[i]->Cancel();
        due[i] = Timers::TimePoint::max();
        break;
      case 1:
        all[i].reset();
        due[i] = Timers::TimePoint::max();
        break;
      default: due[i] = Timers::TimePoint(milliseconds(random() % 1000)); all[i]->Set(due[i]);
    }
    ASSERT_EQ(timers.Next(), *std::min_element(due.begin(), due.end()));
  }
}

TEST(RateLimit, AllowsABurstAndThenARate) {
  const RateLimit::TimePoint start{};
  RateLimit limit({10, 100}, start);
  int allowed = 0;
  for (int i = 0; i < 50; ++i) allowed += limit.Allow(start) ? 1 : 0;
  EXPECT_EQ(allowed, 10);
  EXPECT_FALSE(limit.Allow(start + milliseconds(9)));
  EXPECT_TRUE(limit.Allow(start + milliseconds(30)));
  EXPECT_TRUE(limit.Allow(start + milliseconds(30)));
  allowed = 0;
  for (int i = 0; i < 50; ++i) allowed += limit.Allow(start + std::chrono::hours(1)) ? 1 : 0;
  EXPECT_EQ(allowed, 10) << "not more than the burst, however long it was quiet";
}

}  // namespace
}  // namespace aiges::wire
