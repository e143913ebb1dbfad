// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include <utility>

#include "engine_code.h"

namespace aiges {
namespace {

// From the callbacks of one stream to its results.
class ResultSink final : public CallbackRegistry::Sink {
 public:
  ResultSink(std::shared_ptr<Engine> engine, std::shared_ptr<StreamResults> results)
      : engine_(std::move(engine)), results_(std::move(results)) {}

  bool Take(CallbackRegistry::Delivery delivery, bool last) override {
    if (delivery.ret != 0) return FailLater(delivery.ret);
    if (!delivery.frames.ok()) return results_->Fail(delivery.frames.status());
    return results_->Push(std::move(delivery.frames.value()), last);
  }

 private:
  // Not here: this is a thread of the engine in the middle of its callback, which may hold the lock that its
  // wrapperError takes.
  bool FailLater(int code) {
    const bool accepted = engine_->executor().Submit([engine = engine_, results = results_, code] {
      results->Fail(engine->Failure(Code::kCallbackError, "wrapperCallback", code));
    });
    return accepted || results_->Fail(Status{Code::kCallbackError, "wrapperCallback", code, ""});
  }

  const std::shared_ptr<Engine> engine_;
  const std::shared_ptr<StreamResults> results_;
};

}  // namespace

void Stream::Open(Engine& engine, StreamRequest request, Opened opened) {
  if (!engine.api().Has(Group::kStream)) return opened(Lacks(engine.path(), "wrapperCreate"));
  StreamPtr stream(new Stream(engine), [](Stream* last) { Retire(std::unique_ptr<Stream>(last)); });
  stream->tag_ = request.tag;
  stream->limits_ = request.limits;
  stream->tag_grace_ = request.tag_grace;
  stream->results_ = request.results;
  if (request.results != nullptr) {
    CallbackRegistry::Call call;
    call.tag = request.tag;
    call.engine = &engine;
    call.requester = request.requester;
    call.limits = request.limits;
    call.abandoned_limit = request.abandoned_limit;
    call.sink = std::make_shared<ResultSink>(engine.shared_from_this(), request.results);
    stream->entry_ = CallbackRegistry::Process().Register(call);
    if (stream->entry_ == nullptr) {
      return opened(Status{Code::kDuplicateTag, "wrapperCreate", 0,
                           "a call with tag \"" + request.tag + "\" is still known to the engine"});
    }
  }

  struct Job {
    StreamPtr stream;
    StreamRequest request;
    Opened opened;
  };
  auto job = std::make_shared<Job>(Job{std::move(stream), std::move(request), std::move(opened)});
  const bool accepted = engine.executor().Submit([job] {
    Status status = NoMemory("wrapperCreate");
    try {
      status = job->stream->Create(job->request);
    } catch (...) {
      // Only the loader's own code can get here, and it throws for one reason: `status` says it.
    }
    if (status.ok()) return job->opened(std::move(job->stream));
    if (job->stream->entry_ != nullptr) CallbackRegistry::Process().Refuse(job->stream->entry_, status);
    job->opened(std::move(status));
  });
  if (accepted) return;
  if (job->stream->entry_ != nullptr) CallbackRegistry::Process().Refuse(job->stream->entry_, {});
  job->opened(NoThread("wrapperCreate"));
}

Status Stream::Create(StreamRequest& request) {
  const WrapperApi& api = engine_->api();
  if (entry_ != nullptr && !CallbackRegistry::Process().Begin(entry_)) {
    return Status{Code::kAbandoned, "wrapperCreate", 0, "nobody waits for the stream any more"};
  }
  if (api.Has(Group::kControl)) route_ = ControlRoute(tag_, request.control);
  const char* tag = entry_ != nullptr ? CallbackRegistry::Tag(entry_) : tag_.c_str();
  unsigned int* ids = request.resource_ids.empty() ? nullptr : request.resource_ids.data();
  const void* handle = nullptr;
  int code = 0;
  Status status = Guarded("wrapperCreate", [&] {
    handle = api.create(tag, request.params.params(), entry_ != nullptr ? CallbackRegistry::Function() : nullptr, ids,
                        static_cast<int>(request.resource_ids.size()), &code);
  });
  if (status.ok() && code != 0) status = engine_->Failure(Code::kPluginError, "wrapperCreate", code);
  if (status.ok() && handle == nullptr) {
    status = engine_->Failure(Code::kPluginError, "wrapperCreate", 0);
    status.text += ";code=0";  // it is the engine's code all the same
  }
  if (!status.ok()) {
    route_ = {};
    return status;
  }
  handle_ = handle;
  live_.emplace(counters().sessions);
  return status;
}

void Stream::Write(StreamInput input, Done done) {
  Status refused;
  if (!Enter("wrapperWrite", refused)) return done(std::move(refused));
  struct Job {
    std::optional<StreamInput> input;
    Done done;
  };
  auto job = std::make_shared<Job>(Job{std::move(input), std::move(done)});
  const bool accepted = engine_->executor().Submit([self = shared_from_this(), job] {
    Status status = NoMemory("wrapperWrite");
    try {
      int code = 0;
      DataListBuilder& frames = job->input->frames;
      frames.Seal();
      status = Guarded("wrapperWrite", [&] { code = self->engine_->api().write(self->handle_, frames.data()); });
      job->input->inside.reset();
      if (status.ok() && code != 0) status = self->engine_->Failure(Code::kPluginError, "wrapperWrite", code);
    } catch (...) {
      // For want of memory: `status` says it.
    }
    job->input.reset();
    const bool close = self->Leave();
    job->done(std::move(status));
    if (close) self->PostDestroy();
  });
  if (accepted) return;
  const bool close = Leave();
  job->done(NoThread("wrapperWrite"));
  if (close) PostDestroy();
}

void Stream::Read(Engine::Done done) {
  Status refused;
  if (!Enter("wrapperRead", refused)) return done(std::move(refused));
  auto shared_done = std::make_shared<Engine::Done>(std::move(done));
  const bool accepted = engine_->executor().Submit([self = shared_from_this(), shared_done] {
    Result<OwnedFrames> result = NoMemory("wrapperRead");
    try {
      pDataList head = nullptr;
      int code = 0;
      Status status = Guarded("wrapperRead", [&] { code = self->engine_->api().read(self->handle_, &head); });
      if (status.ok() && code != 0) status = self->engine_->Failure(Code::kPluginError, "wrapperRead", code);
      // Copied before anybody can make the next call on this handle, which ends the list's life.
      result = status.ok() ? CopyFrames(head, self->limits_, "wrapperRead") : Result<OwnedFrames>(std::move(status));
    } catch (...) {
      // For want of memory: `result` says it.
    }
    const bool close = self->Leave();
    (*shared_done)(std::move(result));
    if (close) self->PostDestroy();
  });
  if (accepted) return;
  const bool close = Leave();
  (*shared_done)(NoThread("wrapperRead"));
  if (close) PostDestroy();
}

void Stream::Close(Done done) {
  StopResults();
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    closing_ = std::move(done);
    if (busy_) return;  // whoever leaves goes on from here
  }
  PostDestroy();
}

