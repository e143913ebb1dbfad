// SPDX-License-Identifier: Apache-2.0
#include "executor.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "counters.h"

namespace aiges {

// Shared with the threads, which are detached and may outlive the Executor.
struct Executor::State : std::enable_shared_from_this<Executor::State> {
  explicit State(Options o) : options(std::move(o)) {}

  struct Item {
    Task task;
    Gauge queued{counters().jobs_queued};
  };

  bool Add(Task task, bool needs_thread);
  void Grow();  // with `mutex` held
  void Work() noexcept;

  Options options;
  std::mutex mutex;
  std::condition_variable work;   // there is a task, or it is time to end
  std::condition_variable quiet;  // a thread became idle or ended
  std::deque<Item> queue;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool ending = false;
};

bool Executor::State::Add(Task task, bool needs_thread) {
  {
    std::lock_guard lock(mutex);
    queue.push_back({std::move(task)});
    // A thread that was notified but has not woken up yet still counts as idle: compare with the queue.
    if (queue.size() > idle && threads < options.max_threads) Grow();
    if (threads == 0 && needs_thread) {
      queue.pop_back();
      return false;
    }
  }
  work.notify_one();
  return true;
}

void Executor::State::Grow() {
  try {
    std::thread([self = shared_from_this()] { self->Work(); }).detach();
    ++threads;
    ++counters().threads;
  } catch (const std::system_error&) {
    // The limit of the machine: the threads there are do the work.
  }
}

void Executor::State::Work() noexcept {
  pthread_setname_np(pthread_self(), options.name.substr(0, 15).c_str());
  std::unique_lock lock(mutex);
  for (;;) {
    ++idle;
    quiet.notify_all();
    bool retire = false;
    while (queue.empty() && !retire) {
      if (ending) {
        retire = true;
      } else if (work.wait_for(lock, options.idle) == std::cv_status::timeout) {
        retire = queue.empty() && (ending || threads > 1);
      }
    }
    --idle;
    if (retire) break;

    Task task = std::move(queue.front().task);
    queue.pop_front();
    lock.unlock();
    {
      const Gauge running(counters().jobs_running);
      try {
        task();
      } catch (...) {
        // Tasks report their own failures; what escapes one of them must not take the process down.
      }
      task = {};  // what it carries may be the last reference to an engine: let go without the lock
    }
    lock.lock();
  }
  --threads;
  --counters().threads;
  quiet.notify_all();
}

Executor::Executor(Options options) : state_(std::make_shared<State>(std::move(options))) {
  state_->options.max_threads = std::max<std::size_t>(1, state_->options.max_threads);
}

Executor::~Executor() {
  {
    std::lock_guard lock(state_->mutex);
    state_->ending = true;
  }
  state_->work.notify_all();
}

bool Executor::Submit(Task task) { return state_->Add(std::move(task), true); }

void Executor::Post(Task task) { state_->Add(std::move(task), false); }

void Executor::RaiseLimit(std::size_t max_threads) {
  std::lock_guard lock(state_->mutex);
  state_->options.max_threads = std::max(state_->options.max_threads, max_threads);
}

void Executor::Drain() {
  std::unique_lock lock(state_->mutex);
  state_->quiet.wait(lock, [this] { return state_->queue.empty() && state_->idle == state_->threads; });
}

void Executor::Stop() {
  Drain();
  std::unique_lock lock(state_->mutex);
  state_->ending = true;
  state_->work.notify_all();
  state_->quiet.wait(lock, [this] { return state_->threads == 0; });
}

}  // namespace aiges
