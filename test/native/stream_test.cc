// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "support.h"

namespace aiges {
namespace {

using testing::Answered;
using testing::Ask;
using testing::Await;
using testing::Contains;
using testing::Open;
using testing::Slot;
using testing::Stat;

using Opened = Result<StreamPtr>;

class StreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_.emplace(Open("scripted"));
    created_ = Stat(*engine_, "create");
    destroyed_ = Stat(*engine_, "destroy");
    refused_ = Stat(*engine_, "refused");
  }
  void TearDown() override {
    if (engine_.has_value()) {
      EXPECT_EQ(Stat(*engine_, "overlap"), 0);
      EXPECT_EQ(Stat(*engine_, "handles"), 0);
      testing::Close(std::move(*engine_));
    }
    testing::ExpectNothingAlive();
  }

  static StreamRequest MakeRequest(const StringPairs& params, const std::string& tag = "tag") {
    DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
    builder.SetParams(params);
    return StreamRequest(tag, std::move(builder));
  }
  StreamRequest MakeAsync(const StringPairs& params, const std::string& tag = "tag",
                          StreamResults::Limits limits = {}) {
    StreamRequest request = MakeRequest(params, tag);
    request.results = results_ = std::make_shared<StreamResults>(limits, [] {});
    request.requester = this;
    return request;
  }
  Opened Create(StreamRequest request) {
    Slot<Opened> slot;
    Stream::Open(**engine_, std::move(request), slot.Setter());
    return slot.Take();
  }
  StreamPtr MustCreate(StreamRequest request) {
    Opened opened = Create(std::move(request));
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.status().text);
    return std::move(opened.value());
  }
  static StreamInput Input(const std::string& payload, std::uint32_t status) {
    DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
    builder.AddFrame({"in", std::as_bytes(std::span(payload)), 0, status, nullptr});
    return StreamInput(std::move(builder));
  }
  static Status Write(const StreamPtr& stream, const std::string& payload, std::uint32_t status = DataContinue) {
    Slot<Status> slot;
    stream->Write(Input(payload, status), slot.Setter());
    return slot.Take();
  }
  static Answered Read(const StreamPtr& stream) {
    Slot<Answered> slot;
    stream->Read(slot.Setter());
    return slot.Take();
  }
  static Status Close(StreamPtr stream) {
    Slot<Status> slot;
    stream->Close(slot.Setter());
    return slot.Take();
  }
  // Everything that the callbacks bring until the stream ends.
  StreamResults::Batch TakeAll() {
    StreamResults::Batch all;
    Await([&] {
      auto batch = results_->Take(64);
      for (auto& result : batch.results) all.results.push_back(std::move(result));
      all.ended = batch.ended;
      all.failure = std::move(batch.failure);
      return all.ended;
    });
    return all;
  }
  static std::string Text(const OwnedFrames& result) {
    if (result.frames.size() != 1) return "";
    return {reinterpret_cast<const char*>(result.frames[0].data), result.frames[0].size};
  }
  long Created() { return Stat(*engine_, "create") - created_; }
  long Destroyed() { return Stat(*engine_, "destroy") - destroyed_; }
  long Refused() { return Stat(*engine_, "refused") - refused_; }

  std::optional<EngineUse> engine_;
  std::shared_ptr<StreamResults> results_;
  long created_ = 0;
  long destroyed_ = 0;
  long refused_ = 0;
};

TEST_F(StreamTest, RefusesAnEngineWithoutStreams) {
  EngineUse other = Open("no_stream");
  Slot<Opened> slot;
  Stream::Open(*other, MakeRequest({}), slot.Setter());
  EXPECT_EQ(slot.Take().status().code, Code::kUnsupported);
  testing::Close(std::move(other));
}

TEST_F(StreamTest, GivesCodeAndTextOfAFailedCreateAndDestroysNothing) {
  for (const bool async : {false, true}) {
    for (const char* how : {"fail", "both"}) {
      const StringPairs params{{"create", how}, {"code", "42"}};
      const Opened opened = Create(async ? MakeAsync(params) : MakeRequest(params));
      ASSERT_FALSE(opened.ok());
      EXPECT_EQ(opened.status().code, Code::kPluginError);
      EXPECT_STREQ(opened.status().op, "wrapperCreate");
      EXPECT_EQ(opened.status().plugin_code, 42);
      EXPECT_EQ(opened.status().text, "scripted error 42");
    }
    const Opened opened = Create(async ? MakeAsync({{"create", "null"}}) : MakeRequest({{"create", "null"}}));
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().text, "scripted error 0;code=0");
  }
  EXPECT_EQ(Created(), 6);
  EXPECT_EQ(Destroyed(), 0);
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_TRUE(Close(MustCreate(MakeAsync({}))).ok()) << "the tag is free again";
  CallbackRegistry::Process().DropEngine(&**engine_);
}

