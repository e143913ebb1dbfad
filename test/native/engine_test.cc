// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "support.h"

namespace aiges {
namespace {

using testing::Answered;
using testing::Ask;
using testing::Await;
using testing::Close;
using testing::Contains;
using testing::Exec;
using testing::Fixture;
using testing::MakeRequest;
using testing::Open;
using testing::OpenEngine;
using testing::Slot;
using testing::Stat;
using testing::Text;

class EngineTest : public ::testing::Test {
 protected:
  void TearDown() override { testing::ExpectNothingAlive(); }
};

Status OpenFailure(const std::string& fixture, StringPairs config = {}) {
  EngineOptions options;
  options.path = Fixture(fixture);
  options.config = std::move(config);
  auto result = OpenEngine(std::move(options));
  EXPECT_FALSE(result.ok());
  return result.ok() ? Status{} : result.status();
}

TEST_F(EngineTest, GivesCodeAndTextOfAFailedInit) {
  const Status status = OpenFailure("scripted", {{"initFail", "31"}});
  EXPECT_EQ(status.code, Code::kInitFailed);
  EXPECT_EQ(status.plugin_code, 31);
  EXPECT_EQ(status.text, "scripted error 31");
}

TEST_F(EngineTest, CallsNoFiniAfterAFailedInit) {
  const std::string log = ::testing::TempDir() + "aiges_fini_after_failed_init";
  std::remove(log.c_str());
  OpenFailure("scripted", {{"initFail", "1"}, {"finiLog", log}});
  EXPECT_FALSE(std::ifstream(log).good());
}

TEST_F(EngineTest, ToleratesNullTexts) {
  const Status status = OpenFailure("null_texts", {{"initFail", "3"}});
  EXPECT_EQ(status.plugin_code, 3);
  EXPECT_EQ(status.text, "");
  EngineUse engine = Open("null_texts");
  EXPECT_EQ(engine->version(), "");
  const Answered answer = Exec(engine, MakeRequest("tag", {}));
  EXPECT_EQ(answer.status().plugin_code, 7);
  EXPECT_EQ(answer.status().text, "");
  Close(std::move(engine));
}

TEST_F(EngineTest, TurnsExceptionsIntoFailures) {
  EXPECT_TRUE(Contains(OpenFailure("throwing", {{"throw", "1"}}).text, "wrapperInit threw a C++ exception: no model"));
  EngineUse engine = Open("throwing");
  EXPECT_EQ(Exec(engine, MakeRequest("tag", {})).status().text, "wrapperExec threw a C++ exception: out of tune");
  EXPECT_EQ(testing::ExecAsync(engine, MakeRequest("tag", {})).status().text, "wrapperExecAsync threw a C++ exception");
  Close(std::move(engine));
}

TEST_F(EngineTest, RefusesACallThatTheEngineDoesNotOffer) {
  EngineUse once = Open("once_only");
  EXPECT_EQ(testing::ExecAsync(once, MakeRequest("tag", {})).status().code, Code::kUnsupported);
  Close(std::move(once));
  EngineUse async = Open("async_only");
  EXPECT_EQ(Exec(async, MakeRequest("tag", {})).status().code, Code::kUnsupported);
  Close(std::move(async));
}

TEST_F(EngineTest, LeavesTheEngineAloneWhenTheTimeOfACallIsUp) {
  EngineUse engine = Open("scripted");
  const long executed = Stat(engine, "exec");
  const long started = Stat(engine, "async");
  for (auto* call : {&Exec, &testing::ExecAsync}) {
    Request request = MakeRequest("tag", {{"do", "reply"}});
    request.deadline = std::chrono::steady_clock::now() - std::chrono::milliseconds(1);
    const Answered answer = (*call)(engine, std::move(request));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.status().code, Code::kAbandoned);
  }
  EXPECT_EQ(Stat(engine, "exec"), executed + 2) << "the questions'";
  EXPECT_EQ(Stat(engine, "async"), started);
  Close(std::move(engine));
}

TEST_F(EngineTest, GivesCodeAndTextOfAFailedCallAndFreesNothing) {
  EngineUse engine = Open("scripted");
  const long freed = Stat(engine, "execFree");
  const Answered answer = Exec(engine, MakeRequest("tag", {{"do", "fail"}, {"code", "42"}}));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.status().code, Code::kPluginError);
  EXPECT_STREQ(answer.status().op, "wrapperExec");
  EXPECT_EQ(answer.status().plugin_code, 42);
  EXPECT_EQ(answer.status().text, "scripted error 42");
  EXPECT_EQ(Stat(engine, "execFree"), freed + 1) << "the first question's, not the failed call's";
  Close(std::move(engine));
}

