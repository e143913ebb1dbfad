// SPDX-License-Identifier: Apache-2.0
#include "js_thread.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "counters.h"

namespace aiges {
namespace {

// How long an ending environment waits for engine code that reads its memory. Reached only when wrapperExecAsync
// itself, which is to return at once, has been running for that long on a call that everyone has given up.
constexpr std::chrono::seconds kLastCall{5};

using Instance = std::shared_ptr<JsThread>;

// As large as Node's own: a view that is kept keeps all of it.
constexpr std::size_t kPoolBytes = 8 * JsThread::kPooledBytes;

}  // namespace

JsThread::JsThread() : is_main_thread_(getpid() == static_cast<pid_t>(syscall(SYS_gettid))) {}

std::shared_ptr<JsThread> JsThread::Create(Napi::Env env) {
  Instance instance(new JsThread);  // private constructor
  instance->Start(env);
  env.SetInstanceData(new Instance(instance));
  return instance;
}

std::shared_ptr<JsThread> JsThread::Of(Napi::Env env) { return *env.GetInstanceData<Instance>(); }

void JsThread::Start(Napi::Env env) {
  env_ = env;
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "aiges"), 0,
                                                             1, nullptr, nullptr, this, &JsThread::CallJs, &wakeup_);
  if (status != napi_ok) throw Napi::Error::New(env, "aiges: no way back into JavaScript could be set up");
  napi_unref_threadsafe_function(env, wakeup_);
  const auto process = env.Global().Get("process").As<Napi::Object>();
  process_ = Napi::Persistent(process);
  next_tick_ = Napi::Persistent(process.Get("nextTick").As<Napi::Function>());
  end_turn_ = Napi::Persistent(Napi::Function::New(
      env, [](const Napi::CallbackInfo& info) { static_cast<JsThread*>(info.Data())->EndTurn(); }, "endTurn", this));
  // Added after the function above: hooks run in reverse order, so it still exists when ours runs.
  env.AddCleanupHook([self = shared_from_this()] { self->Close(); });
}

void JsThread::Post(Job job) {
  std::lock_guard lock(mutex_);
  if (wakeup_ == nullptr) return;
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) napi_call_threadsafe_function(wakeup_, nullptr, napi_tsfn_nonblocking);
}

void JsThread::WakeAfterTurn(Engine& engine) {
  for (const auto& known : to_wake_) {
    if (known.get() == &engine) return;
  }
  to_wake_.push_back(engine.shared_from_this());
  if (to_wake_.size() > 1) return;
  try {
    next_tick_.Call(process_.Value(), {end_turn_.Value()});
  } catch (const Napi::Error&) {
    // No stack left, or no JavaScript any more. The call is under way all the same.
    EndTurn();
  }
}

void JsThread::EndTurn() {
  for (const auto& engine : std::exchange(to_wake_, {})) engine->executor().WakeUp();
}

void JsThread::Hold() {
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, wakeup_);
}

void JsThread::Unhold() {
  if (--pending_ == 0) napi_unref_threadsafe_function(env_, wakeup_);
}

std::shared_ptr<void> JsThread::Pin(Napi::Object object) {
  const std::uint64_t id = next_pin_++;
  pins_.emplace(id, Napi::Persistent(object));
  ++counters().pins;
  return std::shared_ptr<void>(nullptr, [self = shared_from_this(), id](void*) {
    self->Post([&js = *self, id](Napi::Env) {
      js.pins_.erase(id);
      --counters().pins;
    });
  });
}

Napi::ArrayBuffer JsThread::Pooled(std::size_t size, std::size_t& offset) {
  if (pool_.IsEmpty() || pool_used_ + size > kPoolBytes) {
    pool_ = Napi::Persistent(Napi::ArrayBuffer::New(env_, kPoolBytes));
    pool_used_ = 0;
  }
  // Whoever reads them as something larger than bytes finds them aligned.
  offset = std::exchange(pool_used_, (pool_used_ + size + 7) / 8 * 8);
  return pool_.Value();
}

std::shared_ptr<void> JsThread::EnterEngine() {
  {
    std::lock_guard lock(mutex_);
    ++inside_;
  }
  return std::shared_ptr<void>(nullptr, [self = shared_from_this()](void*) {
    std::lock_guard lock(self->mutex_);
    if (--self->inside_ == 0) self->engine_left_.notify_all();
  });
}

void JsThread::CallJs(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // the environment is ending
  static_cast<JsThread*>(context)->Drain(env);
}

void JsThread::Drain(Napi::Env env) {
  std::vector<Job> jobs;
  {
    std::lock_guard lock(mutex_);
    jobs = std::exchange(jobs_, {});
  }
  for (Job& job : jobs) {
    const Napi::HandleScope scope(env);
    try {
      job(env);
    } catch (const std::exception&) {
      // The environment refuses to run JavaScript: it is being terminated, nobody is left to tell.
    }
  }
}

void JsThread::Close() {
  EndTurn();  // what was queued a moment ago has to begin before its end can be waited for
  std::vector<Job> jobs;
  napi_threadsafe_function wakeup = nullptr;
  {
    std::unique_lock lock(mutex_);
    wakeup = std::exchange(wakeup_, nullptr);
    if (wakeup == nullptr) return;
    jobs = std::exchange(jobs_, {});
    engine_left_.wait_for(lock, kLastCall, [this] { return inside_ == 0; });
  }
  process_.Reset();
  next_tick_.Reset();
  end_turn_.Reset();
  pool_.Reset();
  jobs.clear();  // may let go of tokens, which post and find this closed
  counters().pins -= static_cast<std::int64_t>(pins_.size());
  pins_.clear();
  napi_release_threadsafe_function(wakeup, napi_tsfn_abort);
}

}  // namespace aiges
