// SPDX-License-Identifier: Apache-2.0
#include "callback_registry.h"

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace aiges {
namespace {

using Outcome = Result<CallbackRegistry::Delivery>;

struct Recorder {
  std::vector<Outcome> outcomes;
  CallbackRegistry::Call Call(const std::string& tag, std::size_t limit = 10'000) {
    CallbackRegistry::Call call;
    call.tag = tag;
    call.requester = this;
    call.engine = &outcomes;
    call.abandoned_limit = limit;
    call.done = [this](Outcome outcome) { outcomes.push_back(std::move(outcome)); };
    return call;
  }
  CallbackRegistry::EntryPtr Begin(CallbackRegistry& registry, const std::string& tag, std::size_t limit = 10'000) {
    auto call = Call(tag, limit);
    auto entry = registry.Register(call);
    EXPECT_NE(entry, nullptr);
    EXPECT_TRUE(registry.Begin(entry));
    return entry;
  }
};

struct RecordingSink final : CallbackRegistry::Sink {
  bool Take(CallbackRegistry::Delivery delivery, bool last) override {
    std::lock_guard lock(mutex);
    if (ended) return false;
    ended = last;
    deliveries.push_back(std::move(delivery));
    return true;
  }
  std::mutex mutex;
  bool ended = false;
  std::vector<CallbackRegistry::Delivery> deliveries;
};

class CallbackRegistryTest : public ::testing::Test {
 protected:
  void SetUp() override { late_ = counters().late_callbacks; }
  void TearDown() override {
    registry_.DropEngine(&recorder_.outcomes);
    EXPECT_EQ(counters().async_waiting, 0);
    EXPECT_EQ(counters().tombstones, 0);
  }
  std::int64_t Late() const { return counters().late_callbacks - late_; }

  Recorder recorder_;
  CallbackRegistry registry_;
  std::int64_t late_ = 0;
};

TEST_F(CallbackRegistryTest, RefusesAndCountsAnUnknownTag) {
  EXPECT_EQ(registry_.Deliver("unknown", nullptr, 0), -1);
  EXPECT_EQ(registry_.Deliver(nullptr, nullptr, 0), -1);
  EXPECT_EQ(Late(), 2);
}

TEST_F(CallbackRegistryTest, RefusesASecondCallback) {
  recorder_.Begin(registry_, "tag");
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), 0);
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), -1);
  EXPECT_EQ(recorder_.outcomes.size(), 1u);
  EXPECT_EQ(Late(), 1);
}

TEST_F(CallbackRegistryTest, RefusesACallbackForATagThatTheEngineHasNotSeen) {
  auto call = recorder_.Call("tag");
  const auto entry = registry_.Register(call);
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), -1);
  EXPECT_TRUE(recorder_.outcomes.empty());
  registry_.Refuse(entry, Status{Code::kPluginError, "", 1, ""});
  EXPECT_EQ(recorder_.outcomes.size(), 1u);
}

TEST_F(CallbackRegistryTest, RefusesATagThatIsWaiting) {
  recorder_.Begin(registry_, "tag");
  auto again = recorder_.Call("tag");
  EXPECT_EQ(registry_.Register(again), nullptr);
  EXPECT_TRUE(static_cast<bool>(again.done)) << "left to the caller";
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), 0);
  EXPECT_NE(recorder_.Begin(registry_, "tag"), nullptr) << "free again";
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), 0);
}

TEST_F(CallbackRegistryTest, FindsATagByItsContent) {
  recorder_.Begin(registry_, "tag");
  std::string copy = "tag";
  EXPECT_EQ(registry_.Deliver(copy.c_str(), nullptr, 0), 0);
}

TEST_F(CallbackRegistryTest, BringsTheEnginesCodeWithoutReadingItsList) {
  recorder_.Begin(registry_, "tag");
  EXPECT_EQ(registry_.Deliver("tag", reinterpret_cast<const DataList*>(8), 5), 0);
  ASSERT_TRUE(recorder_.outcomes.at(0).ok());
  EXPECT_EQ(recorder_.outcomes[0].value().ret, 5);
}

TEST_F(CallbackRegistryTest, EndsARefusedCall) {
  const auto entry = recorder_.Begin(registry_, "tag");
  registry_.Refuse(entry, Status{Code::kPluginError, "wrapperExecAsync", 9, "no"});
  ASSERT_EQ(recorder_.outcomes.size(), 1u);
  EXPECT_EQ(recorder_.outcomes[0].status().plugin_code, 9);
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), -1);
}

