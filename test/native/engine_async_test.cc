// SPDX-License-Identifier: Apache-2.0
// wrapperExecAsync with engines that call back in every way there is.
#include <gtest/gtest.h>

#include "engine.h"
#include "support.h"

namespace aiges {
namespace {

using testing::Answered;
using testing::Ask;
using testing::Await;
using testing::Close;
using testing::ExecAsync;
using testing::MakeRequest;
using testing::Open;
using testing::Slot;
using testing::Stat;
using testing::Text;

class EngineAsyncTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_.emplace(Open("scripted"));
    late_ = counters().late_callbacks;
    refused_ = Stat(*engine_, "refused");
  }
  void TearDown() override {
    if (engine_.has_value()) Close(std::move(*engine_));
    testing::ExpectNothingAlive();
  }
  Answered Call(StringPairs params) { return ExecAsync(*engine_, MakeRequest("tag", std::move(params), "hello")); }
  std::int64_t Late() const { return counters().late_callbacks - late_; }

  std::optional<EngineUse> engine_;
  std::int64_t late_ = 0;
  long refused_ = 0;
};

TEST_F(EngineAsyncTest, FailsWhenTheEngineDoesNotTakeTheCall) {
  const Answered answer = Call({{"do", "refuse"}, {"code", "77"}});
  EXPECT_EQ(answer.status().code, Code::kPluginError);
  EXPECT_STREQ(answer.status().op, "wrapperExecAsync");
  EXPECT_EQ(answer.status().text, "scripted error 77");
  EXPECT_EQ(Text(Call({})), "hello") << "the tag is free again";
}

TEST_F(EngineAsyncTest, FailsWithTheCodeOfTheCallback) {
  for (const char* how : {"sync", "thread"}) {
    const Answered answer = Call({{"do", "fail"}, {"code", "78"}, {"callback", how}});
    EXPECT_EQ(answer.status().code, Code::kCallbackError);
    EXPECT_EQ(answer.status().plugin_code, 78);
    EXPECT_EQ(answer.status().text, "scripted error 78");
  }
}

TEST_F(EngineAsyncTest, FailsWhenTheCallbackBringsAListThatCannotBeRead) {
  for (const char* what : {"nullData", "huge", "cyclic"}) {
    const Answered answer = Call({{"do", what}});
    EXPECT_EQ(answer.status().code, Code::kBadOutput) << what;
    EXPECT_STREQ(answer.status().op, "wrapperCallback");
  }
}

TEST_F(EngineAsyncTest, TakesACallbackFromInsideTheCall) { EXPECT_EQ(Text(Call({{"callback", "sync"}})), "hello"); }

TEST_F(EngineAsyncTest, TakesACallbackFromAThreadOfTheEngine) {
  EXPECT_EQ(Text(Call({{"callback", "thread"}})), "hello");
}

TEST_F(EngineAsyncTest, EndsWithTheFirstCallbackWhateverItsStatus) {
  EXPECT_EQ(Text(Call({{"outStatus", "0"}})), "hello");
}

TEST_F(EngineAsyncTest, TakesACallbackWithoutAList) {
  const Answered answer = Call({{"do", "null"}});
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer.value().frames.empty());
}

TEST_F(EngineAsyncTest, AnswersASecondCallbackWithMinusOne) {
  EXPECT_EQ(Text(Call({{"callback", "twice"}})), "hello");
  Await([&] { return Stat(*engine_, "refused") == refused_ + 1; });
  EXPECT_EQ(Late(), 1);
}

TEST_F(EngineAsyncTest, AnswersALateCallbackWithMinusOne) {
  Slot<Answered> slot;
  (*engine_)->ExecAsync(MakeRequest("tag", {{"callback", "late"}, {"gate", "late one"}}), slot.Setter());
  Await([&] { return Stat(*engine_, "waiting") == 1; });
  EXPECT_TRUE(CallbackRegistry::Process().Abandon("tag"));
  EXPECT_EQ(slot.Take().status().code, Code::kAbandoned);
  EXPECT_EQ(counters().tombstones, 1);
  EXPECT_EQ(Call({}).status().code, Code::kDuplicateTag);
  EXPECT_EQ(Ask(*engine_, {{"do", "open"}, {"gate", "late one"}}), "ok");
  Await([&] { return Stat(*engine_, "refused") == refused_ + 1; });
  EXPECT_EQ(Late(), 1);
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_EQ(Text(Call({})), "hello");
}