TEST_F(EngineTest, FreesAnswersThatCannotBeRead) {
  EngineUse engine = Open("scripted");
  for (const char* what : {"nullData", "huge", "cyclic", "cyclicDesc"}) {
    const Answered answer = Exec(engine, MakeRequest("tag", {{"do", what}}));
    ASSERT_FALSE(answer.ok()) << what;
    EXPECT_EQ(answer.status().code, Code::kBadOutput);
    EXPECT_EQ(answer.status().plugin_code, 0);
  }
  EXPECT_FALSE(Exec(engine, MakeRequest("tag", {{"do", "long"}, {"nodes", "4097"}})).ok());
  EXPECT_EQ(Exec(engine, MakeRequest("tag", {{"do", "long"}, {"nodes", "4096"}})).value().frames.size(), 4096u);
  EXPECT_EQ(Stat(engine, "live"), 0);
  EXPECT_EQ(Stat(engine, "badFree"), 0);
  EXPECT_EQ(Ask(engine, {{"do", "reply"}}), "ok") << "the engine lives on";
  Close(std::move(engine));
}

TEST_F(EngineTest, FreesAnAnswerWithoutAList) {
  EngineUse engine = Open("scripted");
  const long freed = Stat(engine, "execFree");
  const Answered answer = Exec(engine, MakeRequest("tag", {{"do", "null"}}));
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer.value().frames.empty());
  EXPECT_EQ(Stat(engine, "execFree"), freed + 2);
  EXPECT_EQ(Stat(engine, "badFree"), 0) << "with the NULL that it gave, and with its tag";
  Close(std::move(engine));
}

TEST_F(EngineTest, EchoesThroughCopies) {
  EngineUse engine = Open("scripted");
  const Answered answer = Exec(
      engine, MakeRequest("tag", {{"outKey", "out"}, {"outType", "2"}, {"outStatus", "1"}, {"desc.a", "b"}}, "hello"));
  EXPECT_EQ(Text(answer), "hello");
  const OutputFrame& frame = answer.value().frames[0];
  EXPECT_EQ(frame.key, "out");
  EXPECT_EQ(frame.type, 2u);
  EXPECT_EQ(frame.status, 1u);
  EXPECT_EQ(frame.desc, (StringPairs{{"a", "b"}}));
  EXPECT_FALSE(frame.leased);
  Close(std::move(engine));
}

TEST_F(EngineTest, CopiesInputThatComesBackAsOutput) {
  EngineUse engine = Open("scripted");
  const std::string payload(kInPlaceBytes + 5, 'p');
  for (const bool lease : {false, true}) {
    Request request = MakeRequest("tag", {{"do", "alias"}}, payload);
    request.lease = lease;
    request.leased_bytes_limit = 1 << 30;
    const Answered answer = Exec(engine, std::move(request));
    EXPECT_EQ(Text(answer), payload);
    EXPECT_FALSE(answer.value().frames[0].leased);
  }
  Close(std::move(engine));
}

TEST_F(EngineTest, HandsOverIdsAndTag) {
  EngineUse engine = Open("scripted");
  EXPECT_EQ(Ask(engine, {{"do", "ids"}}), "(null)");
  Request request = MakeRequest("tag", {{"do", "ids"}});
  request.resource_ids = {7, 4294967295u};
  EXPECT_EQ(Text(Exec(engine, std::move(request))), "7,4294967295");
  EXPECT_EQ(Text(Exec(engine, MakeRequest("a tag", {{"do", "tag"}}))), "a tag");
  Close(std::move(engine));
}

Resource MakeResource(unsigned int id, const std::string& content, const StringPairs& desc = {},
                      InputMode mode = InputMode::kAuto) {
  DataListBuilder builder(EmptyList::kSentinel, mode);
  builder.AddFrame({.key = "patch", .data = std::as_bytes(std::span(content)), .type = 4, .status = 2, .desc = &desc});
  return Resource(id, std::move(builder));
}

Status Load(EngineUse& engine, Resource resource) {
  Slot<Status> slot;
  engine->LoadResource(std::move(resource), slot.Setter());
  return slot.Take();
}

