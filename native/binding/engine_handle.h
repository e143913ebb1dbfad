// SPDX-License-Identifier: Apache-2.0
// What JavaScript holds of an engine.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "engine_registry.h"
#include "napi_setup.h"
#include "record_reader.h"
#include "stream_results.h"

namespace aiges {

struct CallOptions {
  EmptyList empty_list = EmptyList::kSentinel;
  InputMode input_mode = InputMode::kAuto;
  bool lease = false;
  std::size_t leased_bytes = 0;
  std::size_t abandoned = 0;
  std::chrono::milliseconds tag_grace{0};
  StreamResults::Limits stream_results;
  OutputLimits limits;
};

// Dropping it without close() ends its use of the engine as well.
struct EngineHandle {
  CallOptions options;
  std::shared_ptr<RecordReader> records;
  std::optional<EngineUse> use;  // empty once closed
};

// Says of which kind an external is, so that another kind is a TypeError and no crash.
void TagEngine(const Napi::External<EngineHandle>& external);

// These throw a TypeError when the value is no engine, and when it is closed.
EngineHandle& HandleOf(const Napi::Value& value);
EngineUse& UseOf(EngineHandle& handle, Napi::Env env);

}  // namespace aiges
