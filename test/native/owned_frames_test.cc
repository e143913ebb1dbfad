// SPDX-License-Identifier: Apache-2.0
#include "owned_frames.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "enum_value.h"
#include "support.h"

namespace aiges {
namespace {

using testing::Contains;

char kKey[] = "out";
char kData[] = "payload";
char kValue[] = "value\0tail";

DataList Node(DataList* next = nullptr) {
  DataList node{};
  node.key = kKey;
  node.data = kData;
  node.len = 7;
  StoreEnum(node.status, 3);
  node.next = next;
  return node;
}

std::string Refusal(const DataList* head, const OutputLimits& limits = {}) {
  const auto result = CopyFrames(head, limits, "wrapperExec");
  EXPECT_FALSE(result.ok());
  if (result.ok()) return "";
  EXPECT_EQ(result.status().code, Code::kBadOutput);
  return result.status().text;
}

TEST(OwnedFrames, RefusesNullDataWithALength) {
  DataList node = Node();
  node.data = nullptr;
  EXPECT_EQ(Refusal(&node), "wrapperExec gave output \"out\" with NULL data and a length of 7");
}

TEST(OwnedFrames, RefusesAListThatDoesNotEnd) {
  DataList node = Node();
  node.next = &node;
  EXPECT_TRUE(Contains(Refusal(&node), "a data list with more than 4096 nodes"));
}

TEST(OwnedFrames, RefusesADescriptionThatDoesNotEnd) {
  DataList node = Node();
  ParamList pair{kKey, kValue, 5, nullptr};
  pair.next = &pair;
  node.desc = &pair;
  EXPECT_TRUE(Contains(Refusal(&node), "a desc list with more than 4096 nodes"));
}

TEST(OwnedFrames, RefusesMoreBytesThanAllowedWithoutReadingThem) {
  DataList second = Node();
  second.len = 4294967295u;
  const DataList first = Node(&second);
  EXPECT_TRUE(Contains(Refusal(&first), "claims more than 1073741824 bytes"));
  DataList small = Node();
  EXPECT_TRUE(Contains(Refusal(&small, {.nodes = 10, .bytes = 6}), "claims more than 6 bytes"));
  EXPECT_TRUE(CopyFrames(&small, {.nodes = 10, .bytes = 7}, "wrapperExec").ok());
}

TEST(OwnedFrames, CountsDescriptionsAsBytes) {
  DataList node = Node();
  ParamList pair{kKey, kValue, 4294967295u, nullptr};
  node.desc = &pair;
  EXPECT_TRUE(Contains(Refusal(&node), "claims more than"));
}

TEST(OwnedFrames, TakesNoListForNoFrames) {
  const auto result = CopyFrames(nullptr, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.value().frames.empty());
}

TEST(OwnedFrames, TakesANodeWithoutKeyAndDataForNoFrames) {
  const DataList node{};
  const auto result = CopyFrames(&node, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.value().frames.empty());
}

TEST(OwnedFrames, KeepsANodeWithoutKeyAndDataThatIsFinal) {
  for (const std::uint32_t status : {DataEnd, DataOnce}) {
    DataList node{};
    StoreEnum(node.status, status);
    const auto result = CopyFrames(&node, {}, "wrapperRead");
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result.value().frames.size(), 1u);
    EXPECT_EQ(result.value().frames[0].key, "");
    EXPECT_EQ(result.value().frames[0].size, 0u);
    EXPECT_EQ(result.value().frames[0].status, status);
  }
}

TEST(OwnedFrames, ToleratesNullStrings) {
  ParamList second{kKey, nullptr, 9, nullptr};
  ParamList first{nullptr, kValue, 5, &second};
  DataList node = Node();
  node.key = nullptr;
  node.desc = &first;
  const auto result = CopyFrames(&node, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result.value().frames.size(), 1u);
  const OutputFrame& frame = result.value().frames[0];
  EXPECT_EQ(frame.key, "");
  EXPECT_EQ(frame.desc, (StringPairs{{"", "value"}, {"out", ""}}));
}

TEST(OwnedFrames, ToleratesNullDataOfLengthZero) {
  DataList node = Node();
  node.data = nullptr;
  node.len = 0;
  const auto result = CopyFrames(&node, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().frames.at(0).size, 0u);
}

TEST(OwnedFrames, ReadsDescriptionsByTheirLength) {
  ParamList pair{kKey, kValue, 10, nullptr};
  DataList node = Node();
  node.desc = &pair;
  const auto result = CopyFrames(&node, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().frames[0].desc[0].second, std::string("value\0tail", 10));
}

TEST(OwnedFrames, KeepsUnknownEnumValues) {
  DataList node = Node();
  StoreEnum(node.type, 1234);
  StoreEnum(node.status, 4294967295u);
  const auto result = CopyFrames(&node, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.value().frames[0].type, 1234u);
  EXPECT_EQ(result.value().frames[0].status, 4294967295u);
}

TEST(OwnedFrames, CopiesPayloadsAlignedAndWithCleanGaps) {
  DataList second = Node();
  DataList first = Node(&second);
  auto result = CopyFrames(&first, {}, "wrapperExec");
  ASSERT_TRUE(result.ok());
  const OwnedFrames& frames = result.value();
  EXPECT_EQ(frames.block_size, 128u);
  for (const OutputFrame& frame : frames.frames) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame.data) % 64, 0u);
    EXPECT_EQ(std::memcmp(frame.data, "payload", 7), 0);
    for (std::size_t i = 7; i < 64; ++i) EXPECT_EQ(frame.data[i], std::byte{0});
  }
}

}  // namespace
}  // namespace aiges
