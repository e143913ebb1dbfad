// SPDX-License-Identifier: Apache-2.0
#include "data_list.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "block.h"
#include "counters.h"
#include "enum_value.h"

namespace aiges {
namespace {

bool Aligned(const void* p, std::size_t alignment) { return reinterpret_cast<std::uintptr_t>(p) % alignment == 0; }

FrameView Frame(const Block& block, std::size_t size, std::size_t offset = 0) {
  return {.key = "in", .data = {block.get() + offset, size}, .type = 0, .status = 3, .desc = nullptr};
}

Block Filled(std::size_t size) {
  Block block = AllocateBlock(size + 64);
  for (std::size_t i = 0; i < size + 64; ++i) block[i] = static_cast<std::byte>(i % 251);
  return block;
}

TEST(DataList, GivesEmptyListsAsOneNodeWithoutAKey) {
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  ASSERT_NE(builder.params(), nullptr);
  EXPECT_EQ(builder.params()->key, nullptr);
  EXPECT_EQ(builder.params()->next, nullptr);
  ASSERT_NE(builder.data(), nullptr);
  EXPECT_EQ(builder.data()->key, nullptr);
  EXPECT_EQ(builder.data()->data, nullptr);
  EXPECT_EQ(builder.params(), builder.params()) << "the node stays the same";
}

TEST(DataList, GivesEmptyListsAsNullWhenTold) {
  DataListBuilder builder(EmptyList::kNull, InputMode::kAuto);
  EXPECT_EQ(builder.params(), nullptr);
  EXPECT_EQ(builder.data(), nullptr);
  builder.AddFrame({.key = "in", .data = {}, .type = 0, .status = 3, .desc = nullptr});
  EXPECT_EQ(builder.data()->desc, nullptr);
}

TEST(DataList, KeepsOrderLengthsAndNulsOfParams) {
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  builder.SetParams({{"b", "1"}, {"a", std::string("x\0y", 3)}, {"", ""}});
  const ParamList* p = builder.params();
  EXPECT_STREQ(p->key, "b");
  EXPECT_EQ(p->vlen, 1u);
  p = p->next;
  EXPECT_EQ(std::string(p->value, p->vlen), std::string("x\0y", 3));
  EXPECT_EQ(p->value[p->vlen], '\0');
  p = p->next;
  EXPECT_STREQ(p->key, "");
  EXPECT_STREQ(p->value, "");
  EXPECT_EQ(p->next, nullptr);
}

TEST(DataList, CopiesSmallPayloadsPrivatelyWithANulAfter) {
  const Block source = Filled(kInPlaceBytes);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, kInPlaceBytes - 1}) {
    DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
    builder.AddFrame(Frame(source, size));
    builder.AddFrame(Frame(source, size));
    EXPECT_FALSE(builder.borrows());
    builder.Seal();
    const DataList* first = builder.data();
    const DataList* second = first->next;
    ASSERT_NE(first->data, nullptr) << "zero length is not NULL";
    EXPECT_TRUE(Aligned(first->data, 64));
    EXPECT_TRUE(Aligned(second->data, 64));
    EXPECT_NE(first->data, source.get());
    EXPECT_EQ(std::memcmp(first->data, source.get(), size), 0);
    EXPECT_EQ(static_cast<const char*>(first->data)[size], '\0');
    EXPECT_EQ(first->len, size);
  }
}

TEST(DataList, BorrowsLargeAlignedPayloads) {
  const Block source = Filled(kInPlaceBytes);
  const auto before = counters().bytes_in.load();
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  builder.AddFrame(Frame(source, kInPlaceBytes, 16));
  EXPECT_TRUE(builder.borrows());
  builder.Seal();
  EXPECT_EQ(builder.data()->data, source.get() + 16);
  EXPECT_EQ(counters().bytes_in, before);
}

TEST(DataList, CopiesAndCountsLargeUnalignedPayloadsWhenSealed) {
  const Block source = Filled(kInPlaceBytes);
  const auto before = counters().unaligned_copies.load();
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  builder.AddFrame(Frame(source, kInPlaceBytes, 1));
  EXPECT_TRUE(builder.borrows()) << "until Seal";
  builder.Seal();
  EXPECT_FALSE(builder.borrows());
  EXPECT_TRUE(Aligned(builder.data()->data, 64));
  EXPECT_EQ(std::memcmp(builder.data()->data, source.get() + 1, kInPlaceBytes), 0);
  EXPECT_EQ(static_cast<const char*>(builder.data()->data)[kInPlaceBytes], '\0');
  EXPECT_EQ(counters().unaligned_copies, before + 1);
}

TEST(DataList, CopiesEverythingWhenTold) {
  const Block source = Filled(kInPlaceBytes);
  const auto unaligned = counters().unaligned_copies.load();
  for (const bool fleeting : {false, true}) {
    const auto before = counters().bytes_in.load();
    DataListBuilder builder(EmptyList::kSentinel, fleeting ? InputMode::kAuto : InputMode::kCopy);
    FrameView frame = Frame(source, kInPlaceBytes);
    frame.fleeting = fleeting;
    builder.AddFrame(frame);
    EXPECT_EQ(builder.borrows(), !fleeting) << "what is fleeting has been copied by now";
    builder.Seal();
    EXPECT_NE(builder.data()->data, source.get());
    EXPECT_EQ(counters().bytes_in, before + static_cast<std::int64_t>(kInPlaceBytes));
  }
  EXPECT_EQ(counters().unaligned_copies, unaligned) << "copied by choice, not for their alignment";
}

TEST(DataList, PassesUnknownEnumValuesThrough) {
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  builder.AddFrame({.key = "in", .data = {}, .type = 77, .status = 4294967295u, .desc = nullptr});
  EXPECT_EQ(LoadEnum(builder.data()->type), 77u);
  EXPECT_EQ(LoadEnum(builder.data()->status), 4294967295u);
}

TEST(DataList, KnowsItsOwnMemory) {
  const Block large = Filled(kInPlaceBytes);
  const Block other = Filled(64);
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  builder.AddFrame(Frame(large, kInPlaceBytes));
  builder.AddFrame(Frame(large, kInPlaceBytes, 1));
  builder.AddFrame(Frame(large, 10));
  builder.Seal();
  EXPECT_TRUE(builder.Overlaps(large.get(), 1));
  EXPECT_TRUE(builder.Overlaps(large.get() + kInPlaceBytes - 1, 1));
  for (const DataList* node = builder.data(); node != nullptr; node = node->next) {
    EXPECT_TRUE(builder.Overlaps(static_cast<const std::byte*>(node->data) + node->len - 1, 100));
  }
  EXPECT_FALSE(builder.Overlaps(other.get(), 64));
}

TEST(DataList, KeepsItsAddressesWhenItGrowsAndMoves) {
  DataListBuilder builder(EmptyList::kSentinel, InputMode::kAuto);
  builder.AddParam("first", "value");
  const ParamList* first = builder.params();
  const std::string long_value(100'000, 'v');
  for (int i = 0; i < 100; ++i) builder.AddParam("key", long_value);
  const DataListBuilder moved = std::move(builder);
  EXPECT_STREQ(first->key, "first");
  EXPECT_STREQ(first->value, "value");
}

}  // namespace
}  // namespace aiges
