// SPDX-License-Identifier: Apache-2.0
// A loaded and initialised engine, and the calls into it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "callback_registry.h"
#include "control_log.h"
#include "data_list.h"
#include "executor.h"
#include "lease.h"
#include "owned_frames.h"
#include "result.h"
#include "unique_function.h"
#include "wrapper_api.h"

namespace aiges {

struct EngineOptions {
  std::string path;
  StringPairs config;
  EmptyList empty_list = EmptyList::kSentinel;
  std::optional<Group> required;  // the group that the caller means to use
  std::size_t max_threads = 1;
};

struct Request {
  Request(std::string t, DataListBuilder b) : tag(std::move(t)), input(std::move(b)) {}

  std::string tag;  // without NUL
  DataListBuilder input;
  std::vector<unsigned int> resource_ids;
  std::optional<std::chrono::steady_clock::time_point> deadline;
  std::shared_ptr<ControlLog> control;  // where meter and trace records of this call go; may be null
  const void* requester = nullptr;      // identity, for CallbackRegistry::AbandonAll
  OutputLimits limits;
  bool lease = false;                  // leave large outputs in the engine's memory …
  std::size_t leased_bytes_limit = 0;  // … as long as all leases together stay below this
  std::size_t abandoned_limit = 10'000;
  Executor::Wake wake = Executor::Wake::kNow;  // kLater: whoever makes the call wakes the executor up when it is done

  // Keeps borrowed payloads alive. Dropped when the engine has let go of the input: after wrapperExecFree or after
  // wrapperExecAsync has returned, on the executor thread.
  std::shared_ptr<void> pins;
  // Dropped when the call has returned from the engine's code, which for a lease is earlier.
  std::shared_ptr<void> inside;
};

// Content for wrapperLoadRes.
struct Resource {
  Resource(unsigned int i, DataListBuilder c) : id(i), content(std::move(c)) {}

  unsigned int id;
  DataListBuilder content;       // without params
  std::shared_ptr<void> pins;    // keeps borrowed payloads alive; dropped when wrapperLoadRes has returned
  std::shared_ptr<void> inside;  // dropped at the same time, before everything else
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  using Done = UniqueFunction<void(Result<OwnedFrames>)>;
  using Ended = UniqueFunction<void(Status)>;

  // Loads and initialises, on the calling thread, which is one of the executor's. An engine whose wrapperInit failed
  // gets no wrapperFini.
  static Result<std::unique_ptr<Engine>> Load(const EngineOptions& options, std::shared_ptr<Executor> executor);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // wrapperFini, once, on the calling thread, which is one of the executor's.
  Status Finish();

  const WrapperApi& api() const { return api_; }
  const std::string& path() const { return library_.path(); }
  const std::string& version() const { return version_; }
  Executor& executor() { return *executor_; }

  // The status of an engine's error code, with its text. Calls the engine: on an executor thread only.
  Status Failure(Code code, const char* op, int plugin_code);

  // wrapperExec, the copy of what it gave, and wrapperExecFree, one after the other on one executor thread. That is
  // the order in which engines with a static result buffer were proven. A lease puts wrapperExecFree off.
  // `done` is called once, on the executor thread or, when there is no thread, at once.
  void Exec(Request request, Done done);

  // wrapperExecAsync on an executor thread; ends with the first callback, whatever its status, or when the call is
  // abandoned. `done` is called once, on any thread.
  void ExecAsync(Request request, Done done);

  // wrapperLoadRes and wrapperUnloadRes on an executor thread. Which ids there are, and that calls about one of them
  // take turns, is the caller's business. `ended` is called once, there or, when it does not come to that, at once.
  void LoadResource(Resource resource, Ended ended);
  void UnloadResource(unsigned int id, Ended ended);

 private:
  Engine(SharedLibrary library, WrapperApi api, std::shared_ptr<Executor> executor)
      : library_(std::move(library)), api_(std::move(api)), executor_(std::move(executor)) {}

  Result<OwnedFrames> RunExec(std::unique_ptr<Request>& request);
  Result<OwnedFrames> TakeOutput(std::unique_ptr<Request>& request, pDataList head);
  void Free(const std::string& tag, pDataList head);
  void RunExecAsync(Request& request, const CallbackRegistry::EntryPtr& entry);
  Status RunLoad(Resource& resource);
  Status RunUnload(unsigned int id);
  void Finalize(Result<CallbackRegistry::Delivery> result, Done done);

  SharedLibrary library_;
  WrapperApi api_;
  std::shared_ptr<Executor> executor_;
  std::string version_;
  std::optional<Gauge> running_;  // between wrapperInit and wrapperFini
};

}  // namespace aiges