Status Unload(EngineUse& engine, unsigned int id) {
  Slot<Status> slot;
  engine->UnloadResource(id, slot.Setter());
  return slot.Take();
}

TEST_F(EngineTest, RefusesResourcesThatTheEngineDoesNotTake) {
  EngineUse engine = Open("no_resources");
  EXPECT_EQ(Load(engine, MakeResource(1, "a")).code, Code::kUnsupported);
  EXPECT_EQ(Unload(engine, 1).code, Code::kUnsupported);
  Close(std::move(engine));
}

TEST_F(EngineTest, GivesCodeAndTextOfARefusedResource) {
  EngineUse engine = Open("scripted");
  const Status loaded = Load(engine, MakeResource(1, "a", {{"load", "fail"}, {"code", "3"}}));
  EXPECT_EQ(loaded.code, Code::kPluginError);
  EXPECT_STREQ(loaded.op, "wrapperLoadRes");
  EXPECT_EQ(loaded.plugin_code, 3);
  EXPECT_EQ(loaded.text, "scripted error 3");
  const Status unloaded = Unload(engine, 1);
  EXPECT_STREQ(unloaded.op, "wrapperUnloadRes");
  EXPECT_EQ(unloaded.plugin_code, 404);
  EXPECT_EQ(unloaded.text, "scripted error 404");
  Close(std::move(engine));
}

TEST_F(EngineTest, TurnsExceptionsOfResourcesIntoFailures) {
  EngineUse engine = Open("throwing");
  EXPECT_EQ(Load(engine, MakeResource(1, "a")).text, "wrapperLoadRes threw a C++ exception: bad patch");
  EXPECT_EQ(Unload(engine, 1).text, "wrapperUnloadRes threw a C++ exception");
  Close(std::move(engine));
}

TEST_F(EngineTest, KeepsTheContentOfAResourceUntilItIsLoadedAndNoLonger) {
  EngineUse engine = Open("scripted");
  const std::string content(kInPlaceBytes, 'c');
  std::vector<std::string> dropped;
  std::mutex mutex;
  auto note = [&](const char* what) {
    return std::shared_ptr<void>(nullptr, [&, what](void*) {
      std::lock_guard lock(mutex);
      dropped.emplace_back(what);
    });
  };
  Resource resource = MakeResource(7, content, {{"load", "wait"}, {"gate", "resource-pins"}});
  resource.pins = note("pins");
  resource.inside = note("inside");
  const long waiting = Stat(engine, "waiting");
  Slot<Status> slot;
  engine->LoadResource(std::move(resource), slot.Setter());
  Await([&] { return Stat(engine, "waiting") == waiting + 1; });
  {
    std::lock_guard lock(mutex);
    EXPECT_TRUE(dropped.empty());
  }
  Ask(engine, {{"do", "open"}, {"gate", "resource-pins"}});
  EXPECT_TRUE(slot.Take().ok());
  {
    std::lock_guard lock(mutex);
    EXPECT_EQ(dropped, (std::vector<std::string>{"inside", "pins"}));
  }
  EXPECT_TRUE(Unload(engine, 7).ok());
  Close(std::move(engine));
}

TEST_F(EngineTest, HandsContentAndDescriptionOver) {
  EngineUse engine = Open("scripted");
  const long bad = Stat(engine, "badRes");
  EXPECT_TRUE(Load(engine, MakeResource(7, "seven", {{"patch_id", "p"}})).ok());
  EXPECT_TRUE(Load(engine, MakeResource(4294967295u, std::string(kInPlaceBytes, 'x'), {}, InputMode::kCopy)).ok());
  Request request = MakeRequest("tag", {{"do", "described"}});
  request.resource_ids = {7, 4294967295u};
  const std::string described = Text(Exec(engine, std::move(request)));
  EXPECT_TRUE(Contains(described, "7=patch 4 2 5 aligned=64 nul=yes desc=patch_id=p\n"));
  EXPECT_TRUE(Contains(described, "4294967295=patch 4 2 65536"));
  EXPECT_TRUE(Unload(engine, 7).ok());
  EXPECT_TRUE(Unload(engine, 4294967295u).ok());
  EXPECT_EQ(Stat(engine, "resources"), 0);
  EXPECT_EQ(Stat(engine, "badRes"), bad);
  Close(std::move(engine));
}

