// SPDX-License-Identifier: Apache-2.0
#include "engine_wrap.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "engine_handle.h"
#include "engine_registry.h"
#include "frames.h"
#include "js_thread.h"
#include "promise.h"
#include "read_options.h"
#include "record_reader.h"

namespace aiges {
namespace {

// A year in milliseconds: the clock's arithmetic cannot overflow.
constexpr std::size_t kLongestGrace = 365ull * 86'400'000;

CallOptions ReadOptions(const Napi::Object& options) {
  CallOptions result;
  result.empty_list = ReadBool(options, "nullForEmpty") ? EmptyList::kNull : EmptyList::kSentinel;
  result.input_mode = ReadBool(options, "copyInput") ? InputMode::kCopy : InputMode::kAuto;
  result.lease = ReadBool(options, "lease");
  result.leased_bytes = ReadSize(options, "leasedBytes");
  result.abandoned = ReadSize(options, "abandoned");
  result.tag_grace = std::chrono::milliseconds(std::min(ReadSize(options, "tagGraceMs"), kLongestGrace));
  result.stream_results.count = ReadSize(options, "streamResults");
  result.stream_results.bytes = ReadSize(options, "streamBytes");
  result.limits.bytes = ReadSize(options, "outputBytes");
  return result;
}

Napi::Value WriteOpened(Napi::Env env, std::unique_ptr<EngineHandle> handle) {
  const Engine& engine = **handle->use;
  auto opened = Napi::Object::New(env);
  opened.Set("version", engine.version());
  opened.Set("once", engine.api().Has(Group::kOnce));
  opened.Set("async", engine.api().Has(Group::kAsync));
  opened.Set("stream", engine.api().Has(Group::kStream));
  opened.Set("resources", engine.api().Has(Group::kResources));
  auto incomplete = Napi::Array::New(env);
  for (const std::string& phrase : engine.api().incomplete) {
    incomplete.Set(incomplete.Length(), Napi::String::New(env, phrase));
  }
  opened.Set("incomplete", incomplete);
  auto external =
      Napi::External<EngineHandle>::New(env, handle.release(), [](Napi::Env, EngineHandle* owned) { delete owned; });
  TagEngine(external);
  opened.Set("engine", external);
  return opened;
}

// open(path, config, options)
Napi::Value Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto js = JsThread::Of(env);
  if (!info[2].IsObject()) throw Napi::TypeError::New(env, "expected an object for options");
  const auto given = info[2].As<Napi::Object>();
  const CallOptions options = ReadOptions(given);
  EngineOptions engine;
  engine.path = ReadKey(info[0], "path");
  engine.config = ReadPairs(info[1], "config");
  engine.empty_list = options.empty_list;
  engine.max_threads = ReadSize(given, "maxThreads");

  auto pending = MakePromise<EngineUse>(js, env, [js, options](Napi::Env env, EngineUse use) {
    auto handle = std::make_unique<EngineHandle>();
    handle->options = options;
    handle->records = RecordReader::Create(js);
    handle->use.emplace(std::move(use));
    return WriteOpened(env, std::move(handle));
  });
  EngineRegistry::Process().Open(std::move(engine), std::move(pending.settle));
  return pending.promise;
}

// close(engine)
Napi::Value Close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EngineHandle& handle = HandleOf(info[0]);
  EngineUse use = std::move(UseOf(handle, env));
  handle.use.reset();
  const auto js = JsThread::Of(env);
  auto pending = MakePromise<std::monostate>(js, env, Nothing);
  EngineRegistry::Process().Close(
      std::move(use), [js, records = handle.records, settle = std::move(pending.settle)](Status status) mutable {
        // The last records come before the news that there are no more, whatever wrapperFini returned.
        js->Post([records](Napi::Env env) { records->Close(env); });
        settle(Settled(std::move(status)));
      });
  return pending.promise;
}

// (engine, tag, params, frames, resourceIds, timeout)
Request ReadRequest(const Napi::CallbackInfo& info, const EngineHandle& handle, const std::shared_ptr<JsThread>& js) {
  const Napi::Env env = info.Env();
  const CallOptions& options = handle.options;
  DataListBuilder input(options.empty_list, options.input_mode);
  std::string tag = ReadKey(info[1], "tag");
  input.SetParams(ReadPairs(info[2], "params"));
  Borrowed borrowed = AddFrames(*js, info[3], input);

  Request request(std::move(tag), std::move(input));
  request.resource_ids = ReadIds(info[4]);
  if (info[5].IsNumber()) {
    // Bounded to a day: the clock's arithmetic cannot overflow, and no engine takes a longer timeout for another.
    const double ms = std::min(info[5].As<Napi::Number>().DoubleValue(), 86'400'000.0);
    request.deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(static_cast<long long>(ms * 1000));
  } else if (!info[5].IsNull()) {
    throw Napi::TypeError::New(env, "expected a number or null for timeout");
  }
  request.control = handle.records->log();
  request.requester = js.get();
  request.limits = options.limits;
  request.lease = options.lease;
  request.leased_bytes_limit = options.leased_bytes;
  request.abandoned_limit = options.abandoned;
  request.wake = Executor::Wake::kLater;
  request.pins = std::move(borrowed.pins);
  request.inside = std::move(borrowed.inside);
  return request;
}

using Start = void (Engine::*)(Request, Engine::Done);

