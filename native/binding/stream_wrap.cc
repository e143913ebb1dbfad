// SPDX-License-Identifier: Apache-2.0
#include "stream_wrap.h"

#include <memory>
#include <unordered_set>
#include <utility>
#include <variant>

#include "engine_handle.h"
#include "frames.h"
#include "js_thread.h"
#include "promise.h"
#include "stream.h"
#include "stream_reader.h"

namespace aiges {
namespace {

constexpr napi_type_tag kStreamTag{0x6c0d5e19b7f24a83, 0xd1482fa6093be57c};

struct StreamHandle;
// The streams that one environment has open. JavaScript thread only; each handle holds it as well.
using OpenStreams = std::unordered_set<StreamHandle*>;

// What JavaScript holds of a stream. Dropping it without closeStream() destroys the stream as well.
struct StreamHandle {
  StreamHandle(StreamPtr s, std::shared_ptr<StreamReader> r, CallOptions o, std::shared_ptr<OpenStreams> l)
      : stream(std::move(s)), reader(std::move(r)), options(std::move(o)), list(std::move(l)) {
    list->insert(this);
  }
  ~StreamHandle() { list->erase(this); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;

  StreamPtr stream;                      // null once closed
  std::shared_ptr<StreamReader> reader;  // null without callback
  const CallOptions options;
  const std::shared_ptr<OpenStreams> list;
};

StreamHandle& HandleOfStream(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<StreamHandle>>().CheckTypeTag(&kStreamTag)) {
    throw Napi::TypeError::New(value.Env(), "expected a stream that openStream() gave");
  }
  return *value.As<Napi::External<StreamHandle>>().Data();
}

StreamPtr StreamOf(const StreamHandle& handle, Napi::Env env) {
  if (handle.stream == nullptr) throw Napi::TypeError::New(env, "expected an open stream, this one is closed");
  return handle.stream;
}

// openStream(engine, tag, params, resourceIds, async)
Napi::Value OpenStream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto js = JsThread::Of(env);
  EngineHandle& engine = HandleOf(info[0]);
  EngineUse& use = UseOf(engine, env);
  const CallOptions& options = engine.options;
  std::string tag = ReadKey(info[1], "tag");
  DataListBuilder params(options.empty_list, options.input_mode);
  params.SetParams(ReadPairs(info[2], "params"));

  StreamRequest request(std::move(tag), std::move(params));
  request.resource_ids = ReadIds(info[3]);
  if (!info[4].IsBoolean()) throw Napi::TypeError::New(env, "expected a boolean for async");
  std::shared_ptr<StreamReader> reader;
  if (info[4].As<Napi::Boolean>().Value()) {
    reader = StreamReader::Create(js, options.stream_results);
    request.results = reader->results();
  }
  request.control = engine.records->log();
  request.requester = js.get();
  request.limits = options.limits;
  request.abandoned_limit = options.abandoned;
  request.tag_grace = options.tag_grace;

  auto* list = static_cast<std::shared_ptr<OpenStreams>*>(info.Data());
  auto pending = MakePromise<StreamPtr>(
      js, env, [reader = std::move(reader), options, list = *list](Napi::Env env, StreamPtr stream) -> Napi::Value {
        auto handle = std::make_unique<StreamHandle>(std::move(stream), reader, options, list);
        auto external = Napi::External<StreamHandle>::New(env, handle.release(),
                                                          [](Napi::Env, StreamHandle* owned) { delete owned; });
        external.TypeTag(&kStreamTag);
        return external;
      });
  Stream::Open(*use, std::move(request), std::move(pending.settle));
  return pending.promise;
}

// writeStream(stream, frames)
Napi::Value WriteStream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto js = JsThread::Of(env);
  const StreamHandle& handle = HandleOfStream(info[0]);
  const StreamPtr stream = StreamOf(handle, env);
  DataListBuilder frames(handle.options.empty_list, handle.options.input_mode);
  Borrowed borrowed = AddFrames(*js, info[1], frames);
  StreamInput input(std::move(frames));
  input.pins = std::move(borrowed.pins);
  input.inside = std::move(borrowed.inside);
  auto pending = MakePromise<std::monostate>(js, env, Nothing);
  stream->Write(std::move(input),
                [settle = std::move(pending.settle)](Status status) mutable { settle(Settled(std::move(status))); });
  return pending.promise;
}

// readStream(stream)
Napi::Value ReadStream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const StreamPtr stream = StreamOf(HandleOfStream(info[0]), env);
  auto pending = MakePromise<OwnedFrames>(JsThread::Of(env), env, [](Napi::Env env, OwnedFrames output) {
    return output.frames.empty() ? env.Null() : MakeAnswer(env, std::move(output));
  });
  stream->Read(std::move(pending.settle));
  return pending.promise;
}

// streamResults(stream)
Napi::Value Results(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const StreamHandle& handle = HandleOfStream(info[0]);
  if (handle.reader == nullptr) throw Napi::TypeError::New(env, "expected a stream that calls back");
  return handle.reader->Next(env);
}

// closeStream(stream)
Napi::Value CloseStream(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  StreamHandle& handle = HandleOfStream(info[0]);
  const StreamPtr stream = StreamOf(handle, env);
  handle.stream.reset();
  auto pending = MakePromise<std::monostate>(JsThread::Of(env), env, Nothing);
  stream->Close([settle = std::move(pending.settle)](Status status) mutable { settle(Settled(std::move(status))); });
  return pending.promise;
}

// The environment ends: it waits, within reason, for wrapperDestroy of the streams that the engine is idle in. The
// others are destroyed when their call has returned, if the process lives until then.
void LetGo(OpenStreams& streams, JsThread& js) {
  for (StreamHandle* handle : streams) {
    const StreamPtr stream = std::exchange(handle->stream, nullptr);
    if (stream == nullptr || !stream->idle()) continue;
    stream->Close([inside = js.EnterEngine()](const Status&) mutable { inside.reset(); });
  }
}

}  // namespace

void ExportStream(Napi::Env env, Napi::Object exports) {
  auto* list = new std::shared_ptr<OpenStreams>(std::make_shared<OpenStreams>());
  // Runs before the JsThread's own, which is the one that waits.
  env.AddCleanupHook([js = JsThread::Of(env), list] {
    LetGo(**list, *js);
    delete list;
  });
  exports.Set("openStream", Napi::Function::New<OpenStream>(env, "openStream", list));
  exports.Set("writeStream", Napi::Function::New<WriteStream>(env, "writeStream"));
  exports.Set("readStream", Napi::Function::New<ReadStream>(env, "readStream"));
  exports.Set("streamResults", Napi::Function::New<Results>(env, "streamResults"));
  exports.Set("closeStream", Napi::Function::New<CloseStream>(env, "closeStream"));
}

}  // namespace aiges
