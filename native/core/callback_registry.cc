// SPDX-License-Identifier: Apache-2.0
#include "callback_registry.h"

#include <algorithm>
#include <utility>

#include "enum_value.h"

namespace aiges {
namespace {

constexpr std::size_t kRetired = 4096;

extern "C" int AigesCallback(const void* tag, pDataList list, int ret) {
  try {
    return CallbackRegistry::Process().Deliver(static_cast<const char*>(tag), list, ret);
  } catch (...) {
    return -1;
  }
}

// Whether a callback that nobody wants was the last one of its stream.
bool EndsStream(const DataList* list, std::size_t max_nodes) {
  for (std::size_t i = 0; list != nullptr && i < max_nodes; list = list->next, ++i) {
    if (IsFinal(LoadEnum(list->status))) return true;
  }
  return false;
}

CallbackRegistry::Delivery CopyDelivery(const DataList* list, int ret, const OutputLimits& limits) {
  CallbackRegistry::Delivery delivery{ret, OwnedFrames{}};
  if (ret == 0) {
    try {
      delivery.frames = CopyFrames(list, limits, "wrapperCallback");
    } catch (...) {
      delivery.frames = Status{Code::kOutOfResources, "wrapperCallback", 0, "no memory for the answer"};
    }
  }
  return delivery;
}

Status Abandoned() { return Status{Code::kAbandoned, "wrapperExecAsync", 0, "nobody waits for the answer any more"}; }

}  // namespace

struct CallbackRegistry::Entry {
  enum class State {
    kQueued,      // registered, not yet shown to the engine
    kWaiting,     // the engine has the tag
    kDelivering,  // the callback's data is being copied
    kClosing,     // a stream: nobody takes its results, the final callback and wrapperDestroy are still to come
    kFinal,       // a stream: the final callback has come, wrapperDestroy has not returned yet
    kTombstone,   // the engine has the tag, nobody waits
    kEnded,       // out of the table
  };

  explicit Entry(Call c) : call(std::move(c)) {}

