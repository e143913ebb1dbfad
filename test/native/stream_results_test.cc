// SPDX-License-Identifier: Apache-2.0
#include "stream_results.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support.h"

namespace aiges {
namespace {

using testing::Contains;

OwnedFrames Result(const std::string& key, std::size_t bytes = 0) {
  OwnedFrames result;
  result.frames.emplace_back().key = key;
  result.block_size = bytes;
  return result;
}

class StreamResultsTest : public ::testing::Test {
 protected:
  StreamResults Make(StreamResults::Limits limits = {}) {
    return StreamResults(limits, [this] { ++woken_; });
  }
  std::atomic<int> woken_{0};
};

TEST_F(StreamResultsTest, FailsBeyondItsCountAndDropsWhatWaits) {
  StreamResults results = Make({.count = 2, .bytes = 1 << 20});
  EXPECT_TRUE(results.Push(Result("a"), false));
  EXPECT_TRUE(results.Push(Result("b"), false));
  EXPECT_FALSE(results.Push(Result("c"), false));
  EXPECT_FALSE(results.Push(Result("d"), false));
  const auto batch = results.Take(10);
  EXPECT_TRUE(batch.results.empty());
  ASSERT_TRUE(batch.failure.has_value());
  EXPECT_EQ(batch.failure->code, Code::kCallbackError);
  EXPECT_STREQ(batch.failure->op, "wrapperCallback");
  EXPECT_TRUE(Contains(batch.failure->text, "faster than they were taken: 2 with "));
}

TEST_F(StreamResultsTest, FailsBeyondItsBytes) {
  StreamResults results = Make({.count = 100, .bytes = 10'000});
  EXPECT_TRUE(results.Push(Result("a", 6'000), false));
  EXPECT_EQ(results.Take(1).results.size(), 1u);
  EXPECT_TRUE(results.Push(Result("b", 6'000), false)) << "what was taken does not count";
  EXPECT_FALSE(results.Push(Result("c", 6'000), false));
  EXPECT_TRUE(results.Take(1).failure.has_value());
}

TEST_F(StreamResultsTest, NamesSizeAndLimitOfAResultThatAloneIsTooLarge) {
  StreamResults results = Make({.count = 100, .bytes = 10'000});
  EXPECT_FALSE(results.Push(Result("a", 20'000), false));
  const auto batch = results.Take(1);
  ASSERT_TRUE(batch.failure.has_value());
  EXPECT_TRUE(Contains(batch.failure->text, "the stream gave a result of 20"));
  EXPECT_TRUE(Contains(batch.failure->text, " bytes, [limits].resultBytes allows 10000"));
}

TEST_F(StreamResultsTest, GivesResultsBeforeAFailureAndTheFailureOnce) {
  StreamResults results = Make();
  EXPECT_TRUE(results.Push(Result("a"), false));
  EXPECT_TRUE(results.Fail({Code::kCallbackError, "wrapperCallback", 5, "first"}));
  EXPECT_FALSE(results.Fail({Code::kCallbackError, "wrapperCallback", 6, "second"}));
  auto batch = results.Take(10);
  EXPECT_EQ(batch.results.size(), 1u);
  EXPECT_EQ(batch.failure->plugin_code, 5);
  batch = results.Take(10);
  EXPECT_FALSE(batch.failure.has_value());
  EXPECT_TRUE(batch.ended);
}

TEST_F(StreamResultsTest, TakesNothingAfterTheFinalResult) {
  StreamResults results = Make();
  EXPECT_TRUE(results.Push(Result("a"), true));
  EXPECT_FALSE(results.Push(Result("b"), false));
  EXPECT_FALSE(results.Fail({Code::kCallbackError, "", 5, ""}));
  const auto batch = results.Take(10);
  EXPECT_EQ(batch.results.size(), 1u);
  EXPECT_TRUE(batch.ended);
}

TEST_F(StreamResultsTest, DropsEverythingWhenItIsClosed) {
  StreamResults results = Make();
  results.Push(Result("a"), false);
  results.Close();
  EXPECT_FALSE(results.Push(Result("b"), false));
  const auto batch = results.Take(10);
  EXPECT_TRUE(batch.results.empty());
  EXPECT_TRUE(batch.ended);
  EXPECT_EQ(woken_, 2);
}

TEST_F(StreamResultsTest, GivesBatchesInOrder) {
  StreamResults results = Make();
  for (const char* key : {"a", "b", "c"}) results.Push(Result(key), std::string(key) == "c");
  auto batch = results.Take(2);
  EXPECT_EQ(batch.results.at(0).frames[0].key, "a");
  EXPECT_EQ(batch.results.at(1).frames[0].key, "b");
  EXPECT_FALSE(batch.ended);
  batch = results.Take(2);
  EXPECT_EQ(batch.results.at(0).frames[0].key, "c");
  EXPECT_TRUE(batch.ended);
}

TEST_F(StreamResultsTest, TakesFromManyThreadsWhileItIsRead) {
  StreamResults results = Make();
  std::size_t taken = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) results.Push(Result("x"), false);
      });
    }
    while (taken < 1'000) taken += results.Take(64).results.size();
  }
  while (taken < 2'000) taken += results.Take(64).results.size();
  EXPECT_TRUE(results.Take(64).results.empty());
}

}  // namespace
}  // namespace aiges
