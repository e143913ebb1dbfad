// SPDX-License-Identifier: Apache-2.0
#include "control_log.h"

#include <gtest/gtest.h>

#include <thread>

#include "counters.h"

namespace aiges {
namespace {

std::shared_ptr<ControlLog> MakeLog(std::size_t capacity, int* wakes = nullptr) {
  return std::make_shared<ControlLog>(capacity, [wakes] {
    if (wakes != nullptr) ++*wakes;
  });
}

TEST(ControlLog, RefusesATagThatNoCallHas) {
  const auto before = counters().control_dropped.load();
  EXPECT_EQ(MeterFunction()("nobody", "key", 1), 20002);
  EXPECT_EQ(TraceFunction()("nobody", "key", "value"), 20002);
  EXPECT_EQ(MeterFunction()(nullptr, "key", 1), 20002);
  EXPECT_EQ(counters().control_dropped, before + 2);
}

TEST(ControlLog, RefusesAMeterWithoutAKey) {
  const ControlRoute route("tag", MakeLog(1));
  EXPECT_EQ(MeterFunction()("tag", nullptr, 1), 20001);
}

TEST(ControlLog, DropsAndCountsWhatFindsNoRoom) {
  const auto log = MakeLog(2);
  const ControlRoute route("tag", log);
  const auto before = counters().control_dropped.load();
  EXPECT_EQ(MeterFunction()("tag", "a", 1), 0);
  EXPECT_EQ(MeterFunction()("tag", "b", 2), 0);
  EXPECT_EQ(MeterFunction()("tag", "c", 3), -1);
  EXPECT_EQ(counters().control_dropped, before + 1);
  EXPECT_EQ(log->Drain().size(), 2u);
  EXPECT_EQ(MeterFunction()("tag", "d", 4), 0);
}

TEST(ControlLog, KeepsOrderAndWakesOncePerBatch) {
  int wakes = 0;
  const auto log = MakeLog(10, &wakes);
  const ControlRoute route("tag", log);
  MeterFunction()("tag", "m", 7);
  TraceFunction()("tag", "k", "v");
  TraceFunction()("tag", nullptr, nullptr);
  EXPECT_EQ(wakes, 1);
  const auto records = log->Drain();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].kind, ControlRecord::Kind::kMeter);
  EXPECT_EQ(records[0].count, 7);
  EXPECT_EQ(records[1].value, "v");
  EXPECT_EQ(records[2].key, "");
  MeterFunction()("tag", "m", 8);
  EXPECT_EQ(wakes, 2);
}

TEST(ControlLog, EndsWithItsRoute) {
  const auto log = MakeLog(10);
  {
    ControlRoute route("tag", log);
    const ControlRoute moved = std::move(route);
    EXPECT_EQ(MeterFunction()("tag", "m", 1), 0);
  }
  EXPECT_EQ(MeterFunction()("tag", "m", 1), 20002);
}

TEST(ControlLog, KeepsEqualTagsApartWhenOneEnds) {
  const auto one = MakeLog(10);
  const auto other = MakeLog(10);
  const ControlRoute stays("tag", one);
  { const ControlRoute goes("tag", other); }
  EXPECT_EQ(MeterFunction()("tag", "m", 1), 0);
  EXPECT_EQ(one->Drain().size(), 1u);
}

TEST(ControlLog, TakesRecordsFromManyThreads) {
  const auto log = MakeLog(100'000);
  const ControlRoute route("tag", log);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 1000; ++i) MeterFunction()("tag", "m", i);
      });
    }
  }
  EXPECT_EQ(log->Drain().size(), 4000u);
}

}  // namespace
}  // namespace aiges
