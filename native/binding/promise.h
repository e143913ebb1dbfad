// SPDX-License-Identifier: Apache-2.0
// A promise whose other end is a completion that core may call on any thread.
#pragma once

#include <memory>
#include <utility>
#include <variant>

#include "errors.h"
#include "js_thread.h"
#include "napi_setup.h"
#include "result.h"
#include "unique_function.h"

namespace aiges {

template <typename T>
struct PendingPromise {
  Napi::Value promise;
  UniqueFunction<void(Result<T>)> settle;  // once, from any thread
};

// `convert(env, value)` makes the JavaScript value on the JavaScript thread.
template <typename T, typename Convert>
PendingPromise<T> MakePromise(const std::shared_ptr<JsThread>& js, Napi::Env env, Convert convert) {
  // Plain handles of the environment: may be copied and dropped on any thread, used on the JavaScript thread only.
  const auto deferred = Napi::Promise::Deferred::New(env);
  js->Hold();
  return {deferred.Promise(), [js, deferred, convert = std::move(convert)](Result<T> result) mutable {
            js->Post(
                [&js = *js, deferred, convert = std::move(convert), result = std::move(result)](Napi::Env env) mutable {
                  js.Unhold();
                  if (!result.ok()) return deferred.Reject(MakeError(env, result.status()));
                  Napi::Value value;
                  try {
                    value = convert(env, std::move(result.value()));
                  } catch (const Napi::Error& error) {
                    return deferred.Reject(error.Value());
                  }
                  deferred.Resolve(value);
                });
          }};
}

// For calls that end without a value.
inline Result<std::monostate> Settled(Status status) {
  return status.ok() ? Result<std::monostate>(std::monostate{}) : Result<std::monostate>(std::move(status));
}
inline Napi::Value Nothing(Napi::Env env, std::monostate) { return env.Undefined(); }

}  // namespace aiges