TEST_F(EngineAsyncTest, RemembersACallThatIsNeverAnsweredUntilTheEngineEnds) {
  Slot<Answered> slot;
  const long calls = Stat(*engine_, "async");
  (*engine_)->ExecAsync(MakeRequest("tag", {{"callback", "never"}}), slot.Setter());
  Await([&] { return Stat(*engine_, "async") == calls + 1; });
  EXPECT_EQ(counters().async_waiting, 1);
  EXPECT_TRUE(CallbackRegistry::Process().Abandon("tag"));
  EXPECT_EQ(slot.Take().status().code, Code::kAbandoned);
  EXPECT_EQ(counters().async_waiting, 0);
  EXPECT_EQ(counters().tombstones, 1);
  Close(std::move(*engine_));
  engine_.reset();
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(EngineAsyncTest, StaysOpenForACallThatIsWaitedFor) {
  Slot<Answered> answered;
  (*engine_)->ExecAsync(MakeRequest("tag", {{"callback", "late"}, {"gate", "stays open"}}, "hello"), answered.Setter());
  Await([&] { return Stat(*engine_, "waiting") == 1; });
  Slot<Answered> opened;
  (*engine_)->Exec(MakeRequest("opens", {{"do", "open"}, {"gate", "stays open"}}), opened.Setter());
  EXPECT_TRUE(Close(std::move(*engine_)).ok());
  engine_.reset();
  EXPECT_EQ(Text(answered.Take()), "hello");
  EXPECT_TRUE(opened.filled());
}

TEST_F(EngineAsyncTest, KeepsTheEngineFromCallsThatWereAbandonedInTheQueue) {
  Close(std::move(*engine_));
  engine_.emplace(Open("scripted", {}, 1));  // one thread, which the first call blocks
  const long calls = Stat(*engine_, "async");
  EngineUse other = Open("scripted", {}, 1);
  Slot<Answered> blocked;
  (*engine_)->Exec(MakeRequest("blocks", {{"do", "wait"}, {"gate", "queue"}}), blocked.Setter());
  Slot<Answered> queued;
  (*engine_)->ExecAsync(MakeRequest("queued", {}), queued.Setter());
  EXPECT_TRUE(CallbackRegistry::Process().Abandon("queued"));
  EXPECT_EQ(queued.Take().status().code, Code::kAbandoned);
  EXPECT_EQ(counters().tombstones, 0);
  (*engine_)->executor().RaiseLimit(2);
  EXPECT_EQ(Ask(other, {{"do", "open"}, {"gate", "queue"}}), "ok");
  EXPECT_EQ(Text(blocked.Take()), "ok");
  EXPECT_EQ(Stat(*engine_, "async"), calls);
  Close(std::move(other));
}

TEST_F(EngineAsyncTest, TellsTheEngineHowMuchTimeIsLeft) {
  EXPECT_EQ(Text(Call({})), "hello");
  EXPECT_EQ(Stat(*engine_, "timeout"), 0) << "no limit";

  Request request = MakeRequest("tag", {}, "hello");
  request.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
  EXPECT_EQ(Text(ExecAsync(*engine_, std::move(request))), "hello");
  EXPECT_GT(Stat(*engine_, "timeout"), 1);
  EXPECT_LE(Stat(*engine_, "timeout"), 3'600'000);
}

TEST_F(EngineAsyncTest, RoutesMeterAndTraceUntilTheCallback) {
  auto log = std::make_shared<ControlLog>(100, [] {});
  Request request = MakeRequest("tag", {{"do", "control"}});
  request.control = log;
  EXPECT_EQ(Text(ExecAsync(*engine_, std::move(request))), "ok");
  EXPECT_EQ(log->Drain().size(), 2u);
  EXPECT_EQ(MeterFunction()("tag", "m", 1), 20002);
}

TEST_F(EngineAsyncTest, BalancesThousandsOfCallsOfEveryKind) {
  const char* const kinds[] = {"sync", "thread", "twice", "thread"};
  std::atomic<int> done{0};
  constexpr int kCalls = 2'000;
  for (int i = 0; i < kCalls; ++i) {
    (*engine_)->ExecAsync(MakeRequest("tag " + std::to_string(i), {{"callback", kinds[i % 4]}}),
                          [&](Answered) { ++done; });
    if (i % 4 == 3) CallbackRegistry::Process().Abandon("tag " + std::to_string(i));
  }
  Await([&] { return done == kCalls; });
  Await([] { return counters().tombstones == 0; });  // each abandoned call has called back
}

}  // namespace
}  // namespace aiges
