// SPDX-License-Identifier: Apache-2.0
#include "wrapper_api.h"

#include <gtest/gtest.h>

#include "support.h"

namespace aiges {
namespace {

using testing::Contains;
using testing::Fixture;

Result<WrapperApi> Resolve(const std::string& fixture, std::optional<Group> required = std::nullopt) {
  const auto library = SharedLibrary::Open(Fixture(fixture));
  EXPECT_TRUE(library.ok());
  return WrapperApi::Resolve(library.value(), required);
}

std::string Refusal(const std::string& fixture, std::optional<Group> required = std::nullopt) {
  const auto api = Resolve(fixture, required);
  EXPECT_FALSE(api.ok());
  if (api.ok()) return "";
  EXPECT_EQ(api.status().code, Code::kSymbolMissing);
  EXPECT_TRUE(Contains(api.status().text, "extern \"C\""));
  EXPECT_TRUE(Contains(api.status().text, Fixture(fixture)));
  return api.status().text;
}

TEST(WrapperApi, NamesEverySymbolThatAnEmptyLibraryLacks) {
  const std::string text = Refusal("no_symbols");
  for (const char* name :
       {"wrapperInit", "wrapperFini", "wrapperError", "wrapperVersion", "wrapperExec", "wrapperExecFree",
        "wrapperExecAsync", "wrapperCreate", "wrapperWrite", "wrapperRead", "wrapperDestroy"}) {
    EXPECT_TRUE(Contains(text, name));
  }
  for (const char* name : {"wrapperSetCtrl", "wrapperLoadRes", "wrapperDebugInfo"}) {
    EXPECT_FALSE(Contains(text, name)) << "not needed";
  }
}

TEST(WrapperApi, RefusesMangledEntryPoints) {
  const std::string text = Refusal("mangled");
  EXPECT_TRUE(Contains(text, "once needs wrapperExec, wrapperExecFree"));
  EXPECT_FALSE(Contains(text, "wrapperInit"));
}

TEST(WrapperApi, SaysWhichGroupsAreThereInPart) {
  const std::string text = Refusal("partial");
  EXPECT_TRUE(Contains(text, "every engine needs wrapperFini"));
  EXPECT_TRUE(Contains(text, "once needs wrapperExecFree"));
  EXPECT_TRUE(Contains(text, "found in part: once (lacks wrapperExecFree), stream (lacks wrapperWrite"));
}

TEST(WrapperApi, RefusesAnEngineWithoutTheDemandedGroup) {
  EXPECT_TRUE(Contains(Refusal("once_only", Group::kAsync), "async needs wrapperExecAsync"));
  EXPECT_TRUE(Contains(Refusal("async_only", Group::kOnce), "once needs wrapperExec, wrapperExecFree"));
  EXPECT_TRUE(Contains(Refusal("no_stream", Group::kStream),
                       "stream needs wrapperCreate, wrapperWrite, wrapperRead, wrapperDestroy"));
}

TEST(WrapperApi, TakesAnEngineThatLacksAGroup) {
  const auto once = Resolve("once_only");
  ASSERT_TRUE(once.ok());
  EXPECT_TRUE(once.value().Has(Group::kOnce));
  EXPECT_FALSE(once.value().Has(Group::kAsync));
  EXPECT_TRUE(once.value().Has(Group::kStream));
  EXPECT_TRUE(once.value().incomplete.empty());
  EXPECT_FALSE(Resolve("no_stream").value().Has(Group::kStream));
  EXPECT_TRUE(Resolve("async_only", Group::kAsync).ok());
  const auto no_resources = Resolve("no_resources");
  ASSERT_TRUE(no_resources.ok());
  EXPECT_FALSE(no_resources.value().Has(Group::kResources));
  EXPECT_TRUE(once.value().Has(Group::kResources));
  const auto no_control = Resolve("no_control");
  ASSERT_TRUE(no_control.ok());
  EXPECT_FALSE(no_control.value().Has(Group::kControl));
}

}  // namespace
}  // namespace aiges