TEST_F(CallbackRegistryTest, KeepsTheFirstWordWhenAnEngineCallsBackAndThenRefuses) {
  const auto entry = recorder_.Begin(registry_, "tag");
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), 0);
  registry_.Refuse(entry, Status{Code::kPluginError, "wrapperExecAsync", 9, "no"});
  ASSERT_EQ(recorder_.outcomes.size(), 1u);
  EXPECT_TRUE(recorder_.outcomes[0].ok());
}

TEST_F(CallbackRegistryTest, TurnsAnAbandonedCallIntoATombstone) {
  recorder_.Begin(registry_, "tag");
  EXPECT_TRUE(registry_.Abandon("tag"));
  EXPECT_FALSE(registry_.Abandon("tag"));
  ASSERT_EQ(recorder_.outcomes.size(), 1u);
  EXPECT_EQ(recorder_.outcomes[0].status().code, Code::kAbandoned);
  EXPECT_EQ(counters().tombstones, 1);
  auto again = recorder_.Call("tag");
  EXPECT_EQ(registry_.Register(again), nullptr) << "a late result must not reach another request";

  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), -1);
  EXPECT_EQ(Late(), 1);
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_EQ(recorder_.outcomes.size(), 1u);
  recorder_.Begin(registry_, "tag");
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), 0);
}

TEST_F(CallbackRegistryTest, KnowsATagUntilItsCallback) {
  EXPECT_FALSE(registry_.Knows("tag"));
  recorder_.Begin(registry_, "tag");
  EXPECT_TRUE(registry_.Knows("tag"));
  EXPECT_TRUE(registry_.Abandon("tag"));
  EXPECT_TRUE(registry_.Knows("tag"));
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), -1);
  EXPECT_FALSE(registry_.Knows("tag"));
}

TEST_F(CallbackRegistryTest, KeepsTheEngineFromACallThatWasAbandonedBefore) {
  auto call = recorder_.Call("tag");
  const auto entry = registry_.Register(call);
  EXPECT_TRUE(registry_.Abandon("tag"));
  EXPECT_FALSE(registry_.Begin(entry));
  EXPECT_EQ(counters().tombstones, 0) << "the engine has never seen the tag";
}

TEST_F(CallbackRegistryTest, DropsATombstoneWhoseEngineRefusesTheCall) {
  const auto entry = recorder_.Begin(registry_, "tag");
  EXPECT_TRUE(registry_.Abandon("tag"));
  registry_.Refuse(entry, Status{Code::kPluginError, "wrapperExecAsync", 9, "no"});
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_EQ(recorder_.outcomes.size(), 1u);
}

TEST_F(CallbackRegistryTest, DropsTheOldestTombstonesBeyondTheLimit) {
  const auto before = counters().tombstones_dropped.load();
  for (const char* tag : {"a", "b", "c"}) {
    recorder_.Begin(registry_, tag, 2);
    registry_.Abandon(tag);
  }
  EXPECT_EQ(counters().tombstones, 2);
  EXPECT_EQ(counters().tombstones_dropped, before + 1);
  auto oldest = recorder_.Call("a");
  const auto entry = registry_.Register(oldest);
  EXPECT_NE(entry, nullptr);
  registry_.Refuse(entry, {Code::kPluginError, "", 1, ""});
}

TEST_F(CallbackRegistryTest, DropsTombstonesAfterTheirLife) {
  recorder_.Begin(registry_, "tag");
  registry_.Abandon("tag");
  const auto now = CallbackRegistry::Clock::now();
  registry_.Sweep(now + std::chrono::minutes(59));
  EXPECT_EQ(counters().tombstones, 1);
  registry_.Sweep(now + std::chrono::minutes(61));
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(CallbackRegistryTest, DropsTheTombstonesOfAnEngineThatEnded) {
  recorder_.Begin(registry_, "tag");
  registry_.Abandon("tag");
  registry_.DropEngine(this);
  EXPECT_EQ(counters().tombstones, 1) << "another engine";
  registry_.DropEngine(&recorder_.outcomes);
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(CallbackRegistryTest, AbandonsTheCallsOfARequesterThatGoesAway) {
  Recorder other;
  recorder_.Begin(registry_, "a");
  recorder_.Begin(registry_, "b");
  other.Begin(registry_, "c");
  registry_.AbandonAll(&recorder_);
  EXPECT_EQ(recorder_.outcomes.size(), 2u);
  EXPECT_TRUE(other.outcomes.empty());
  EXPECT_EQ(registry_.Deliver("c", nullptr, 0), 0);
}

TEST_F(CallbackRegistryTest, KeepsTheTagOfAnEndedCallReadableForAWhile) {
  const char* tag = CallbackRegistry::Tag(recorder_.Begin(registry_, "the tag"));
  EXPECT_EQ(registry_.Deliver(tag, nullptr, 0), 0);
  EXPECT_EQ(registry_.Deliver(tag, nullptr, 0), -1) << "an engine that calls back twice with its pointer";
  EXPECT_STREQ(tag, "the tag");
}

TEST_F(CallbackRegistryTest, LetsOneOfManyRacingCallbacksThrough) {
  for (int round = 0; round < 200; ++round) {
    recorder_.outcomes.clear();
    recorder_.Begin(registry_, "tag");
    std::atomic<int> delivered{0};
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
          if (registry_.Deliver("tag", nullptr, 0) == 0) ++delivered;
        });
      }
      threads.emplace_back([&] {
        if (registry_.Abandon("tag")) ++delivered;
      });
    }
    EXPECT_EQ(delivered, 1);
    EXPECT_EQ(recorder_.outcomes.size(), 1u);
    registry_.DropEngine(&recorder_.outcomes);
  }
}