TEST_F(StreamTest, RefusesATagThatIsKnown) {
  StreamPtr stream = MustCreate(MakeAsync({{"callback", "sync"}}));
  EXPECT_EQ(Create(MakeAsync({})).status().code, Code::kDuplicateTag);
  EXPECT_FALSE(CallbackRegistry::Process().Abandon("tag")) << "that is for one-shot calls";
  results_.reset();
  EXPECT_TRUE(Write(stream, "a", DataEnd).ok());
  EXPECT_EQ(Create(MakeAsync({})).status().code, Code::kDuplicateTag) << "final, but not destroyed";
  Close(std::move(stream));
  Close(MustCreate(MakeAsync({{"destroy", "final"}})));
}

TEST_F(StreamTest, GivesCodeAndTextOfAFailedWriteAndDestroysOnce) {
  StreamPtr stream = MustCreate(MakeRequest({{"write", "fail"}, {"code", "43"}}));
  EXPECT_EQ(counters().sessions, 1);
  const Status status = Write(stream, "a");
  EXPECT_EQ(status.code, Code::kPluginError);
  EXPECT_STREQ(status.op, "wrapperWrite");
  EXPECT_EQ(status.text, "scripted error 43");
  EXPECT_TRUE(Close(std::move(stream)).ok());
  EXPECT_EQ(Destroyed(), 1);
  EXPECT_EQ(counters().sessions, 0);
}

TEST_F(StreamTest, GivesCodeAndTextOfAFailedReadAndDestroysOnce) {
  StreamPtr stream = MustCreate(MakeRequest({{"read", "fail"}, {"code", "44"}}));
  const Answered answer = Read(stream);
  EXPECT_EQ(answer.status().code, Code::kPluginError);
  EXPECT_STREQ(answer.status().op, "wrapperRead");
  EXPECT_EQ(answer.status().plugin_code, 44);
  EXPECT_TRUE(Close(std::move(stream)).ok());
  EXPECT_EQ(Destroyed(), 1);
}

TEST_F(StreamTest, GivesAndCountsTheCodeOfAFailedDestroy) {
  const auto before = counters().destroy_failures.load();
  const Status status = Close(MustCreate(MakeRequest({{"destroy", "fail"}, {"code", "45"}})));
  EXPECT_STREQ(status.op, "wrapperDestroy");
  EXPECT_EQ(status.text, "scripted error 45");
  EXPECT_EQ(counters().destroy_failures, before + 1);
  EXPECT_EQ(counters().sessions, 0);
}

TEST_F(StreamTest, RefusesACallThatWouldOverlapAndDestroysAfterTheRunningOne) {
  StreamPtr stream = MustCreate(MakeRequest({{"write", "wait"}, {"gate", "overlap"}}));
  Slot<Status> written;
  stream->Write(Input("a", DataContinue), written.Setter());
  Await([&] { return Stat(*engine_, "waiting") == 1; });
  EXPECT_FALSE(stream->idle());
  EXPECT_EQ(Read(stream).status().code, Code::kBusy);
  EXPECT_EQ(Write(stream, "b").code, Code::kBusy);
  Slot<Status> closed;
  stream->Close(closed.Setter());
  EXPECT_EQ(Read(stream).status().text, "wrapperRead: the stream is closed");
  EXPECT_EQ(Destroyed(), 0);
  EXPECT_FALSE(closed.filled());
  EXPECT_EQ(Ask(*engine_, {{"do", "open"}, {"gate", "overlap"}}), "ok");
  EXPECT_TRUE(written.Take().ok());
  EXPECT_TRUE(closed.Take().ok());
  EXPECT_EQ(Destroyed(), 1);
}

