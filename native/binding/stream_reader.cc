// SPDX-License-Identifier: Apache-2.0
#include "stream_reader.h"

#include <utility>

#include "errors.h"
#include "frames.h"

namespace aiges {
namespace {

// The limits bound what waits in core; this bounds what is on its way through JavaScript.
constexpr std::size_t kBatch = 64;

Napi::Value WriteResults(Napi::Env env, std::vector<OwnedFrames> results) {
  auto array = Napi::Array::New(env, results.size());
  std::uint32_t i = 0;
  for (OwnedFrames& result : results) array.Set(i++, MakeAnswer(env, std::move(result)));
  return array;
}

}  // namespace

std::shared_ptr<StreamReader> StreamReader::Create(const std::shared_ptr<JsThread>& js, StreamResults::Limits limits) {
  auto reader = std::make_shared<StreamReader>();
  reader->js_ = js;
  reader->results_ = std::make_shared<StreamResults>(limits, [js, weak = std::weak_ptr(reader)] {
    js->Post([weak](Napi::Env env) {
      if (const auto reader = weak.lock()) reader->Deliver(env);
    });
  });
  return reader;
}

Napi::Value StreamReader::Next(Napi::Env env) {
  if (waiting_.has_value()) throw Napi::TypeError::New(env, "expected one reader of results at a time");
  waiting_ = Napi::Promise::Deferred::New(env);
  js_->Hold();
  const Napi::Value promise = waiting_->Promise();
  Deliver(env);
  return promise;
}

void StreamReader::Deliver(Napi::Env env) {
  if (!waiting_.has_value()) return;
  StreamResults::Batch batch = results_->Take(kBatch);
  if (batch.results.empty() && !batch.failure.has_value() && !batch.ended) return;
  const auto deferred = *std::exchange(waiting_, std::nullopt);
  js_->Unhold();
  if (!batch.results.empty()) {
    deferred.Resolve(WriteResults(env, std::move(batch.results)));
  } else if (batch.failure.has_value()) {
    deferred.Reject(MakeError(env, *batch.failure));
  } else {
    deferred.Resolve(env.Null());
  }
}

}  // namespace aiges
