// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine_code.h"

namespace aiges {
namespace {

// wrapperExecAsync's timeout: 0 means no limit, so a deadline that has passed becomes the shortest there is.
int TimeoutOf(const Request& request) {
  if (!request.deadline.has_value()) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*request.deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<long long>(left.count(), 1, std::numeric_limits<int>::max()));
}

// A call that waited for a thread for longer than its requester does is not worth the engine's time.
bool Expired(const Request& request) {
  return request.deadline.has_value() && *request.deadline <= std::chrono::steady_clock::now();
}

Status TooLate(const char* op) { return Status{Code::kAbandoned, op, 0, "its time was up before a thread was free"}; }

unsigned int* IdsOf(Request& request) { return request.resource_ids.empty() ? nullptr : request.resource_ids.data(); }
int CountOf(const Request& request) { return static_cast<int>(request.resource_ids.size()); }

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Load(const EngineOptions& options, std::shared_ptr<Executor> executor) {
  Result<SharedLibrary> library = SharedLibrary::Open(options.path);
  if (!library.ok()) return library.status();
  Result<WrapperApi> api = WrapperApi::Resolve(library.value(), options.required);
  if (!api.ok()) return api.status();
  std::unique_ptr<Engine> engine(
      new Engine(std::move(library.value()), std::move(api.value()), std::move(executor)));  // private constructor

  DataListBuilder config(options.empty_list, InputMode::kAuto);
  config.SetParams(options.config);
  int code = 0;
  Status status = Guarded("wrapperInit", [&] {
    if (engine->api_.Has(Group::kControl)) {
      // Before wrapperInit: engines hand these on to other code from there. An engine that refuses one works without
      // it, as it did under a host that never called wrapperSetCtrl at all.
      engine->api_.set_ctrl(CTMeterCustom, reinterpret_cast<void*>(MeterFunction()));
      engine->api_.set_ctrl(CTTraceLog, reinterpret_cast<void*>(TraceFunction()));
    }
    code = engine->api_.init(config.params());
  });
  if (status.ok() && code != 0) status = engine->Failure(Code::kInitFailed, "wrapperInit", code);
  if (!status.ok()) {
    status.code = Code::kInitFailed;
    return status;
  }
  engine->running_.emplace(counters().engines);

  // Nothing depends on it: an engine that throws here has no version.
  Guarded("wrapperVersion", [&] {
    const char* version = engine->api_.version();
    engine->version_ = version != nullptr ? version : "";
  });
  return engine;
}

Engine::~Engine() = default;

Status Engine::Finish() {
  int code = 0;
  Status status = Guarded("wrapperFini", [&] { code = api_.fini(); });
  running_.reset();
  CallbackRegistry::Process().DropEngine(this);
  if (status.ok() && code != 0) return Failure(Code::kFiniFailed, "wrapperFini", code);
  if (!status.ok()) status.code = Code::kFiniFailed;
  return status;
}

void Engine::Exec(Request request, Done done) {
  if (!api_.Has(Group::kOnce)) return done(Lacks(path(), "wrapperExec"));
  struct Job {
    std::unique_ptr<Request> request;
    Done done;
  };
  auto job = std::make_shared<Job>(Job{std::make_unique<Request>(std::move(request)), std::move(done)});
  const Executor::Wake wake = job->request->wake;
  const auto task = [self = shared_from_this(), job] {
    Result<OwnedFrames> result = NoMemory("wrapperExec");
    try {
      result = self->RunExec(job->request);
    } catch (...) {
      // Only the loader's own code can get here, and it throws for one reason: `result` says it.
    }
    job->request.reset();
    job->done(std::move(result));
  };
  if (!executor_->Submit(task, wake)) job->done(NoThread("wrapperExec"));
}

Result<OwnedFrames> Engine::RunExec(std::unique_ptr<Request>& request) {
  if (Expired(*request)) return TooLate("wrapperExec");
  request->input.Seal();
  pDataList head = nullptr;
  int code = 0;
  Status status;
  {
    const ControlRoute route(request->tag, api_.Has(Group::kControl) ? request->control : nullptr);
    status = Guarded("wrapperExec", [&] {
      code = api_.exec(request->tag.c_str(), request->input.params(), request->input.data(), &head, IdsOf(*request),
                       CountOf(*request));
    });
  }
  request->inside.reset();
  if (!status.ok()) return status;
  if (code != 0) return Failure(Code::kPluginError, "wrapperExec", code);
  return TakeOutput(request, head);
}

// Whatever happens here, the list goes back to the engine once.
Result<OwnedFrames> Engine::TakeOutput(std::unique_ptr<Request>& request, pDataList head) {
  struct GiveBack {
    Engine& engine;
    const std::string& tag;
    pDataList head;
    bool armed = true;
    ~GiveBack() {
      if (armed) engine.Free(tag, head);
    }
  } give_back{*this, request->tag, head};

  Result<OwnedFrames> result = ReadFrames(head, request->limits, "wrapperExec");
  if (!result.ok()) return result;
  OwnedFrames& output = result.value();

  auto ranges = std::make_unique<LeasedRanges>();
  if (request->lease) {
    for (OutputFrame& frame : output.frames) {
      // Small payloads are cheaper to copy. Input that comes back as output is somebody else's memory.
      frame.leased = frame.size >= kInPlaceBytes && !request->input.Overlaps(frame.data, frame.size) &&
                     ranges->Claim(frame.data, frame.size, request->leased_bytes_limit);
    }
  }
  CopyPayloads(output);
  if (ranges->empty()) return result;

  // The engine may look at its input and its tag until wrapperExecFree has returned: the request stays, too.
  auto shared = std::make_shared<std::unique_ptr<Request>>();
  auto lease = std::make_shared<Lease>(std::move(ranges), [self = shared_from_this(), shared, head]() mutable {
    Engine& engine = *self;
    engine.executor_->Post([self = std::move(self), shared = std::move(shared), head] {
      self->Free((*shared)->tag, head);
      shared->reset();
    });
  });
  give_back.armed = false;
  *shared = std::move(request);
  output.lease = std::move(lease);
  return result;
}

void Engine::Free(const std::string& tag, pDataList head) {
  // What it returns, or throws, changes nothing: the answer is safe and there is no way to try again.
  Guarded("wrapperExecFree", [&] { api_.exec_free(tag.c_str(), &head); });
}

void Engine::ExecAsync(Request request, Done done) {
  if (!api_.Has(Group::kAsync)) return done(Lacks(path(), "wrapperExecAsync"));
  CallbackRegistry& registry = CallbackRegistry::Process();
  CallbackRegistry::Call call;
  call.tag = request.tag;
  call.engine = this;
  call.requester = request.requester;
  if (api_.Has(Group::kControl)) call.route = ControlRoute(request.tag, request.control);
  call.limits = request.limits;
  call.abandoned_limit = request.abandoned_limit;
  auto shared_done = std::make_shared<Done>(std::move(done));
  call.done = [self = shared_from_this(), shared_done](Result<CallbackRegistry::Delivery> result) {
    self->Finalize(std::move(result), std::move(*shared_done));
  };
  const CallbackRegistry::EntryPtr entry = registry.Register(call);
  if (entry == nullptr) {
    return (*shared_done)(Status{Code::kDuplicateTag, "wrapperExecAsync", 0,
                                 "a call with tag \"" + request.tag + "\" is still known to the engine"});
  }
  const Executor::Wake wake = request.wake;
  auto shared_request = std::make_shared<Request>(std::move(request));
  const auto task = [self = shared_from_this(), shared_request, entry] {
    try {
      self->RunExecAsync(*shared_request, entry);
    } catch (...) {
      CallbackRegistry::Process().Refuse(entry, NoMemory("wrapperExecAsync"));
    }
  };
  if (!executor_->Submit(task, wake)) registry.Refuse(entry, NoThread("wrapperExecAsync"));
}

void Engine::RunExecAsync(Request& request, const CallbackRegistry::EntryPtr& entry) {
  CallbackRegistry& registry = CallbackRegistry::Process();
  if (Expired(request)) return registry.Refuse(entry, TooLate("wrapperExecAsync"));
  request.input.Seal();
  if (!registry.Begin(entry)) return;  // abandoned before its turn came
  int code = 0;
  Status status = Guarded("wrapperExecAsync", [&] {
    code = api_.exec_async(CallbackRegistry::Tag(entry), request.input.params(), request.input.data(),
                           CallbackRegistry::Function(), TimeoutOf(request), IdsOf(request), CountOf(request));
  });
  request.inside.reset();
  if (status.ok() && code != 0) status = Failure(Code::kPluginError, "wrapperExecAsync", code);
  if (!status.ok()) registry.Refuse(entry, std::move(status));
}

void Engine::Finalize(Result<CallbackRegistry::Delivery> result, Done done) {
  if (!result.ok()) return done(result.status());
  CallbackRegistry::Delivery& delivery = result.value();
  if (delivery.ret == 0) return done(std::move(delivery.frames));
  // Not here: this is a thread of the engine in the middle of its callback, which may hold the lock that its
  // wrapperError takes.
  auto shared_done = std::make_shared<Done>(std::move(done));
  const bool accepted = executor_->Submit([self = shared_from_this(), shared_done, code = delivery.ret] {
    (*shared_done)(self->Failure(Code::kCallbackError, "wrapperCallback", code));
  });
  if (!accepted) (*shared_done)(Status{Code::kCallbackError, "wrapperCallback", delivery.ret, ""});
}

void Engine::LoadResource(Resource resource, Ended ended) {
  if (!api_.Has(Group::kResources)) return ended(Lacks(path(), "wrapperLoadRes"));
  struct Job {
    std::optional<Resource> resource;
    Ended ended;
  };
  auto job = std::make_shared<Job>(Job{std::move(resource), std::move(ended)});
  const bool accepted = executor_->Submit([self = shared_from_this(), job] {
    Status status = NoMemory("wrapperLoadRes");
    try {
      status = self->RunLoad(*job->resource);
    } catch (...) {
      // Only the loader's own code can get here, and it throws for one reason: `status` says it.
    }
    job->resource.reset();
    job->ended(std::move(status));
  });
  if (!accepted) job->ended(NoThread("wrapperLoadRes"));
}

Status Engine::RunLoad(Resource& resource) {
  resource.content.Seal();
  int code = 0;
  Status status = Guarded("wrapperLoadRes", [&] { code = api_.load_res(resource.content.data(), resource.id); });
  resource.inside.reset();
  if (status.ok() && code != 0) return Failure(Code::kPluginError, "wrapperLoadRes", code);
  return status;
}

void Engine::UnloadResource(unsigned int id, Ended ended) {
  if (!api_.Has(Group::kResources)) return ended(Lacks(path(), "wrapperUnloadRes"));
  auto shared_ended = std::make_shared<Ended>(std::move(ended));
  const bool accepted = executor_->Submit([self = shared_from_this(), shared_ended, id] {
    Status status = NoMemory("wrapperUnloadRes");
    try {
      status = self->RunUnload(id);
    } catch (...) {
      // As above.
    }
    (*shared_ended)(std::move(status));
  });
  if (!accepted) (*shared_ended)(NoThread("wrapperUnloadRes"));
}

Status Engine::RunUnload(unsigned int id) {
  int code = 0;
  Status status = Guarded("wrapperUnloadRes", [&] { code = api_.unload_res(id); });
  if (status.ok() && code != 0) return Failure(Code::kPluginError, "wrapperUnloadRes", code);
  return status;
}

Status Engine::Failure(Code code, const char* op, int plugin_code) {
  Status status{code, op, plugin_code, {}};
  Guarded("wrapperError", [&] { status.text = api_.ErrorText(plugin_code); });
  return status;
}

}  // namespace aiges