TEST_F(StreamTest, IsDestroyedWhenItIsDroppedInOrAfterACall) {
  MustCreate(MakeRequest({}));
  Await([&] { return Destroyed() == 1; });
  {
    StreamPtr stream = MustCreate(MakeAsync({{"write", "wait"}, {"gate", "dropped"}, {"callback", "sync"}}));
    stream->Write(Input("a", DataEnd), [](const Status&) {});
    Await([&] { return Stat(*engine_, "waiting") == 1; });
  }
  EXPECT_EQ(Destroyed(), 1);
  EXPECT_EQ(Ask(*engine_, {{"do", "open"}, {"gate", "dropped"}}), "ok");
  Await([&] { return Destroyed() == 2 && counters().sessions == 0; });
}

TEST_F(StreamTest, EchoesThroughReads) {
  StreamPtr stream = MustCreate(MakeRequest({{"outKey", "out"}, {"desc.a", "b"}, {"lag", "1"}}));
  EXPECT_TRUE(Read(stream).value().frames.empty()) << "nothing yet";
  EXPECT_TRUE(Write(stream, "one").ok());
  EXPECT_TRUE(Read(stream).value().frames.empty()) << "lagging";
  const Answered answer = Read(stream);
  EXPECT_EQ(Text(answer.value()), "one");
  EXPECT_EQ(answer.value().frames[0].key, "out");
  EXPECT_EQ(answer.value().frames[0].status, DataContinue);
  EXPECT_EQ(answer.value().frames[0].desc, (StringPairs{{"a", "b"}}));
  EXPECT_TRUE(Write(stream, "two", DataEnd).ok());
  Read(stream);
  EXPECT_EQ(Read(stream).value().frames.at(0).status, DataEnd);
  EXPECT_TRUE(Close(std::move(stream)).ok());
  EXPECT_EQ(Destroyed(), 1);
}

TEST_F(StreamTest, EndsWithAStatusAlone) {
  StreamPtr stream = MustCreate(MakeRequest({{"end", "bare"}}));
  Write(stream, "one");
  Write(stream, "two", DataEnd);
  EXPECT_EQ(Text(Read(stream).value()), "one");
  EXPECT_EQ(Read(stream).value().frames.at(0).status, DataEnd);
  Close(std::move(stream));

  stream = MustCreate(MakeAsync({{"end", "bare"}}));
  Write(stream, "one", DataOnce);
  const auto batch = TakeAll();
  ASSERT_EQ(batch.results.size(), 1u);
  EXPECT_EQ(batch.results[0].frames.at(0).status, DataOnce);
  Close(std::move(stream));
}

TEST_F(StreamTest, CopiesWhatTheNextCallOverwrites) {
  StreamPtr stream = MustCreate(MakeRequest({{"read", "static"}}));
  Write(stream, "first");
  Write(stream, "second");
  const Answered first = Read(stream);
  const Answered second = Read(stream);
  EXPECT_EQ(Text(first.value()), "first");
  EXPECT_EQ(Text(second.value()), "second");
  Close(std::move(stream));
  EXPECT_EQ(Text(second.value()), "second");
}

TEST_F(StreamTest, KeepsPinsUntilTheWriteHasReturned) {
  StreamPtr stream = MustCreate(MakeRequest({{"write", "wait"}, {"gate", "pins"}}));
  const std::string payload(kInPlaceBytes, 'p');
  const auto copied = counters().bytes_in.load();
  StreamInput input = Input(payload, DataContinue);
  auto pins = std::make_shared<int>(0);
  const std::weak_ptr<int> pinned = pins;
  input.pins = std::exchange(pins, nullptr);
  Slot<Status> written;
  stream->Write(std::move(input), written.Setter());
  Await([&] { return Stat(*engine_, "waiting") == 1; });
  EXPECT_FALSE(pinned.expired());
  EXPECT_LT(counters().bytes_in - copied, 1'000);
  Ask(*engine_, {{"do", "open"}, {"gate", "pins"}});
  EXPECT_TRUE(written.Take().ok());
  EXPECT_TRUE(pinned.expired()) << "before the news of the write";
  EXPECT_EQ(Text(Read(stream).value()), payload);
  Close(std::move(stream));
}

TEST_F(StreamTest, RoutesMeterAndTraceFromCreateToDestroy) {
  auto log = std::make_shared<ControlLog>(100, [] {});
  StreamRequest request = MakeRequest({{"write", "control"}, {"text", "v"}}, "metered");
  request.control = log;
  StreamPtr stream = MustCreate(std::move(request));
  Write(stream, "a");
  EXPECT_EQ(MeterFunction()("metered", "between calls", 1), 0);
  const auto records = log->Drain();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].tag, "metered");
  EXPECT_EQ(records[1].value, "v");
  Close(std::move(stream));
  EXPECT_EQ(MeterFunction()("metered", "m", 1), 20002);
}

