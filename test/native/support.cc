// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <chrono>
#include <sstream>
#include <thread>

namespace aiges::testing {

std::string Fixture(const std::string& name) { return std::string(FIXTURES) + "/" + name + ".so"; }

::testing::AssertionResult Contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << '"' << text << "\" does not contain \"" << part << '"';
}

void Await(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void ExpectNothingAlive() {
  const Counters& c = counters();
  // Threads let go of their last task a moment after its completion was delivered.
  Await([&] { return c.jobs_running == 0 && c.jobs_queued == 0 && c.threads == 0; });
  EXPECT_EQ(c.outputs_alive, 0);
  EXPECT_EQ(c.leased_bytes, 0);
  EXPECT_EQ(c.sessions, 0);
  EXPECT_EQ(c.async_waiting, 0);
  EXPECT_EQ(c.tombstones, 0);
  EXPECT_EQ(c.engines, 0);
}

Result<EngineUse> OpenEngine(EngineOptions options) {
  Slot<Result<EngineUse>> slot;
  EngineRegistry::Process().Open(std::move(options), slot.Setter());
  return slot.Take();
}

EngineUse Open(const std::string& fixture, StringPairs config, std::size_t threads) {
  EngineOptions options;
  options.path = Fixture(fixture);
  options.config = std::move(config);
  options.max_threads = threads;
  Result<EngineUse> result = OpenEngine(std::move(options));
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.status().text);
  return std::move(result.value());
}

Status Close(EngineUse use) {
  Slot<Status> slot;
  EngineRegistry::Process().Close(std::move(use), slot.Setter());
  return slot.Take();
}

Request MakeRequest(const std::string& tag, const StringPairs& params, const std::string& payload, InputMode mode,
                    EmptyList empty) {
  DataListBuilder builder(empty, mode);
  builder.SetParams(params);
  builder.AddFrame({.key = "in", .data = std::as_bytes(std::span(payload)), .type = 0, .status = 3, .desc = nullptr});
  return Request(tag, std::move(builder));
}

Answered Exec(EngineUse& engine, Request request) {
  Slot<Answered> slot;
  engine->Exec(std::move(request), slot.Setter());
  return slot.Take();
}

Answered ExecAsync(EngineUse& engine, Request request) {
  Slot<Answered> slot;
  engine->ExecAsync(std::move(request), slot.Setter());
  return slot.Take();
}

std::string Text(const Answered& answer) {
  if (!answer.ok()) {
    ADD_FAILURE() << answer.status().text;
    return "";
  }
  if (answer.value().frames.size() != 1) {
    ADD_FAILURE() << answer.value().frames.size() << " frames";
    return "";
  }
  const OutputFrame& frame = answer.value().frames.front();
  return std::string(reinterpret_cast<const char*>(frame.data), frame.size);
}

std::string Ask(EngineUse& engine, const StringPairs& params, const std::string& payload) {
  return Text(Exec(engine, MakeRequest("ask", params, payload)));
}

long Stat(EngineUse& engine, const std::string& name) {
  std::istringstream words(Ask(engine, {{"do", "stats"}}));
  for (std::string word; words >> word;) {
    if (word.starts_with(name + "=")) return std::stol(word.substr(name.size() + 1));
  }
  ADD_FAILURE() << "no count " << name;
  return -1;
}

}  // namespace aiges::testing