template <Start start>
Napi::Value Call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto js = JsThread::Of(env);
  EngineHandle& handle = HandleOf(info[0]);
  EngineUse& use = UseOf(handle, env);
  Request request = ReadRequest(info, handle, js);
  auto pending = MakePromise<OwnedFrames>(js, env, MakeAnswer);
  ((*use).*start)(std::move(request), std::move(pending.settle));
  js->WakeAfterTurn(*use);
  return pending.promise;
}

// Not ReadIds: an id that does not fit names no resource, and must not become another one's.
unsigned int ReadId(const Napi::Value& value) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= std::numeric_limits<unsigned int>::max()) || number != std::floor(number)) {
    throw Napi::TypeError::New(value.Env(), "expected an unsigned 32-bit number for id");
  }
  return static_cast<unsigned int>(number);
}

// loadResource(engine, id, frames)
Napi::Value LoadResource(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto js = JsThread::Of(env);
  EngineHandle& handle = HandleOf(info[0]);
  EngineUse& use = UseOf(handle, env);
  DataListBuilder content(handle.options.empty_list, handle.options.input_mode);
  const unsigned int id = ReadId(info[1]);
  Borrowed borrowed = AddFrames(*js, info[2], content);
  Resource resource(id, std::move(content));
  resource.pins = std::move(borrowed.pins);
  resource.inside = std::move(borrowed.inside);
  auto pending = MakePromise<std::monostate>(js, env, Nothing);
  use->LoadResource(std::move(resource), [settle = std::move(pending.settle)](Status status) mutable {
    settle(Settled(std::move(status)));
  });
  return pending.promise;
}

// unloadResource(engine, id)
Napi::Value UnloadResource(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EngineUse& use = UseOf(HandleOf(info[0]), env);
  const unsigned int id = ReadId(info[1]);
  auto pending = MakePromise<std::monostate>(JsThread::Of(env), env, Nothing);
  use->UnloadResource(
      id, [settle = std::move(pending.settle)](Status status) mutable { settle(Settled(std::move(status))); });
  return pending.promise;
}

// abandon(tag)
Napi::Value Abandon(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), CallbackRegistry::Process().Abandon(ReadKey(info[0], "tag")));
}

// known(tag)
Napi::Value Known(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), CallbackRegistry::Process().Knows(ReadKey(info[0], "tag")));
}

// sweep()
Napi::Value Sweep(const Napi::CallbackInfo& info) {
  const auto next = CallbackRegistry::Process().Sweep();
  if (!next.has_value()) return info.Env().Null();
  return Napi::Number::New(info.Env(), std::chrono::duration<double, std::milli>(*next).count());
}

// release(memory)
void Release(const Napi::CallbackInfo& info) { ReleaseAnswer(info[0]); }

// records(engine)
Napi::Value Records(const Napi::CallbackInfo& info) { return HandleOf(info[0]).records->Next(info.Env()); }

Napi::Value ReadCounters(const Napi::CallbackInfo& info) {
  CallbackRegistry::Process().Sweep();
  const Counters& c = counters();
  auto object = Napi::Object::New(info.Env());
  auto set = [&](const char* name, const Counters::Number& number) {
    object.Set(name, static_cast<double>(number.load()));
  };
  set("jobsQueued", c.jobs_queued);
  set("jobsRunning", c.jobs_running);
  set("outputsAlive", c.outputs_alive);
  set("leasedBytes", c.leased_bytes);
  set("pins", c.pins);
  set("sessions", c.sessions);
  set("asyncWaiting", c.async_waiting);
  set("tombstones", c.tombstones);
  set("engines", c.engines);
  set("threads", c.threads);
  set("loans", c.loans);
  set("bytesIn", c.bytes_in);
  set("bytesOut", c.bytes_out);
  set("unalignedCopies", c.unaligned_copies);
  set("lateCallbacks", c.late_callbacks);
  set("controlDropped", c.control_dropped);
  set("tombstonesDropped", c.tombstones_dropped);
  set("destroyFailures", c.destroy_failures);
  return object;
}

}  // namespace

void ExportEngine(Napi::Env env, Napi::Object exports) {
  // Runs before the JsThread's own: whoever still waits for a callback gives up, so that engines can end.
  env.AddCleanupHook([js = JsThread::Of(env)] { CallbackRegistry::Process().AbandonAll(js.get()); });
  exports.Set("open", Napi::Function::New<Open>(env, "open"));
  exports.Set("close", Napi::Function::New<Close>(env, "close"));
  exports.Set("exec", Napi::Function::New<Call<&Engine::Exec>>(env, "exec"));
  exports.Set("execAsync", Napi::Function::New<Call<&Engine::ExecAsync>>(env, "execAsync"));
  exports.Set("loadResource", Napi::Function::New<LoadResource>(env, "loadResource"));
  exports.Set("unloadResource", Napi::Function::New<UnloadResource>(env, "unloadResource"));
  exports.Set("abandon", Napi::Function::New<Abandon>(env, "abandon"));
  exports.Set("known", Napi::Function::New<Known>(env, "known"));
  exports.Set("sweep", Napi::Function::New<Sweep>(env, "sweep"));
  exports.Set("release", Napi::Function::New<Release>(env, "release"));
  exports.Set("records", Napi::Function::New<Records>(env, "records"));
  exports.Set("counters", Napi::Function::New<ReadCounters>(env, "counters"));
}

}  // namespace aiges