TEST_F(StreamTest, EndsTheEngineAfterTheLastStream) {
  const std::string log = ::testing::TempDir() + "aiges_fini_after_stream";
  std::remove(log.c_str());
  testing::Close(std::move(*engine_));
  engine_.emplace(Open("scripted", {{"finiLog", log}}));
  StreamPtr stream = MustCreate(MakeRequest({{"destroyLog", log}}));
  Slot<Status> closed;
  EngineRegistry::Process().Close(std::move(*engine_), closed.Setter());
  engine_.reset();
  EXPECT_TRUE(Write(stream, "a").ok()) << "it lives on";
  EXPECT_FALSE(closed.filled());
  EXPECT_TRUE(Close(std::move(stream)).ok());
  EXPECT_TRUE(closed.Take().ok());
  std::stringstream lines;
  lines << std::ifstream(log).rdbuf();
  EXPECT_EQ(lines.str(), "destroy\nfini\n");
}

TEST_F(StreamTest, FailsWithTheCodeOfACallback) {
  for (const char* how : {"sync", "thread"}) {
    StreamPtr stream = MustCreate(MakeAsync({{"callback", how}, {"callbackFail", "78"}}));
    EXPECT_TRUE(Write(stream, "a").ok());
    const auto batch = TakeAll();
    ASSERT_TRUE(batch.failure.has_value());
    EXPECT_EQ(batch.failure->code, Code::kCallbackError);
    EXPECT_EQ(batch.failure->text, "scripted error 78");
    Close(std::move(stream));
  }
  EXPECT_EQ(counters().tombstones, 0) << "a code is the last word";
}

TEST_F(StreamTest, FailsWhenItsResultsAreNotTaken) {
  StreamPtr stream =
      MustCreate(MakeAsync({{"callback", "sync"}, {"results", "4"}}, "tag", {.count = 3, .bytes = 1 << 20}));
  EXPECT_TRUE(Write(stream, "a").ok());
  EXPECT_TRUE(Contains(TakeAll().failure->text, "faster than they were taken"));
  EXPECT_EQ(Refused(), 1);
  EXPECT_TRUE(Write(stream, "b", DataEnd).ok());
  Close(std::move(stream));
  EXPECT_EQ(counters().tombstones, 0) << "the final callback has come, wanted or not";
}

TEST_F(StreamTest, TakesCallbacksInOrderUntilTheFinalOne) {
  for (const char* how : {"sync", "thread", "twice"}) {
    StreamPtr stream = MustCreate(MakeAsync({{"callback", how}, {"read", "count"}, {"results", "2"}}));
    EXPECT_EQ(counters().async_waiting, 1);
    for (int i = 1; i < 50; ++i) EXPECT_TRUE(Write(stream, "x").ok());
    EXPECT_TRUE(Write(stream, "x", DataEnd).ok());
    const auto batch = TakeAll();
    EXPECT_FALSE(batch.failure.has_value());
    ASSERT_EQ(batch.results.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Text(batch.results[i]), std::to_string(i / 2 + 1));
    EXPECT_EQ(counters().async_waiting, 0);
    EXPECT_EQ(counters().tombstones, 0);
    EXPECT_TRUE(Close(std::move(stream)).ok());
  }
  EXPECT_EQ(Refused(), 1) << "the second final one";
}

TEST_F(StreamTest, RemembersTheTagUntilTheFinalCallback) {
  StreamPtr stream = MustCreate(MakeAsync({{"callback", "late"}, {"gate", "late stream"}}));
  EXPECT_TRUE(Write(stream, "a", DataEnd).ok());
  Await([&] { return Stat(*engine_, "waiting") == 1; });
  EXPECT_TRUE(Close(std::move(stream)).ok());
  EXPECT_TRUE(results_->Take(1).results.empty());
  EXPECT_EQ(counters().async_waiting, 0);
  EXPECT_EQ(counters().tombstones, 1);
  EXPECT_EQ(Create(MakeAsync({})).status().code, Code::kDuplicateTag);
  Ask(*engine_, {{"do", "open"}, {"gate", "late stream"}});
  Await([&] { return Refused() == 1; });
  EXPECT_EQ(counters().tombstones, 0);
  Close(MustCreate(MakeAsync({{"destroy", "final"}})));
}

