// SPDX-License-Identifier: Apache-2.0
// A stream inside an engine: what wrapperCreate gave, until wrapperDestroy has taken it back.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "callback_registry.h"
#include "control_log.h"
#include "counters.h"
#include "data_list.h"
#include "engine.h"
#include "owned_frames.h"
#include "result.h"
#include "stream_results.h"
#include "unique_function.h"

namespace aiges {

struct StreamRequest {
  StreamRequest(std::string t, DataListBuilder p) : tag(std::move(t)), params(std::move(p)) {}

  std::string tag;         // without NUL
  DataListBuilder params;  // no frames
  std::vector<unsigned int> resource_ids;
  std::shared_ptr<ControlLog> control;     // where meter and trace records of this stream go; may be null
  std::shared_ptr<StreamResults> results;  // where callbacks lead to; null: the engine gets no callback and is read
  const void* requester = nullptr;         // identity, for CallbackRegistry::AbandonAll
  OutputLimits limits;
  std::size_t abandoned_limit = 10'000;
  std::chrono::milliseconds tag_grace{60'000};  // how long the tag outlives wrapperDestroy without a final callback
};

struct StreamInput {
  explicit StreamInput(DataListBuilder f) : frames(std::move(f)) {}

  DataListBuilder frames;
  std::shared_ptr<void> pins;    // keeps borrowed payloads alive; dropped when wrapperWrite has returned
  std::shared_ptr<void> inside;  // dropped at the same time, before everything else
};

class Stream;
// Letting go of a stream destroys it, on an executor thread, after the call that is running.
using StreamPtr = std::shared_ptr<Stream>;

// Calls on one stream never overlap, whatever their callers do: one that comes while another is running is refused.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Opened = UniqueFunction<void(Result<StreamPtr>)>;
  using Done = UniqueFunction<void(Status)>;

  // wrapperCreate on an executor thread. `opened` is called once, there or, when it does not come to that, at once.
  // A stream whose wrapperCreate failed gets no wrapperDestroy.
  static void Open(Engine& engine, StreamRequest request, Opened opened);
  ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // wrapperWrite, wrapperRead. `done` is called once, on an executor thread or, when there is none, at once. No frames
  // means that the engine has none yet.
  void Write(StreamInput input, Done done);
  void Read(Engine::Done done);

  // wrapperDestroy, once, after the call that is running; to be called once. Callbacks are refused from now on.
  void Close(Done done);

  // Whether no call is running and none is to come.
  bool idle();

 private:
  explicit Stream(Engine& engine) : engine_(engine.shared_from_this()) {}

  Status Create(StreamRequest& request);
  void StopResults();
  void Destroy();
  static void Retire(std::unique_ptr<Stream> stream);

  // The handle is ours until Leave; otherwise `refused` says why not.
  bool Enter(const char* op, Status& refused);
  // True when the stream has been closed meanwhile: after the call's own news, the caller posts the end.
  bool Leave();
  void PostDestroy();

  const std::shared_ptr<Engine> engine_;
  std::string tag_;
  OutputLimits limits_;
  std::chrono::milliseconds tag_grace_{0};
  std::shared_ptr<StreamResults> results_;
  CallbackRegistry::EntryPtr entry_;  // with results_
  ControlRoute route_;                // from before wrapperCreate until after wrapperDestroy
  const void* handle_ = nullptr;      // until wrapperDestroy
  std::optional<Gauge> live_;

  std::mutex mutex_;
  bool busy_ = false;
  bool closed_ = false;
  Done closing_;
};

}  // namespace aiges
