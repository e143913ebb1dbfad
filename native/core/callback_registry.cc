// SPDX-License-Identifier: Apache-2.0
#include "callback_registry.h"

#include <optional>
#include <utility>

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

Status Abandoned() { return Status{Code::kAbandoned, "wrapperExecAsync", 0, "nobody waits for the answer any more"}; }

}  // namespace

struct CallbackRegistry::Entry {
  enum class State {
    kQueued,      // registered, not yet shown to the engine
    kWaiting,     // the engine has the tag
    kDelivering,  // the callback's data is being copied
    kTombstone,   // the engine has the tag, nobody waits
    kEnded,       // out of the table
  };

  explicit Entry(Call c) : call(std::move(c)) {}

  Call call;
  State state = State::kQueued;
  std::optional<Gauge> waiting{std::in_place, counters().async_waiting};
  std::optional<Gauge> buried;
  std::list<EntryPtr>::iterator grave;  // valid in kTombstone
  Clock::time_point died;
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
        ended = Detach(*entry);
        Forget(entry);
        break;
      case Entry::State::kTombstone: DropTombstone(entry); break;
      case Entry::State::kDelivering:  // it called back all the same: the first word counts
      case Entry::State::kEnded: break;
    }
  }
  if (ended.done) ended.Tell(std::move(status));
}

int CallbackRegistry::Deliver(const char* tag, const DataList* list, int ret) {
  EntryPtr entry;
  Ended ended;
  if (tag != nullptr) {
    std::lock_guard lock(mutex_);
    const auto found = table_.find(tag);
    if (found != table_.end()) {
      if (found->second->state == Entry::State::kTombstone) {
        DropTombstone(EntryPtr(found->second));
      } else if (found->second->state == Entry::State::kWaiting) {
        entry = found->second;
        ended = Detach(*entry);
        entry->state = Entry::State::kDelivering;
      }
    }
  }
  if (entry == nullptr) {
    ++counters().late_callbacks;
    return -1;
  }

  Delivery delivery{ret, OwnedFrames{}};
  if (ret == 0) {
    try {
      delivery.frames = CopyFrames(list, entry->call.limits, "wrapperCallback");
    } catch (...) {
      delivery.frames = Status{Code::kOutOfResources, "wrapperCallback", 0, "no memory for the answer"};
    }
  }
  {
    // Before the requester learns of the end: it may use the tag again.
    std::lock_guard lock(mutex_);
    Forget(entry);
  }
  ended.Tell(std::move(delivery));
  return 0;
}

bool CallbackRegistry::Abandon(std::string_view tag) {
  Ended ended;
  {
    std::lock_guard lock(mutex_);
    const auto found = table_.find(tag);
    if (found == table_.end() || !AbandonEntry(EntryPtr(found->second), ended)) return false;
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

void CallbackRegistry::DropEngine(const void* engine) {
  std::lock_guard lock(mutex_);
  for (auto it = tombstones_.begin(); it != tombstones_.end();) {
    const EntryPtr entry = *it++;
    if (entry->call.engine == engine) DropTombstone(entry);
  }
}

void CallbackRegistry::Sweep(Clock::time_point now) {
  std::lock_guard lock(mutex_);
  while (!tombstones_.empty() && now - tombstones_.front()->died >= life_) DropTombstone(EntryPtr(tombstones_.front()));
}

CallbackRegistry::Ended CallbackRegistry::Detach(Entry& entry) {
  entry.waiting.reset();
  return {std::move(entry.call.done), std::move(entry.call.route)};
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
  Bury(entry);
  return true;
}

void CallbackRegistry::Bury(const EntryPtr& entry) {
  entry->state = Entry::State::kTombstone;
  entry->died = Clock::now();
  entry->buried.emplace(counters().tombstones);
  entry->grave = tombstones_.insert(tombstones_.end(), entry);
  while (tombstones_.size() > entry->call.abandoned_limit) {
    ++counters().tombstones_dropped;
    DropTombstone(EntryPtr(tombstones_.front()));
  }
}

void CallbackRegistry::DropTombstone(const EntryPtr& entry) {
  tombstones_.erase(entry->grave);
  entry->buried.reset();
  Forget(entry);
}

}  // namespace aiges
