// SPDX-License-Identifier: Apache-2.0
// The results of an asynchronous stream for JavaScript: a promise of the next batch.
#pragma once

#include <memory>
#include <optional>

#include "js_thread.h"
#include "napi_setup.h"
#include "stream_results.h"

namespace aiges {

// JavaScript thread only. Holds the event loop while somebody waits.
class StreamReader : public std::enable_shared_from_this<StreamReader> {
 public:
  static std::shared_ptr<StreamReader> Create(const std::shared_ptr<JsThread>& js, StreamResults::Limits limits);

  const std::shared_ptr<StreamResults>& results() const { return results_; }

  // A promise of the next results; of null once there will be no more. Rejects when the stream has failed. One at a
  // time.
  Napi::Value Next(Napi::Env env);

 private:
  void Deliver(Napi::Env env);

  std::shared_ptr<JsThread> js_;
  std::shared_ptr<StreamResults> results_;
  std::optional<Napi::Promise::Deferred> waiting_;
};

}  // namespace aiges