TEST_F(EngineTest, ShowsEmptyListsAsConfigured) {
  EngineUse engine = Open("scripted");
  EXPECT_EQ(Ask(engine, {{"do", "describe"}}, "abc"), "in 0 3 3 aligned=64 nul=yes desc=(sentinel)\n");
  EXPECT_EQ(Text(Exec(engine, MakeRequest("tag", {{"do", "describe"}}, "", InputMode::kAuto, EmptyList::kNull))),
            "in 0 3 0 aligned=64 nul=yes desc=(null)\n");
  for (const EmptyList empty : {EmptyList::kSentinel, EmptyList::kNull}) {
    // Without parameters the engine echoes: nothing, in this case.
    const Answered answer = Exec(engine, Request("tag", DataListBuilder(empty, InputMode::kAuto)));
    ASSERT_TRUE(answer.ok());
    EXPECT_TRUE(answer.value().frames.empty());
  }
  Close(std::move(engine));
}

TEST_F(EngineTest, LeasesLargeOutputsUntilTheyAreLetGo) {
  EngineUse engine = Open("scripted");
  Request request = MakeRequest("tag", {{"do", "fill"}, {"bytes", std::to_string(kInPlaceBytes)}});
  request.lease = true;
  request.leased_bytes_limit = kInPlaceBytes;
  const auto copied = counters().bytes_out.load();
  Answered answer = Exec(engine, std::move(request));
  ASSERT_TRUE(answer.ok());
  OutputFrame& frame = answer.value().frames[0];
  EXPECT_TRUE(frame.leased);
  EXPECT_EQ(counters().bytes_out, copied);
  EXPECT_EQ(counters().outputs_alive, 1);
  EXPECT_EQ(counters().leased_bytes, static_cast<std::int64_t>(kInPlaceBytes));
  EXPECT_EQ(frame.data[250], std::byte{250});
  EXPECT_EQ(frame.data[251], std::byte{0});
  EXPECT_EQ(Stat(engine, "live"), 1) << "stats asks before its own answer";
  answer = Status{};
  Await([&] { return Stat(engine, "live") == 0; });
  EXPECT_EQ(Stat(engine, "badFree"), 0) << "with the list that it gave and the tag of the call";
  Close(std::move(engine));
}

TEST_F(EngineTest, CopiesBeyondTheLeaseLimitAndBelowTheSizeOfALease) {
  EngineUse engine = Open("scripted");
  for (const auto& [bytes, limit] :
       {std::pair{kInPlaceBytes, kInPlaceBytes - 1}, std::pair{kInPlaceBytes - 1, kInPlaceBytes}}) {
    Request request = MakeRequest("tag", {{"do", "fill"}, {"bytes", std::to_string(bytes)}});
    request.lease = true;
    request.leased_bytes_limit = limit;
    const Answered answer = Exec(engine, std::move(request));
    EXPECT_EQ(answer.value().frames.at(0).size, bytes);
    EXPECT_FALSE(answer.value().frames[0].leased);
    EXPECT_EQ(answer.value().lease, nullptr);
  }
  EXPECT_EQ(Stat(engine, "live"), 0);
  Close(std::move(engine));
}

TEST_F(EngineTest, LeasesAStaticBufferOnceAtATime) {
  EngineUse engine = Open("scripted");
  auto ask = [&] {
    Request request = MakeRequest("tag", {{"do", "static"}, {"bytes", std::to_string(kInPlaceBytes)}});
    request.lease = true;
    request.leased_bytes_limit = 1 << 30;
    return Exec(engine, std::move(request));
  };
  Answered first = ask();
  Answered second = ask();
  EXPECT_TRUE(first.value().frames.at(0).leased);
  EXPECT_FALSE(second.value().frames.at(0).leased);
  first = Status{};
  second = Status{};
  EXPECT_TRUE(ask().value().frames.at(0).leased);
  Close(std::move(engine));
}

TEST_F(EngineTest, EndsAfterTheLastLease) {
  const std::string log = ::testing::TempDir() + "aiges_fini_after_lease";
  std::remove(log.c_str());
  EngineUse engine = Open("scripted", {{"finiLog", log}});
  Request request = MakeRequest("tag", {{"do", "fill"}, {"bytes", "100000"}});
  request.lease = true;
  request.leased_bytes_limit = 1 << 30;
  Answered answer = Exec(engine, std::move(request));
  Slot<Status> closed;
  EngineRegistry::Process().Close(std::move(engine), closed.Setter());
  EXPECT_FALSE(std::ifstream(log).good());
  EXPECT_FALSE(closed.filled());
  answer = Status{};
  EXPECT_TRUE(closed.Take().ok());
  EXPECT_TRUE(std::ifstream(log).good());
}

