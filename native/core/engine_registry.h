// SPDX-License-Identifier: Apache-2.0
// One engine per library file and process: an engine's state lives in the globals of its library, so opening the
// library twice gives the same engine. Users with the same configuration share it; another configuration is refused.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "engine.h"

namespace aiges {

class EngineRegistry;

// One user of an engine. The last one to go, with the last running call, ends the engine.
class EngineUse {
 public:
  EngineUse(EngineUse&&) noexcept = default;
  EngineUse& operator=(EngineUse&& other) noexcept;
  ~EngineUse();

  Engine& operator*() const { return *engine_; }
  Engine* operator->() const { return engine_.get(); }

 private:
  friend class EngineRegistry;
  explicit EngineUse(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  std::shared_ptr<Engine> engine_;
};

class EngineRegistry {
 public:
  using Opened = UniqueFunction<void(Result<EngineUse>)>;
  using Closed = UniqueFunction<void(Status)>;

  static EngineRegistry& Process();

  // `opened` is called once: on an executor thread when the library has to be loaded, otherwise at once.
  void Open(EngineOptions options, Opened opened);

  // Ends a use. `closed` is called once: at once when others use the engine, otherwise after wrapperFini with what it
  // returned, on an executor thread.
  void Close(EngineUse use, Closed closed);

 private:
  friend class EngineUse;
  using FileId = std::pair<unsigned long, unsigned long>;  // device and inode, as the dynamic linker tells files apart
  struct Waiting {
    EngineOptions options;
    Opened opened;
  };
  struct Slot {
    enum class State { kStarting, kRunning, kEnding };
    State state = State::kStarting;
    StringPairs config;  // sorted
    std::shared_ptr<Executor> executor;
    std::weak_ptr<Engine> engine;
    const Engine* identity = nullptr;  // of `engine`; locking it here could make this the last reference
    std::size_t users = 0;
    std::vector<Opened> openers;  // kStarting: share the engine once it runs
    std::vector<Waiting> next;    // kEnding: start it again afterwards
    std::vector<Closed> closers;  // told after wrapperFini
  };

  void Start(FileId id, const EngineOptions& options, const std::shared_ptr<Executor>& executor);
  void Retire(FileId id, std::unique_ptr<Engine> engine);
  void Finish(FileId id, std::unique_ptr<Engine> engine);
  // Gives the closers that have to be told now, because the engine goes on.
  std::vector<Closed> Leave(const Engine& engine, Closed* closed);

  std::mutex mutex_;
  std::map<FileId, Slot> slots_;
};

}  // namespace aiges
