// SPDX-License-Identifier: Apache-2.0
// The way back into JavaScript. One per environment (the main thread, and each worker thread that loads the addon).
//
// Rules:
//  - Post may be called from any thread and at any time; after the environment has ended it does nothing. What a job
//    carries is then destroyed on the posting thread, so a job owns no JavaScript reference.
//  - Everything else is called on the JavaScript thread only. References live here and are dropped here.
//  - All jobs posted since the last wake-up run in one go.
//  - The event loop is held exactly while a promise is pending: an idle engine does not keep a process alive.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine.h"
#include "napi_setup.h"
#include "unique_function.h"

namespace aiges {

class JsThread : public std::enable_shared_from_this<JsThread> {
 public:
  using Job = UniqueFunction<void(Napi::Env)>;

  static std::shared_ptr<JsThread> Create(Napi::Env env);
  static std::shared_ptr<JsThread> Of(Napi::Env env);

  void Post(Job job);

  // Wakes the engine's threads up when the JavaScript that is running now, and the promises it has settled, have run:
  // the calls that one turn of the event loop leads to are handed over with one wake-up.
  void WakeAfterTurn(Engine& engine);

  // A promise is pending; it is settled.
  void Hold();
  void Unhold();

  // Keeps a JavaScript object alive until the token is gone, on whatever thread that happens.
  std::shared_ptr<void> Pin(Napi::Object object);

  // Memory of JavaScript for bytes that need none of their own, as Node's pool has it: an ArrayBuffer for each small
  // answer costs more than the answer. At most kPooledBytes; they begin at `offset`.
  static constexpr std::size_t kPooledBytes = 1024;
  Napi::ArrayBuffer Pooled(std::size_t size, std::size_t& offset);

  // While such a token lives, engine code is reading memory that belongs to JavaScript. The environment does not end
  // under it, within reason.
  std::shared_ptr<void> EnterEngine();

  // Whether memory of JavaScript stays valid while the process lives. A worker's does not: its heap dies with
  // terminate(), whatever an engine is reading.
  bool memory_outlives_calls() const { return is_main_thread_; }

 private:
  JsThread();
  void Start(Napi::Env env);
  void Drain(Napi::Env env);
  void Close();
  void EndTurn();

  static void CallJs(napi_env env, napi_value, void* context, void*);

  const bool is_main_thread_;
  napi_env env_ = nullptr;

  std::mutex mutex_;
  std::condition_variable engine_left_;
  std::vector<Job> jobs_;                      // mutex_
  napi_threadsafe_function wakeup_ = nullptr;  // mutex_; null once closed
  std::size_t inside_ = 0;                     // mutex_

  // JavaScript thread only.
  Napi::ObjectReference process_;
  Napi::FunctionReference next_tick_;
  Napi::FunctionReference end_turn_;
  std::vector<std::shared_ptr<Engine>> to_wake_;

  Napi::Reference<Napi::ArrayBuffer> pool_;
  std::size_t pool_used_ = 0;

  std::size_t pending_ = 0;
  std::uint64_t next_pin_ = 0;
  std::unordered_map<std::uint64_t, Napi::ObjectReference> pins_;
};

}  // namespace aiges