TEST_F(StreamTest, KeepsTheTagReadableForAnEngineThatCallsBackAfterItsTombstone) {
  StreamRequest request = MakeAsync({{"callback", "late"}, {"gate", "after the tombstone"}});
  request.tag_grace = std::chrono::milliseconds(0);
  StreamPtr stream = MustCreate(std::move(request));
  EXPECT_TRUE(Write(stream, "a", DataEnd).ok());
  Await([&] { return Stat(*engine_, "waiting") == 1; });
  Close(std::move(stream));
  EXPECT_EQ(CallbackRegistry::Process().Sweep(), std::nullopt);
  EXPECT_EQ(counters().tombstones, 0);
  Ask(*engine_, {{"do", "open"}, {"gate", "after the tombstone"}});
  Await([&] { return Refused() == 1; });
}

TEST_F(StreamTest, ForgetsTheTagWhenDestroyBringsTheFinalCallback) {
  StreamPtr stream = MustCreate(MakeAsync({{"destroy", "final"}}));
  EXPECT_TRUE(Close(std::move(stream)).ok());
  EXPECT_EQ(Refused(), 1) << "nobody takes it";
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(StreamTest, RefusesCallbacksOfARequesterThatHasGone) {
  StreamPtr stream = MustCreate(MakeAsync({{"callback", "sync"}}));
  CallbackRegistry::Process().AbandonAll(this);
  EXPECT_EQ(counters().async_waiting, 0);
  EXPECT_TRUE(Write(stream, "a").ok());
  EXPECT_EQ(Refused(), 1);
  EXPECT_TRUE(Write(stream, "a", DataEnd).ok());
  Close(std::move(stream));
  EXPECT_EQ(counters().tombstones, 0);
}

TEST_F(StreamTest, LeavesTheEngineAloneWhenTheRequesterHasGoneBefore) {
  testing::Close(std::move(*engine_));
  engine_.emplace(Open("scripted", {}, 1));
  EngineUse other = Open("scripted", {}, 1);
  Slot<Answered> blocked;
  (*engine_)->Exec(testing::MakeRequest("blocks", {{"do", "wait"}, {"gate", "stream queue"}}), blocked.Setter());
  Slot<Opened> opened;
  Stream::Open(**engine_, MakeAsync({}), opened.Setter());
  CallbackRegistry::Process().AbandonAll(this);
  (*engine_)->executor().RaiseLimit(2);
  Ask(other, {{"do", "open"}, {"gate", "stream queue"}});
  EXPECT_EQ(opened.Take().status().code, Code::kAbandoned);
  EXPECT_TRUE(blocked.Take().ok());
  EXPECT_EQ(Created(), 0);
  testing::Close(std::move(other));
}

TEST_F(StreamTest, BalancesManyStreamsOfEveryKind) {
  const char* const kinds[] = {"sync", "thread", "twice", "never"};
  std::atomic<int> closed{0};
  constexpr int kStreams = 1'000;
  for (int i = 0; i < kStreams; ++i) {
    const std::string tag = "tag " + std::to_string(i);
    const StringPairs params{{"callback", kinds[i % 4]}, {"results", "3"}};
    auto opened = [&closed, last = i % 3 == 0](Opened result) {
      ASSERT_TRUE(result.ok());
      StreamPtr stream = std::move(result.value());
      Stream& writing = *stream;
      writing.Write(Input("x", last ? DataEnd : DataContinue), [stream = std::move(stream), &closed](Status status) {
        EXPECT_TRUE(status.ok());
        stream->Close([&closed](const Status&) { ++closed; });
      });
    };
    Stream::Open(**engine_, i % 5 == 0 ? MakeRequest(params, tag) : MakeAsync(params, tag), opened);
  }
  Await([&] { return closed == kStreams; });
  CallbackRegistry::Process().DropEngine(&**engine_);
  EXPECT_EQ(counters().tombstones, 0);
  EXPECT_EQ(counters().async_waiting, 0);
}

}  // namespace
}  // namespace aiges
