// SPDX-License-Identifier: Apache-2.0
#include "engine_registry.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include "support.h"

namespace aiges {
namespace {

using testing::Answered;
using testing::Ask;
using testing::Await;
using testing::Close;
using testing::Contains;
using testing::Fixture;
using testing::MakeRequest;
using testing::Open;
using testing::OpenEngine;
using testing::Slot;
using testing::Stat;

class EngineRegistryTest : public ::testing::Test {
 protected:
  void TearDown() override { testing::ExpectNothingAlive(); }
};

EngineOptions Options(const std::string& path, StringPairs config = {}) {
  EngineOptions options;
  options.path = path;
  options.config = std::move(config);
  return options;
}

TEST_F(EngineRegistryTest, RefusesAnotherConfigurationAndNamesTheKeys) {
  EngineUse engine = Open("scripted", {{"a", "1"}, {"b", "2"}});
  const auto other = OpenEngine(Options(Fixture("scripted"), {{"a", "1"}, {"b", "3"}, {"c", "4"}}));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code, Code::kConfigConflict);
  EXPECT_TRUE(Contains(other.status().text, "(different keys: b, c)"));
  Close(std::move(engine));
}

TEST_F(EngineRegistryTest, FailsForAMissingFile) {
  const auto result = OpenEngine(Options("/nowhere/libwrapper.so"));
  EXPECT_EQ(result.status().code, Code::kLoadFailed);
}

TEST_F(EngineRegistryTest, StartsAgainAfterAFailedInit) {
  EXPECT_FALSE(OpenEngine(Options(Fixture("scripted"), {{"initFail", "1"}})).ok());
  EngineUse engine = Open("scripted");
  EXPECT_EQ(Ask(engine, {{"do", "reply"}}), "ok");
  Close(std::move(engine));
}

TEST_F(EngineRegistryTest, SharesAnEngineWithTheSameConfigurationInAnyOrder) {
  EngineUse first = Open("scripted", {{"a", "1"}, {"b", "2"}});
  const long inits = Stat(first, "init");
  EngineUse second = Open("scripted", {{"b", "2"}, {"a", "1"}});
  EXPECT_EQ(&*first, &*second);
  EXPECT_EQ(Stat(second, "init"), inits);
  Close(std::move(first));
  EXPECT_EQ(Ask(second, {{"do", "reply"}}), "ok") << "one user is left";
  Close(std::move(second));
}

TEST_F(EngineRegistryTest, TakesALinkForTheSameFile) {
  const std::string link = ::testing::TempDir() + "aiges_link.so";
  unlink(link.c_str());
  ASSERT_EQ(symlink(Fixture("scripted").c_str(), link.c_str()), 0);
  EngineUse first = Open("scripted");
  auto second = OpenEngine(Options(link));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(&*first, &*second.value());
  Close(std::move(first));
  Close(std::move(second.value()));
}

TEST_F(EngineRegistryTest, InitialisesOnceForUsersThatComeTogether) {
  EngineUse before = Open("scripted");
  const long inits = Stat(before, "init");
  Close(std::move(before));
  constexpr int kUsers = 8;
  std::vector<Slot<Result<EngineUse>>> slots(kUsers);
  for (auto& slot : slots) EngineRegistry::Process().Open(Options(Fixture("scripted")), slot.Setter());
  std::vector<EngineUse> uses;
  for (auto& slot : slots) {
    auto result = slot.Take();
    ASSERT_TRUE(result.ok());
    uses.push_back(std::move(result.value()));
  }
  for (EngineUse& use : uses) EXPECT_EQ(&*use, &*uses.front());
  EXPECT_EQ(Stat(uses.front(), "init"), inits + 1);
  uses.clear();  // without Close
}

TEST_F(EngineRegistryTest, StartsAnewForAUserWhoComesWhileItEnds) {
  for (int round = 0; round < 50; ++round) {
    EngineUse engine = Open("scripted", {{"round", std::to_string(round)}});
    Slot<Status> closed;
    EngineRegistry::Process().Close(std::move(engine), closed.Setter());
    EngineUse next = Open("scripted", {{"round", "next " + std::to_string(round)}});
    EXPECT_TRUE(closed.Take().ok());
    EXPECT_EQ(Ask(next, {{"do", "reply"}}), "ok");
    Close(std::move(next));
  }
}

TEST_F(EngineRegistryTest, GoesOnForAUserWhoComesBeforeTheLastCallIsDone) {
  EngineUse engine = Open("scripted", {}, 2);
  const long inits = Stat(engine, "init");
  Slot<Answered> waiting;
  engine->Exec(MakeRequest("waits", {{"do", "wait"}, {"gate", "goes on"}}), waiting.Setter());
  Slot<Status> closed;
  EngineRegistry::Process().Close(std::move(engine), closed.Setter());
  EXPECT_FALSE(closed.filled());
  EngineUse next = Open("scripted", {}, 2);
  EXPECT_TRUE(closed.Take().ok()) << "the next user has taken over";
  EXPECT_EQ(Stat(next, "init"), inits);
  EXPECT_EQ(Ask(next, {{"do", "open"}, {"gate", "goes on"}}), "ok");
  EXPECT_TRUE(waiting.Take().ok());
  Close(std::move(next));
}

TEST_F(EngineRegistryTest, RunsTwoEnginesSideBySide) {
  EngineUse one = Open("scripted", {{"a", "1"}});
  EngineUse other = Open("once_only", {{"a", "2"}});
  EXPECT_EQ(counters().engines, 2);
  EXPECT_EQ(Ask(one, {{"do", "reply"}, {"text", "one"}}), "one");
  EXPECT_EQ(Ask(other, {{"do", "reply"}, {"text", "other"}}), "other");
  Close(std::move(one));
  Close(std::move(other));
}

}  // namespace
}  // namespace aiges
