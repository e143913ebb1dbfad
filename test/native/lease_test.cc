// SPDX-License-Identifier: Apache-2.0
#include "lease.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>

namespace aiges {
namespace {

constexpr std::size_t kNoLimit = std::size_t{1} << 40;

TEST(LeasedRanges, RefusesWhatIsLeasedAlready) {
  std::array<std::byte, 100> memory{};
  LeasedRanges first;
  EXPECT_TRUE(first.Claim(memory.data() + 10, 10, kNoLimit));
  LeasedRanges second;
  EXPECT_FALSE(second.Claim(memory.data() + 10, 10, kNoLimit)) << "the same";
  EXPECT_FALSE(second.Claim(memory.data() + 19, 1, kNoLimit)) << "its last byte";
  EXPECT_FALSE(second.Claim(memory.data() + 5, 6, kNoLimit)) << "its first byte";
  EXPECT_FALSE(second.Claim(memory.data(), 100, kNoLimit)) << "all around it";
  EXPECT_FALSE(first.Claim(memory.data() + 12, 2, kNoLimit)) << "inside it, by the same answer";
  EXPECT_TRUE(second.Claim(memory.data(), 10, kNoLimit)) << "up to it";
  EXPECT_TRUE(second.Claim(memory.data() + 20, 10, kNoLimit)) << "right after it";
}

TEST(LeasedRanges, GivesItsRangesBack) {
  std::array<std::byte, 10> memory{};
  { EXPECT_TRUE(LeasedRanges().Claim(memory.data(), 10, kNoLimit)); }
  EXPECT_TRUE(LeasedRanges().Claim(memory.data(), 10, kNoLimit));
}

TEST(LeasedRanges, RefusesWhatExceedsTheLimitOfAllTogether) {
  std::array<std::byte, 100> memory{};
  const auto before = counters().leased_bytes.load();
  const auto limit = static_cast<std::size_t>(before) + 20;
  {
    LeasedRanges first;
    EXPECT_TRUE(first.Claim(memory.data(), 15, limit));
    LeasedRanges second;
    EXPECT_FALSE(second.Claim(memory.data() + 50, 6, limit));
    EXPECT_TRUE(second.Claim(memory.data() + 50, 5, limit));
    EXPECT_EQ(counters().leased_bytes, before + 20);
  }
  EXPECT_EQ(counters().leased_bytes, before);
}

TEST(Lease, CountsItselfAndGivesBackOnce) {
  const auto alive = counters().outputs_alive.load();
  int given_back = 0;
  {
    const Lease lease(std::make_unique<LeasedRanges>(), [&] { ++given_back; });
    EXPECT_EQ(counters().outputs_alive, alive + 1);
    EXPECT_EQ(given_back, 0);
  }
  EXPECT_EQ(given_back, 1);
  EXPECT_EQ(counters().outputs_alive, alive);
}

}  // namespace
}  // namespace aiges
