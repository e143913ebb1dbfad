// SPDX-License-Identifier: Apache-2.0
#include "record_reader.h"

#include <utility>

namespace aiges {
namespace {

// Some hundred calls' worth at the usual handful per call; beyond it engines are logging, not metering.
constexpr std::size_t kCapacity = 4096;

Napi::Value WriteRecords(Napi::Env env, const std::vector<ControlRecord>& records) {
  auto array = Napi::Array::New(env, records.size());
  std::uint32_t i = 0;
  for (const ControlRecord& record : records) {
    auto object = Napi::Object::New(env);
    const bool meter = record.kind == ControlRecord::Kind::kMeter;
    object.Set("kind", meter ? "meter" : "trace");
    object.Set("tag", record.tag);
    object.Set("key", record.key);
    object.Set("value", meter ? Napi::Value(Napi::Number::New(env, record.count))
                              : Napi::Value(Napi::String::New(env, record.value)));
    array.Set(i++, object);
  }
  return array;
}

}  // namespace

std::shared_ptr<RecordReader> RecordReader::Create(const std::shared_ptr<JsThread>& js) {
  auto reader = std::make_shared<RecordReader>();
  reader->log_ = std::make_shared<ControlLog>(kCapacity, [js, weak = std::weak_ptr(reader)] {
    js->Post([weak](Napi::Env env) {
      if (const auto reader = weak.lock()) reader->Deliver(env);
    });
  });
  return reader;
}

Napi::Value RecordReader::Next(Napi::Env env) {
  if (waiting_.has_value()) throw Napi::TypeError::New(env, "expected one reader of records at a time");
  waiting_ = Napi::Promise::Deferred::New(env);
  const Napi::Value promise = waiting_->Promise();
  Deliver(env);
  return promise;
}

void RecordReader::Close(Napi::Env env) {
  closed_ = true;
  Deliver(env);
}

void RecordReader::Deliver(Napi::Env env) {
  if (!waiting_.has_value()) return;
  const std::vector<ControlRecord> records = log_->Drain();
  if (records.empty() && !closed_) return;
  const auto deferred = *std::exchange(waiting_, std::nullopt);
  deferred.Resolve(records.empty() ? env.Null() : WriteRecords(env, records));
}

}  // namespace aiges