bool Stream::idle() {
  std::lock_guard lock(mutex_);
  return !busy_ && !closed_;
}

bool Stream::Enter(const char* op, Status& refused) {
  std::lock_guard lock(mutex_);
  if (!busy_ && !closed_) return busy_ = true;
  refused = Status{Code::kBusy, op, 0,
                   std::string(op) + (closed_ ? ": the stream is closed" : ": another call on the stream is running")};
  return false;
}

bool Stream::Leave() {
  std::lock_guard lock(mutex_);
  busy_ = false;
  return closed_;
}

void Stream::PostDestroy() {
  engine_->executor().Post([self = shared_from_this()] { self->Destroy(); });
}

void Stream::StopResults() {
  if (results_ == nullptr) return;
  CallbackRegistry::Process().Close(entry_);
  results_->Close();
}

void Stream::Destroy() {
  int code = 0;
  const void* handle = std::exchange(handle_, nullptr);
  Status status = Guarded("wrapperDestroy", [&] { code = engine_->api().destroy(handle); });
  if (status.ok() && code != 0) status = engine_->Failure(Code::kPluginError, "wrapperDestroy", code);
  if (!status.ok()) ++counters().destroy_failures;
  route_ = {};
  if (entry_ != nullptr) CallbackRegistry::Process().Destroyed(entry_, tag_grace_);
  live_.reset();
  if (closing_) closing_(std::move(status));
}

// On whatever thread let go of the stream last: no call is running and none can come.
void Stream::Retire(std::unique_ptr<Stream> stream) {
  if (stream->handle_ == nullptr) return;
  stream->StopResults();
  const std::shared_ptr<Engine> engine = stream->engine_;  // until Post has returned
  engine->executor().Post([stream = std::move(stream)] { stream->Destroy(); });
}

}  // namespace aiges