  Call call;
  const bool stream = call.sink != nullptr;
  State state = State::kQueued;
  std::optional<Gauge> waiting{std::in_place, counters().async_waiting};
  std::optional<Gauge> buried;
  std::multimap<Clock::time_point, EntryPtr>::iterator grave;  // valid in kTombstone
};

CallbackRegistry& CallbackRegistry::Process() {
  // Never destroyed: engines may call back while the process runs its exit handlers.
  static CallbackRegistry& instance = *new CallbackRegistry;
  return instance;
}

wrapperCallback CallbackRegistry::Function() { return &AigesCallback; }

const char* CallbackRegistry::Tag(const EntryPtr& entry) { return entry->call.tag.c_str(); }

CallbackRegistry::EntryPtr CallbackRegistry::Register(Call& call) {
  Sweep();
  std::lock_guard lock(mutex_);
  if (table_.contains(call.tag)) return nullptr;
  auto entry = std::make_shared<Entry>(std::move(call));
  table_.emplace(entry->call.tag, entry);
  return entry;
}

bool CallbackRegistry::Begin(const EntryPtr& entry) {
  std::lock_guard lock(mutex_);
  if (entry->state != Entry::State::kQueued) return false;
  entry->state = Entry::State::kWaiting;
  return true;
}

void CallbackRegistry::Refuse(const EntryPtr& entry, Status status) {
  Ended ended;
  {
    std::lock_guard lock(mutex_);
    switch (entry->state) {
      case Entry::State::kQueued:
      case Entry::State::kWaiting:
      case Entry::State::kClosing:
      case Entry::State::kFinal:
        ended = Detach(*entry);
        Forget(entry);
        break;
      case Entry::State::kTombstone: DropTombstone(entry); break;
      case Entry::State::kDelivering:  // it called back all the same: the first word counts
      case Entry::State::kEnded: break;
    }
  }
  ended.Tell(std::move(status));
}

int CallbackRegistry::Deliver(const char* tag, const DataList* list, int ret) {
  EntryPtr entry;
  EntryPtr stream;
  Ended ended;
  if (tag != nullptr) {
    std::lock_guard lock(mutex_);
    const auto found = table_.find(tag);
    if (found != table_.end()) {
      if (found->second->stream) {
        stream = found->second;
      } else if (found->second->state == Entry::State::kTombstone) {
        DropTombstone(EntryPtr(found->second));
      } else if (found->second->state == Entry::State::kWaiting) {
        entry = found->second;
        ended = Detach(*entry);
        entry->state = Entry::State::kDelivering;
      }
    }
  }
  if (stream != nullptr) return DeliverToStream(stream, list, ret);
  if (entry == nullptr) {
    ++counters().late_callbacks;
    return -1;
  }

  Delivery delivery = CopyDelivery(list, ret, entry->call.limits);
  {
    // Before the requester learns of the end: it may use the tag again.
    std::lock_guard lock(mutex_);
    Forget(entry);
  }
  ended.Tell(std::move(delivery));
  return 0;
}

// Callbacks of one stream may run at the same time: whatever happened before a callback began is seen by it, and what
// happens meanwhile may come before or after.
int CallbackRegistry::DeliverToStream(const EntryPtr& entry, const DataList* list, int ret) {
  std::shared_ptr<Sink> sink;
  {
    std::lock_guard lock(mutex_);
    if (entry->state == Entry::State::kWaiting) sink = entry->call.sink;
  }
  bool taken = false;
  bool last = ret != 0;
  Delivery delivery;
  if (sink != nullptr) {
    delivery = CopyDelivery(list, ret, entry->call.limits);
    if (ret == 0 && delivery.frames.ok()) {
      const auto& frames = delivery.frames.value().frames;
      last = std::any_of(frames.begin(), frames.end(), [](const OutputFrame& frame) { return IsFinal(frame.status); });
    }
  } else if (ret == 0) {
    last = EndsStream(list, entry->call.limits.nodes);
  }
  Ended ended;
  if (last) {
    // Before the requester learns of the end: it may use the tag again.
    std::lock_guard lock(mutex_);
    EndStream(entry, ended);
  }
  if (sink != nullptr) taken = sink->Take(std::move(delivery), last);
  if (taken) return 0;
  ++counters().late_callbacks;
  return -1;
}

bool CallbackRegistry::Knows(std::string_view tag) {
  std::lock_guard lock(mutex_);
  return table_.contains(tag);
}

bool CallbackRegistry::Abandon(std::string_view tag) {
  Ended ended;
  {
    std::lock_guard lock(mutex_);
    const auto found = table_.find(tag);
    if (found == table_.end() || found->second->stream) return false;
    if (!AbandonEntry(EntryPtr(found->second), ended)) return false;
  }
  ended.Tell(Abandoned());
  return true;
}

void CallbackRegistry::AbandonAll(const void* requester) {
  std::vector<Ended> all;
  {
    std::lock_guard lock(mutex_);
    std::vector<EntryPtr> entries;
    for (const auto& [tag, entry] : table_) {
      if (entry->call.requester == requester) entries.push_back(entry);
    }
    for (const EntryPtr& entry : entries) {
      Ended ended;
      if (AbandonEntry(entry, ended)) all.push_back(std::move(ended));
    }
  }
  for (Ended& ended : all) ended.Tell(Abandoned());
}

void CallbackRegistry::Close(const EntryPtr& entry) {
  Ended ended;
  std::lock_guard lock(mutex_);
  if (entry->state == Entry::State::kWaiting) AbandonEntry(entry, ended);
}

void CallbackRegistry::Destroyed(const EntryPtr& entry, Clock::duration grace) {
  Ended ended;
  std::lock_guard lock(mutex_);
  if (entry->state == Entry::State::kWaiting) AbandonEntry(entry, ended);
  if (entry->state == Entry::State::kClosing) Bury(entry, grace);
  if (entry->state == Entry::State::kFinal) Forget(entry);
}

void CallbackRegistry::DropEngine(const void* engine) {
  std::lock_guard lock(mutex_);
  for (auto it = tombstones_.begin(); it != tombstones_.end();) {
    const EntryPtr entry = (it++)->second;
    if (entry->call.engine == engine) DropTombstone(entry);
  }
}

std::optional<CallbackRegistry::Clock::duration> CallbackRegistry::Sweep(Clock::time_point now) {
  std::lock_guard lock(mutex_);
  while (!tombstones_.empty()) {
    const auto& [end, entry] = *tombstones_.begin();
    if (end > now) return end - now;
    DropTombstone(EntryPtr(entry));
  }
  return std::nullopt;
}

CallbackRegistry::Ended CallbackRegistry::Detach(Entry& entry) {
  entry.waiting.reset();
  return {std::move(entry.call.done), std::move(entry.call.route), std::move(entry.call.sink)};
}

void CallbackRegistry::Forget(const EntryPtr& entry) {
  entry->state = Entry::State::kEnded;
  table_.erase(entry->call.tag);
  retired_.push_back(entry);
  if (retired_.size() > kRetired) retired_.pop_front();
}

bool CallbackRegistry::AbandonEntry(const EntryPtr& entry, Ended& ended) {
  if (entry->state == Entry::State::kQueued) {
    ended = Detach(*entry);
    Forget(entry);  // the engine has never seen the tag: nothing to wait for
    return true;
  }
  if (entry->state != Entry::State::kWaiting) return false;
  ended = Detach(*entry);
  if (entry->stream) {
    entry->state = Entry::State::kClosing;  // the tag is the engine's until wrapperDestroy has returned
  } else {
    Bury(entry, life_);
  }
  return true;
}

void CallbackRegistry::EndStream(const EntryPtr& entry, Ended& ended) {
  if (entry->state == Entry::State::kTombstone) {
    DropTombstone(entry);
  } else if (entry->state == Entry::State::kWaiting || entry->state == Entry::State::kClosing) {
    ended = Detach(*entry);
    entry->state = Entry::State::kFinal;
  }
}

void CallbackRegistry::Bury(const EntryPtr& entry, Clock::duration life) {
  entry->state = Entry::State::kTombstone;
  entry->buried.emplace(counters().tombstones);
  entry->grave = tombstones_.emplace(Clock::now() + life, entry);
  while (tombstones_.size() > entry->call.abandoned_limit) {
    ++counters().tombstones_dropped;
    DropTombstone(EntryPtr(tombstones_.begin()->second));
  }
}

void CallbackRegistry::DropTombstone(const EntryPtr& entry) {
  tombstones_.erase(entry->grave);
  entry->buried.reset();
  Forget(entry);
}

}  // namespace aiges
