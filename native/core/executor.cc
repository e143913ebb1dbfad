// SPDX-License-Identifier: Apache-2.0
#include "executor.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "block.h"
#include "counters.h"

namespace aiges {
namespace {

// A thread that has had nothing to do for so long gives back the memory that is kept for its next call: it is not among
// those that are needed now.
constexpr std::chrono::milliseconds kTrimThread{250};
// When there was nothing to do for any of them, that of the process goes, too.
constexpr std::chrono::milliseconds kTrimAll{2'000};

// When the last task of any executor ended: trimming takes the lock of every arena, also of those of busy engines.
std::atomic<std::chrono::steady_clock::rep> any_used_at = 0;

std::chrono::steady_clock::time_point AnyUsedAt() {
  return std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(any_used_at.load()));
}

}  // namespace

// Shared with the threads, which are detached and may outlive the Executor.
struct Executor::State : std::enable_shared_from_this<Executor::State> {
  explicit State(Options o) : options(std::move(o)) {}

  using Clock = std::chrono::steady_clock;

  struct Item {
    Task task;
    Gauge queued{counters().jobs_queued};
  };

  struct Worker {
    std::condition_variable wake;
    bool woken = false;  // mutex
    bool used = false;   // its own; since it trimmed its memory
  };
  using WorkerPtr = std::shared_ptr<Worker>;

  bool Add(Task task, bool needs_thread, bool wake);
  void Invite(std::unique_lock<std::mutex> lock);
  void Grow();  // with `mutex` held
  void Work(const WorkerPtr& self) noexcept;
  bool Rest(std::unique_lock<std::mutex>& lock, const WorkerPtr& self);
  void Trim(std::unique_lock<std::mutex>& lock, const WorkerPtr& self, void (*trim)());

  Options options;
  std::mutex mutex;
  std::condition_variable quiet;  // a thread became idle or ended
  std::deque<Item> queue;
  std::size_t threads = 0;
  // Who rested last works next: its stack and caches are warm, and threads that are not needed grow old and retire.
  std::vector<WorkerPtr> idle;
  // A thread is on its way to the queue. It sends for the next one if it finds more than it can take, so a burst of
  // short calls wakes one or two threads and not one for each call.
  bool arriving = false;
  bool used = false;  // since memory was trimmed
  bool ending = false;
};

bool Executor::State::Add(Task task, bool needs_thread, bool wake) {
  std::unique_lock lock(mutex);
  queue.push_back({std::move(task)});
  if (threads == 0) {
    Grow();
    if (threads == 0 && needs_thread) {
      queue.pop_back();
      return false;
    }
  }
  if (wake) Invite(std::move(lock));
  return true;
}

// Sends for a thread, if there is something to do and none is on its way. Gives the lock back before it wakes one, who
// would only wait for it.
void Executor::State::Invite(std::unique_lock<std::mutex> lock) {
  if (queue.empty() || arriving) return;
  if (idle.empty()) {
    if (threads < options.max_threads) Grow();
    return;
  }
  const WorkerPtr worker = std::move(idle.back());
  idle.pop_back();
  worker->woken = arriving = true;
  lock.unlock();
  worker->wake.notify_one();
}

void Executor::State::Grow() {
  try {
    idle.reserve(threads + 1);  // resting must not fail
    std::thread([state = shared_from_this(), self = std::make_shared<Worker>()] { state->Work(self); }).detach();
    ++threads;
    ++counters().threads;
    arriving = true;
  } catch (const std::exception&) {
    // The limit of the machine: the threads there are do the work.
  }
}

void Executor::State::Work(const WorkerPtr& self) noexcept {
  pthread_setname_np(pthread_self(), options.name.substr(0, 15).c_str());
  std::unique_lock lock(mutex);
  arriving = false;
  while (!queue.empty() || Rest(lock, self)) {
    if (queue.empty()) continue;
    Task task = std::move(queue.front().task);
    queue.pop_front();
    self->used = used = true;
    Invite(std::move(lock));
    {
      const Gauge running(counters().jobs_running);
      try {
        task();
      } catch (...) {
        // Tasks report their own failures; what escapes one of them must not take the process down.
      }
      task = {};  // what it carries may be the last reference to an engine: let go without the lock
    }
    lock = std::unique_lock(mutex);
    any_used_at = Clock::now().time_since_epoch().count();
  }
  --threads;
  --counters().threads;
  quiet.notify_all();
}

void Executor::State::Trim(std::unique_lock<std::mutex>& lock, const WorkerPtr& self, void (*trim)()) {
  // The last to be sent for, as long as it is busy with that.
  std::erase(idle, self);
  idle.insert(idle.begin(), self);
  lock.unlock();
  trim();
  lock.lock();
}

// Waits until there may be something to do. False when the thread is to end.
bool Executor::State::Rest(std::unique_lock<std::mutex>& lock, const WorkerPtr& self) {
  self->woken = false;
  idle.push_back(self);
  quiet.notify_all();
  auto retirement = Clock::now() + options.idle;
  bool retire = false;
  while (!self->woken && !ending && !retire) {
    const auto patience = self->used ? kTrimThread : used ? kTrimAll : options.idle;
    const auto until = std::min(retirement, Clock::now() + patience);
    if (self->wake.wait_until(lock, until) != std::cv_status::timeout || self->woken) continue;
    if (!queue.empty()) break;  // whoever was to wake somebody up could not
    if (std::exchange(self->used, false)) {
      Trim(lock, self, TrimThread);
    } else if (used && idle.size() == threads && Clock::now() - AnyUsedAt() >= kTrimAll) {
      used = false;
      Trim(lock, self, [] {
        TrimMemory();
        TrimKept(kTrimAll);
      });
    } else if (until == retirement) {
      retire = threads > 1;
      retirement += options.idle;
    }
  }
  if (self->woken) {
    arriving = false;
    return true;
  }
  std::erase(idle, self);
  return !queue.empty();
}

Executor::Executor(Options options) : state_(std::make_shared<State>(std::move(options))) {
  KeepLittleInArenas();
  state_->options.max_threads = std::max<std::size_t>(1, state_->options.max_threads);
}

Executor::~Executor() {
  std::lock_guard lock(state_->mutex);
  state_->ending = true;
  for (const auto& worker : state_->idle) worker->wake.notify_one();
}

bool Executor::Submit(Task task, Wake wake) { return state_->Add(std::move(task), true, wake == Wake::kNow); }

void Executor::Post(Task task) { state_->Add(std::move(task), false, true); }

void Executor::WakeUp() { state_->Invite(std::unique_lock(state_->mutex)); }

void Executor::RaiseLimit(std::size_t max_threads) {
  std::unique_lock lock(state_->mutex);
  state_->options.max_threads = std::max(state_->options.max_threads, max_threads);
  state_->Invite(std::move(lock));
}

void Executor::Drain() {
  std::unique_lock lock(state_->mutex);
  state_->quiet.wait(lock, [this] { return state_->queue.empty() && state_->idle.size() == state_->threads; });
}

void Executor::Stop() {
  Drain();
  std::unique_lock lock(state_->mutex);
  state_->ending = true;
  for (const auto& worker : state_->idle) worker->wake.notify_one();
  state_->quiet.wait(lock, [this] { return state_->threads == 0; });
}

}  // namespace aiges
