// SPDX-License-Identifier: Apache-2.0
// What the tests of native/core share.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "engine_registry.h"

namespace aiges::testing {

std::string Fixture(const std::string& name);

::testing::AssertionResult Contains(const std::string& text, const std::string& part);

// Waits until the condition holds, however long that takes: a test that hangs is stopped by its runner.
void Await(const std::function<bool()>& condition);

// Fails the test when a live counter is not back at zero.
void ExpectNothingAlive();

// One value that another thread delivers.
template <typename T>
class Slot {
 public:
  UniqueFunction<void(T)> Setter() {
    return [this](T value) {
      std::lock_guard lock(mutex_);
      value_.emplace(std::move(value));
      set_.notify_all();
    };
  }
  T Take() {
    std::unique_lock lock(mutex_);
    set_.wait(lock, [this] { return value_.has_value(); });
    T value = std::move(*value_);
    value_.reset();
    return value;
  }
  bool filled() {
    std::lock_guard lock(mutex_);
    return value_.has_value();
  }

 private:
  std::mutex mutex_;
  std::condition_variable set_;
  std::optional<T> value_;
};

using Answered = Result<OwnedFrames>;

Result<EngineUse> OpenEngine(EngineOptions options);
// Fails the test when the engine cannot be opened.
EngineUse Open(const std::string& fixture, StringPairs config = {}, std::size_t threads = 4);
Status Close(EngineUse use);

Request MakeRequest(const std::string& tag, const StringPairs& params, const std::string& payload = "input",
                    InputMode mode = InputMode::kAuto, EmptyList empty = EmptyList::kSentinel);

Answered Exec(EngineUse& engine, Request request);
Answered ExecAsync(EngineUse& engine, Request request);

// The text of the only frame; fails the test when there is another number of them.
std::string Text(const Answered& answer);
// One call to the scripted engine that answers with text.
std::string Ask(EngineUse& engine, const StringPairs& params, const std::string& payload = "input");
// Count `name` of the scripted engine. Some of its counts are kept since the process began.
long Stat(EngineUse& engine, const std::string& name);

}  // namespace aiges::testing
