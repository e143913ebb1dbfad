// SPDX-License-Identifier: Apache-2.0
#include "engine_registry.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

namespace aiges {
namespace {

StringPairs Sorted(StringPairs pairs) {
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

// The keys whose values differ, for a message.
std::string Differences(const StringPairs& a, const StringPairs& b) {
  StringPairs different;
  std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(different));
  std::set<std::string> keys;
  for (const auto& pair : different) keys.insert(pair.first);
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ", ") + key;
  return text;
}

Status Conflict(const std::string& path, const StringPairs& running, const StringPairs& wanted) {
  return Status{Code::kConfigConflict, "wrapperInit", 0,
                "engine " + path + " already runs in this process with another configuration (different keys: " +
                    Differences(running, wanted) +
                    "); restart the loader, or \"aiges-ts dev\", with the new one; services that share an engine need "
                    "the same one, a process each, or a copy of the library file each (of a C++ engine, one that is "
                    "compiled with -fno-gnu-unique: docs/plugin-abi.md)"};
}

std::string ThreadName(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace

EngineUse& EngineUse::operator=(EngineUse&& other) noexcept {
  std::swap(engine_, other.engine_);
  return *this;
}

EngineUse::~EngineUse() {
  if (engine_ == nullptr) return;
  for (auto& closer : EngineRegistry::Process().Leave(*engine_, nullptr)) closer({});
}

EngineRegistry& EngineRegistry::Process() {
  // Never destroyed: executor threads may still end an engine while the process runs its exit handlers.
  static EngineRegistry& instance = *new EngineRegistry;
  return instance;
}

void EngineRegistry::Open(EngineOptions options, Opened opened) {
  struct stat file {};
  if (stat(options.path.c_str(), &file) != 0) {
    // Opening it says what is wrong, in the same words as ever.
    return opened(SharedLibrary::Open(options.path).status());
  }
  const FileId id(file.st_dev, file.st_ino);
  StringPairs config = Sorted(options.config);

  std::shared_ptr<Engine> engine;
  std::vector<Closed> closers;
  std::shared_ptr<Executor> executor;
  {
    std::unique_lock lock(mutex_);
    const auto [found, created] = slots_.try_emplace(id);
    Slot& slot = found->second;
    if (created) {
      slot.config = std::move(config);
      slot.executor = executor = std::make_shared<Executor>(
          Executor::Options{.name = ThreadName(options.path), .max_threads = options.max_threads});
      slot.openers.push_back(std::move(opened));
    } else {
      if (slot.state == Slot::State::kRunning) engine = slot.engine.lock();
      if (slot.state != Slot::State::kStarting && engine == nullptr) {
        slot.next.push_back({std::move(options), std::move(opened)});
        return;
      }
      if (slot.config != config) {
        if (slot.state == Slot::State::kRunning && slot.users == 0) {  // only its last calls are left
          slot.next.push_back({std::move(options), std::move(opened)});
          return;
        }
        const Status conflict = Conflict(options.path, slot.config, config);
        lock.unlock();
        return opened(conflict);
      }
      slot.executor->RaiseLimit(options.max_threads);
      if (slot.state == Slot::State::kStarting) {
        slot.openers.push_back(std::move(opened));
        return;
      }
      ++slot.users;
      closers = std::exchange(slot.closers, {});  // they thought they were the last
    }
  }

  if (engine != nullptr) {
    for (auto& closer : closers) closer({});
    return opened(EngineUse(std::move(engine)));
  }
  const bool accepted = executor->Submit([this, id, options, executor] { Start(id, options, executor); });
  if (accepted) return;
  std::vector<Opened> openers;
  {
    std::lock_guard lock(mutex_);
    openers = std::move(slots_.at(id).openers);
    slots_.erase(id);
  }
  for (auto& each : openers) {
    each(Status{Code::kOutOfResources, "wrapperInit", 0, "no thread could be started for engine " + options.path});
  }
}

void EngineRegistry::Start(FileId id, const EngineOptions& options, const std::shared_ptr<Executor>& executor) {
  Result<std::unique_ptr<Engine>> loaded = Status{Code::kOutOfResources, "wrapperInit", 0, "no memory left"};
  try {
    loaded = Engine::Load(options, executor);
  } catch (...) {
    // Only for want of memory: `loaded` says so.
  }
  std::vector<Opened> openers;
  std::shared_ptr<Engine> engine;
  {
    std::lock_guard lock(mutex_);
    Slot& slot = slots_.at(id);
    openers = std::exchange(slot.openers, {});
    if (loaded.ok()) {
      engine = std::shared_ptr<Engine>(loaded.value().release(),
                                       [this, id](Engine* last) { Retire(id, std::unique_ptr<Engine>(last)); });
      slot.state = Slot::State::kRunning;
      slot.engine = engine;
      slot.identity = engine.get();
      slot.users = openers.size();
    } else {
      slots_.erase(id);
    }
  }
  for (auto& opened : openers) {
    if (engine != nullptr) {
      opened(EngineUse(engine));
    } else {
      opened(loaded.status());
    }
  }
}

void EngineRegistry::Close(EngineUse use, Closed closed) {
  const std::shared_ptr<Engine> engine = std::exchange(use.engine_, nullptr);
  for (auto& closer : Leave(*engine, &closed)) closer({});
}

std::vector<EngineRegistry::Closed> EngineRegistry::Leave(const Engine& engine, Closed* closed) {
  std::vector<Closed> tell_now;
  std::lock_guard lock(mutex_);
  for (auto& [id, slot] : slots_) {
    if (slot.identity != &engine) continue;
    --slot.users;
    if (closed == nullptr) break;
    (slot.users == 0 ? slot.closers : tell_now).push_back(std::move(*closed));
    break;
  }
  return tell_now;
}

// On whatever thread let go of the engine last.
void EngineRegistry::Retire(FileId id, std::unique_ptr<Engine> engine) {
  std::shared_ptr<Executor> executor;
  {
    std::lock_guard lock(mutex_);
    Slot& slot = slots_.at(id);
    slot.state = Slot::State::kEnding;
    executor = slot.executor;
  }
  executor->Post([this, id, engine = std::move(engine)]() mutable { Finish(id, std::move(engine)); });
}

void EngineRegistry::Finish(FileId id, std::unique_ptr<Engine> engine) {
  const Status status = engine->Finish();
  engine.reset();
  Slot slot;
  {
    std::lock_guard lock(mutex_);
    slot = std::move(slots_.at(id));
    slots_.erase(id);
  }
  for (auto& closed : slot.closers) closed(status);
  for (auto& waiting : slot.next) Open(std::move(waiting.options), std::move(waiting.opened));
}

}  // namespace aiges
