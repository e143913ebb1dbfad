// SPDX-License-Identifier: Apache-2.0
#include "kept_blocks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace aiges {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kLarge = 10 * kMiB;

std::size_t unmapped = 0;

// Addresses that nobody reads, and a clock that moves when it is told to.
class KeptBlocksTest : public testing::Test {
 protected:
  KeptBlocksTest() : kept_([](std::byte*, std::size_t size) { unmapped += size; }) { unmapped = 0; }

  std::byte* Lend(std::size_t size = kLarge) {
    std::byte* block = kept_.Take(size, now_);
    if (block != nullptr) return block;
    ++made_;
    block = reinterpret_cast<std::byte*>(next_ += 4096);
    kept_.Lent(size, now_);
    return block;
  }
  std::vector<std::byte*> Lend(int count, std::size_t size) {
    std::vector<std::byte*> blocks;
    for (int i = 0; i < count; ++i) blocks.push_back(Lend(size));
    return blocks;
  }
  void Return(std::byte* block, std::size_t size = kLarge) { kept_.Return(block, size, now_); }
  void Return(const std::vector<std::byte*>& blocks, std::size_t size = kLarge) {
    for (std::byte* block : blocks) Return(block, size);
  }

  KeptBlocks kept_;
  KeptBlocks::Clock::time_point now_{1h};
  std::uintptr_t next_ = 4096;
  int made_ = 0;
};

TEST_F(KeptBlocksTest, NeitherKeepsNorCountsWhatIsTooLarge) {
  const std::size_t size = kLargestKept + kKeptBlock;
  Return(Lend(size), size);
  EXPECT_EQ(unmapped, size);
  EXPECT_EQ(kept_.bytes(), 0u);
}

TEST_F(KeptBlocksTest, LendsTheLastOneThatCameBackOfItsSize) {
  std::byte* first = Lend();
  std::byte* second = Lend();
  std::byte* smaller = Lend(kMiB);
  Return(first);
  Return(second);
  Return(smaller, kMiB);
  EXPECT_EQ(Lend(), second);
  EXPECT_EQ(Lend(), first);
  EXPECT_EQ(Lend(kMiB), smaller);
  EXPECT_EQ(made_, 3);
}

TEST_F(KeptBlocksTest, KeepsAllThatWereLentAtOnce) {
  for (int round = 0; round < 3; ++round) Return(Lend(64, kLarge));
  EXPECT_EQ(made_, 64);
  EXPECT_EQ(unmapped, 0u);
}

TEST_F(KeptBlocksTest, NeverHoldsMoreThanWasLentAtOnce) {
  const auto blocks = Lend(64, kLarge);
  Return(blocks);
  // Others take their place.
  const auto others = Lend(64, kMiB);
  EXPECT_EQ(kept_.bytes() + unmapped, 64 * kLarge);
  EXPECT_LE(kept_.bytes() + 64 * kMiB, 64 * kLarge);
  Return(others, kMiB);
  EXPECT_LE(kept_.bytes(), 64 * kLarge);
}

TEST_F(KeptBlocksTest, KeepsALittleWhateverWasLent) {
  const auto blocks = Lend(2, kLarge);
  const auto others = Lend(30, kMiB);
  Return(blocks);
  EXPECT_EQ(kept_.bytes(), 2 * kLarge);
  Lend(30, kMiB);
  EXPECT_EQ(unmapped, 0u);
}

TEST_F(KeptBlocksTest, ForgetsAPeakAfterTwoSeconds) {
  Return(Lend(64, kLarge));
  for (int i = 0; i < 20; ++i) {
    now_ += 900ms;
    Return(Lend());
  }
  EXPECT_LE(kept_.bytes(), kKeptBytes);
  EXPECT_EQ(unmapped + kept_.bytes(), 64 * kLarge);
}

TEST_F(KeptBlocksTest, ForgetsAPeakAtOnceAfterALongerSilence) {
  const auto blocks = Lend(64, kLarge);
  for (int i = 1; i < 64; ++i) Return(blocks[static_cast<std::size_t>(i)]);
  now_ += 1h;
  Return(blocks[0]);
  EXPECT_LT(kept_.bytes(), 64 * kLarge) << "a few at a time";
  while (kept_.bytes() > kKeptBytes) Return(Lend());
  EXPECT_EQ(unmapped + kept_.bytes(), 64 * kLarge);
}

TEST_F(KeptBlocksTest, AreClearedWhenNoneCameOrWentForAWhile) {
  Return(Lend());
  now_ += 1s;
  EXPECT_FALSE(kept_.Clear(2s, now_));
  Return(Lend());
  now_ += 1s;
  EXPECT_FALSE(kept_.Clear(2s, now_));
  now_ += 1s;
  EXPECT_TRUE(kept_.Clear(2s, now_));
  EXPECT_EQ(unmapped, kLarge);
  EXPECT_EQ(kept_.bytes(), 0u);
}

}  // namespace
}  // namespace aiges