class StreamRegistryTest : public CallbackRegistryTest {
 protected:
  static constexpr auto kGrace = std::chrono::minutes(1);

  CallbackRegistry::EntryPtr Begin(const std::string& tag = "tag", std::size_t limit = 10'000) {
    auto call = recorder_.Call(tag, limit);
    call.sink = sink_ = std::make_shared<RecordingSink>();
    auto entry = registry_.Register(call);
    EXPECT_NE(entry, nullptr);
    EXPECT_TRUE(registry_.Begin(entry));
    return entry;
  }
  int Deliver(std::uint32_t status, const char* tag = "tag") {
    DataList node{};
    char key[] = "result";
    node.key = key;
    std::memcpy(&node.status, &status, sizeof status);
    return registry_.Deliver(tag, &node, 0);
  }
  bool Known(const std::string& tag = "tag") {
    auto call = recorder_.Call(tag);
    const auto entry = registry_.Register(call);
    if (entry == nullptr) return true;
    registry_.Refuse(entry, {});
    return false;
  }

  std::shared_ptr<RecordingSink> sink_;
};

TEST_F(StreamRegistryTest, TakesCallbacksUntilTheFinalOne) {
  const auto entry = Begin();
  EXPECT_EQ(counters().async_waiting, 1);
  for (const std::uint32_t status : {DataBegin, DataContinue}) EXPECT_EQ(Deliver(status), 0);
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 0), 0) << "nothing, but no end";
  EXPECT_EQ(Deliver(DataEnd), 0);
  EXPECT_EQ(counters().async_waiting, 0);
  EXPECT_EQ(Deliver(DataContinue), -1);
  EXPECT_EQ(Late(), 1);
  EXPECT_EQ(sink_->deliveries.size(), 4u);
  EXPECT_TRUE(Known()) << "the engine has the tag until it has destroyed the stream";
  registry_.Close(entry);
  registry_.Destroyed(entry, kGrace);
  EXPECT_FALSE(Known());
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(StreamRegistryTest, TakesAFinalStatusForTheEndWithoutKeyAndData) {
  for (const std::uint32_t status : {DataEnd, DataOnce}) {
    const auto entry = Begin();
    DataList node{};
    EXPECT_EQ(registry_.Deliver("tag", &node, 0), 0) << "nothing, but no end";
    std::memcpy(&node.status, &status, sizeof status);
    EXPECT_EQ(registry_.Deliver("tag", &node, 0), 0);
    EXPECT_EQ(sink_->deliveries.size(), 2u);
    EXPECT_TRUE(sink_->deliveries[0].frames.value().frames.empty());
    EXPECT_EQ(sink_->deliveries[1].frames.value().frames.at(0).status, status);
    EXPECT_EQ(registry_.Deliver("tag", &node, 0), -1);
    registry_.Destroyed(entry, kGrace);
    EXPECT_FALSE(Known());
  }
}

TEST_F(StreamRegistryTest, TakesACodeForTheEnd) {
  const auto entry = Begin();
  EXPECT_EQ(registry_.Deliver("tag", reinterpret_cast<const DataList*>(8), 5), 0);
  EXPECT_EQ(sink_->deliveries.at(0).ret, 5);
  EXPECT_EQ(registry_.Deliver("tag", nullptr, 5), -1);
  registry_.Destroyed(entry, kGrace);
  EXPECT_FALSE(Known());
}

