// SPDX-License-Identifier: Apache-2.0
// Meter and trace records for JavaScript: a promise of the next batch, so that C++ never calls a user's function.
#pragma once

#include <memory>
#include <optional>

#include "control_log.h"
#include "js_thread.h"
#include "napi_setup.h"

namespace aiges {

// JavaScript thread only. Does not hold the event loop: records come from calls, and those do.
class RecordReader : public std::enable_shared_from_this<RecordReader> {
 public:
  static std::shared_ptr<RecordReader> Create(const std::shared_ptr<JsThread>& js);

  const std::shared_ptr<ControlLog>& log() const { return log_; }

  // A promise of the next records; of null once closed and empty. One at a time.
  Napi::Value Next(Napi::Env env);
  // No more records will come: hands over what is left.
  void Close(Napi::Env env);

 private:
  void Deliver(Napi::Env env);

  std::shared_ptr<ControlLog> log_;
  std::optional<Napi::Promise::Deferred> waiting_;
  bool closed_ = false;
};

}  // namespace aiges
