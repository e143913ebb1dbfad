// SPDX-License-Identifier: Apache-2.0
#include "block.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>

namespace aiges {
namespace {

using namespace std::chrono_literals;

// Sanitizers watch over what operator new gives, and there nothing is kept.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;

// Sanitizers end the process instead.
TEST(Block, RefusesWhatNoMachineHas) {
  EXPECT_THROW(AllocateBlock(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
  EXPECT_THROW(AllocateBlock(std::numeric_limits<std::size_t>::max() - (std::size_t{4} << 20)), std::bad_alloc);
}
#endif

constexpr std::size_t kLarge = std::size_t{10} << 20;

TEST(Block, IsAlignedAndWritableAtEverySize) {
  for (const std::size_t size : {std::size_t{1}, kKeptBlock - 1, kKeptBlock, kKeptBlock + 1, kLarge, kLargestKept,
                                 kLargestKept + 1, 2 * kLargestKept}) {
    const Block block = AllocateBlock(size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.get()) % kBlockAlignment, 0u) << size;
    ExpectFilled(block.get(), size, 0);
    std::memset(block.get(), 1, size);
  }
  TrimKept(0ms);
}

TEST(Block, OfAnAnswerTakesThePlaceOfItsRequest) {
  TrimKept(0ms);
  const std::byte* request = nullptr;
  {
    const Block block = AllocateBlock(kLarge + 300);  // what goes around the payload
    request = block.get();
  }
  EXPECT_EQ(HasKept(), kKeeps);
  const Block answer = AllocateBlock(kLarge);
  if (kKeeps) {
    EXPECT_EQ(answer.get(), request);
  }
  EXPECT_FALSE(HasKept());
}

TEST(Block, IsKeptUntilNobodyHasNeededOneForAWhile) {
  TrimKept(0ms);
  AllocateBlock(kLarge).reset();
  EXPECT_EQ(TrimKept(1h), !kKeeps);
  EXPECT_EQ(HasKept(), kKeeps);
  EXPECT_TRUE(TrimKept(0ms));
  EXPECT_FALSE(HasKept());
}

}  // namespace
}  // namespace aiges