TEST_F(StreamRegistryTest, BringsAListThatCannotBeReadAndDoesNotTakeItForTheEnd) {
  const auto entry = Begin();
  DataList node{};
  char key[] = "result";
  node.key = key;
  node.next = &node;
  EXPECT_EQ(registry_.Deliver("tag", &node, 0), 0);
  EXPECT_EQ(sink_->deliveries.at(0).frames.status().code, Code::kBadOutput);
  registry_.Close(entry);
  EXPECT_EQ(registry_.Deliver("tag", &node, 0), -1) << "a circle does not hold it up";
  registry_.Destroyed(entry, kGrace);
  EXPECT_EQ(counters().tombstones, 1);
}

TEST_F(StreamRegistryTest, BuriesAClosedStreamOnlyOnceItIsDestroyed) {
  const auto entry = Begin();
  registry_.Close(entry);
  registry_.Close(entry);
  EXPECT_EQ(counters().async_waiting, 0);
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_EQ(Deliver(DataContinue), -1);
  EXPECT_TRUE(Known());
  registry_.Destroyed(entry, kGrace);
  EXPECT_EQ(counters().tombstones, 1);
  EXPECT_TRUE(Known());
  EXPECT_EQ(Deliver(DataContinue), -1);
  EXPECT_EQ(counters().tombstones, 1) << "not the end";
  EXPECT_EQ(Deliver(DataOnce), -1);
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_FALSE(Known());
  EXPECT_EQ(Late(), 3);
  EXPECT_TRUE(sink_->deliveries.empty());
}

TEST_F(StreamRegistryTest, LeavesNoTombstoneWhenTheFinalCallbackComesBetweenCloseAndDestroy) {
  const auto entry = Begin();
  registry_.Close(entry);
  EXPECT_EQ(Deliver(DataEnd), -1);
  EXPECT_TRUE(Known());
  registry_.Destroyed(entry, kGrace);
  EXPECT_FALSE(Known());
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(StreamRegistryTest, DropsTombstonesAfterTheirGrace) {
  const auto one_shot = recorder_.Begin(registry_, "one-shot");
  registry_.Abandon("one-shot");
  const auto entry = Begin();
  registry_.Destroyed(entry, kGrace);
  const auto now = CallbackRegistry::Clock::now();
  EXPECT_LE(*registry_.Sweep(now), kGrace);
  EXPECT_EQ(counters().tombstones, 2);
  EXPECT_GT(*registry_.Sweep(now + kGrace), std::chrono::minutes(50)) << "the one-shot call's";
  EXPECT_EQ(counters().tombstones, 1);
  EXPECT_FALSE(Known());
  EXPECT_STREQ(CallbackRegistry::Tag(entry), "tag");
}

TEST_F(StreamRegistryTest, CountsStreamsAmongTheTombstonesThatHaveALimit) {
  for (const char* tag : {"a", "b", "c"}) registry_.Destroyed(Begin(tag, 2), kGrace);
  EXPECT_EQ(counters().tombstones, 2);
  EXPECT_FALSE(Known("a"));
  EXPECT_TRUE(Known("c"));
}

TEST_F(StreamRegistryTest, EndsARefusedStreamWhateverHasHappened) {
  registry_.Refuse(Begin(), {});
  EXPECT_FALSE(Known());
  const auto closed = Begin();
  registry_.Close(closed);
  registry_.Refuse(closed, {});
  EXPECT_FALSE(Known());
  const auto called_back = Begin();
  EXPECT_EQ(Deliver(DataEnd), 0);
  registry_.Refuse(called_back, {});
  EXPECT_FALSE(Known());
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(StreamRegistryTest, LetsRacingCallbacksThroughUntilOneIsFinal) {
  for (int round = 0; round < 200; ++round) {
    const auto entry = Begin();
    std::atomic<int> delivered{0};
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < 5; ++i) delivered += Deliver(t == 0 && i == 4 ? DataEnd : DataContinue) + 1;
        });
      }
      if (round % 2 == 0) {
        threads.emplace_back([&] {
          registry_.Close(entry);
          registry_.Destroyed(entry, kGrace);
        });
      }
    }
    EXPECT_EQ(static_cast<int>(sink_->deliveries.size()), delivered);
    registry_.Destroyed(entry, kGrace);
    EXPECT_FALSE(Known()) << "the final one has come";
  }
  EXPECT_EQ(counters().async_waiting, 0);
  EXPECT_EQ(counters().tombstones, 0);
}

}  // namespace
}  // namespace aiges