TEST_F(EngineTest, KeepsPinsUntilTheEngineHasLetGo) {
  EngineUse engine = Open("scripted");
  const std::string payload(kInPlaceBytes, 'p');
  auto pins = std::make_shared<int>(0);
  Request request = MakeRequest("tag", {{"do", "fill"}, {"bytes", "100000"}}, payload);
  request.lease = true;
  request.leased_bytes_limit = 1 << 30;
  request.pins = pins;
  std::weak_ptr<int> pinned = std::exchange(pins, nullptr);
  Answered answer = Exec(engine, std::move(request));
  EXPECT_FALSE(pinned.expired()) << "until wrapperExecFree";
  answer = Status{};
  Await([&] { return pinned.expired(); });
  Close(std::move(engine));
}

TEST_F(EngineTest, RoutesMeterAndTraceToTheCall) {
  EngineUse engine = Open("scripted");
  auto log = std::make_shared<ControlLog>(100, [] {});
  Request request = MakeRequest("tag", {{"do", "control"}, {"times", "2"}, {"text", "v"}});
  request.control = log;
  EXPECT_EQ(Text(Exec(engine, std::move(request))), "v");
  const auto records = log->Drain();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].tag, "tag");
  EXPECT_EQ(records[2].count, 2);
  EXPECT_EQ(records[3].value, "v");
  EXPECT_EQ(Ask(engine, {{"do", "controlLate"}}), "20002");
  Close(std::move(engine));
}

TEST_F(EngineTest, RunsCallsAtTheSameTime) {
  EngineUse engine = Open("scripted", {}, 2);
  Slot<Answered> waiting;
  engine->Exec(MakeRequest("waits", {{"do", "wait"}, {"gate", "at the same time"}}), waiting.Setter());
  EXPECT_EQ(Ask(engine, {{"do", "open"}, {"gate", "at the same time"}}), "ok");
  EXPECT_EQ(Text(waiting.Take()), "ok");
  Close(std::move(engine));
}

TEST_F(EngineTest, EndsAfterTheLastRunningCall) {
  const std::string log = ::testing::TempDir() + "aiges_fini_after_call";
  std::remove(log.c_str());
  EngineUse engine = Open("scripted", {{"finiLog", log}}, 2);
  EngineUse other = Open("scripted", {{"finiLog", log}}, 2);
  Slot<Answered> waiting;
  engine->Exec(MakeRequest("waits", {{"do", "wait"}, {"gate", "last call"}}), waiting.Setter());
  Await([&] { return Stat(other, "waiting") == 1; });
  EXPECT_TRUE(Close(std::move(engine)).ok()) << "at once: there is another user";
  Slot<Answered> opened;
  other->Exec(MakeRequest("opens", {{"do", "open"}, {"gate", "last call"}}), opened.Setter());
  EXPECT_TRUE(Close(std::move(other)).ok());
  EXPECT_TRUE(opened.filled());
  EXPECT_TRUE(waiting.filled());
  std::ifstream file(log);
  std::stringstream lines;
  lines << file.rdbuf();
  EXPECT_EQ(lines.str(), "fini\n") << "once";
}

TEST_F(EngineTest, GivesCodeAndTextOfAFailedFini) {
  EngineUse engine = Open("scripted", {{"finiFail", "12"}});
  const Status status = Close(std::move(engine));
  EXPECT_EQ(status.code, Code::kFiniFailed);
  EXPECT_EQ(status.text, "scripted error 12");
}

TEST_F(EngineTest, BalancesTenThousandCalls) {
  EngineUse engine = Open("scripted", {}, 4);
  std::atomic<int> done{0};
  for (int i = 0; i < 10'000; ++i) {
    engine->Exec(MakeRequest("tag", {{"do", i % 7 == 0 ? "fail" : "echo"}}), [&](Answered) { ++done; });
  }
  Await([&] { return done == 10'000; });
  EXPECT_EQ(Stat(engine, "live"), 0);
  EXPECT_EQ(Stat(engine, "badFree"), 0);
  Close(std::move(engine));
}

}  // namespace
}  // namespace aiges
