// SPDX-License-Identifier: Apache-2.0
#include "affinity.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <future>
#include <thread>

namespace aiges {
namespace {

// CPUs of the calling thread.
std::vector<int> Current() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

class Affinity : public testing::Test {
 protected:
  void TearDown() override { EXPECT_TRUE(BindToCpus(before_).ok()); }
  const std::vector<int> before_ = Current();
};

TEST_F(Affinity, RefusesAListWithoutCpus) {
  EXPECT_EQ(BindToCpus({}).text, "no CPUs are named");
  EXPECT_EQ(Current(), before_);
}

TEST_F(Affinity, RefusesNumbersThatNoCpuHas) {
  EXPECT_EQ(BindToCpus({0, -1}).text, "there is no CPU -1");
  EXPECT_EQ(BindToCpus({1 << 30}).text, "there is no CPU 1073741824");
  EXPECT_EQ(Current(), before_);
}

TEST_F(Affinity, RefusesCpusOfAnotherMachine) {
  EXPECT_EQ(BindToCpus({65535}).text, "this process may use none of these CPUs");
  EXPECT_EQ(Current(), before_);
}

TEST_F(Affinity, TakesTheCurrentCpus) {
  EXPECT_TRUE(BindToCpus(before_).ok());
  EXPECT_EQ(Current(), before_);
}

TEST_F(Affinity, ReachesThreadsThatRunAndThoseThatTheyStart) {
  const std::vector<int> one = {before_.back()};
  std::promise<void> bound;
  std::promise<std::vector<int>> running;
  std::promise<std::vector<int>> started;
  std::thread thread([&] {
    bound.get_future().wait();
    running.set_value(Current());
    std::thread([&] { started.set_value(Current()); }).join();
  });
  EXPECT_TRUE(BindToCpus(one).ok());
  bound.set_value();
  EXPECT_EQ(running.get_future().get(), one);
  EXPECT_EQ(started.get_future().get(), one);
  EXPECT_EQ(Current(), one);
  thread.join();
}

TEST_F(Affinity, LeavesOutCpusThatAreNotThere) {
  EXPECT_TRUE(BindToCpus({before_.front(), 65535}).ok());
  EXPECT_EQ(Current(), std::vector<int>{before_.front()});
}

}  // namespace
}  // namespace aiges
