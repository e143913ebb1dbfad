// SPDX-License-Identifier: Apache-2.0
// Finds the call that an engine's callback belongs to.
//
// A callback brings nothing but a tag, which engines copy, delay and repeat: it is looked up by its content and never
// taken for an address. Callbacks arrive on any thread, also inside wrapperExecAsync, also twice, late or never. No
// lock is held while engine code or a completion runs.
//
// A one-shot call ends with its first callback. A stream takes callbacks until the final one, and its tag is the
// engine's until wrapperDestroy has returned as well.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "aiges/wrapper.h"
#include "control_log.h"
#include "counters.h"
#include "owned_frames.h"
#include "result.h"
#include "unique_function.h"

namespace aiges {

class CallbackRegistry {
 public:
  using Clock = std::chrono::steady_clock;
  struct Entry;
  using EntryPtr = std::shared_ptr<Entry>;

  // What a callback brought. With ret != 0 there are no frames.
  struct Delivery {
    int ret = 0;
    Result<OwnedFrames> frames = OwnedFrames{};
  };
  // Called once per call, on the thread that ended it. Exactly one of the two: a delivery, or the reason why none is
  // awaited any more.
  using Done = UniqueFunction<void(Result<Delivery>)>;

  // Takes what the callbacks of a stream bring, on their threads, also at the same time.
  class Sink {
   public:
    virtual ~Sink() = default;
    // False when nobody wants it any more.
    virtual bool Take(Delivery delivery, bool last) = 0;
  };

  struct Call {
    std::string tag;
    const void* engine = nullptr;     // identity, for DropEngine
    const void* requester = nullptr;  // identity, for AbandonAll
    ControlRoute route;
    OutputLimits limits;
    std::size_t abandoned_limit = 10'000;
    Done done;                   // keeps the engine alive for as long as its callback is awaited
    std::shared_ptr<Sink> sink;  // instead of `done`: the call is a stream
  };

  // The one that engines of this process call back to.
  static CallbackRegistry& Process();
  // What engines are given as their wrapperCallback; leads to Process().
  static wrapperCallback Function();

  explicit CallbackRegistry(Clock::duration tombstone_life = std::chrono::hours(1)) : life_(tombstone_life) {}

  // nullptr when the tag is known: waiting, or abandoned and not yet called back. `call.done` is left alone then.
  EntryPtr Register(Call& call);

  // The engine is about to see the tag. False when the call was abandoned before: leave the engine alone.
  bool Begin(const EntryPtr& entry);
  // The engine did not take the call, or was never asked: no callback is to be expected.
  void Refuse(const EntryPtr& entry, Status status);

  // The engine calls back. 0 delivered, -1 nobody waits.
  int Deliver(const char* tag, const DataList* list, int ret);

  // Whether a callback with this tag may still come.
  bool Knows(std::string_view tag);

  // Nobody waits for this one-shot call any more: it ends with kAbandoned, its tag stays as a tombstone. False when
  // there was nothing to wait for.
  bool Abandon(std::string_view tag);
  // The same for every call of a requester that goes away; its streams are closed.
  void AbandonAll(const void* requester);

  // Nobody takes the results of this stream any more: callbacks are refused from now on. Idempotent.
  void Close(const EntryPtr& entry);
  // wrapperDestroy has returned. Without a final callback the tag stays as a tombstone, for `grace` at the longest.
  void Destroyed(const EntryPtr& entry, Clock::duration grace);

  // The engine has ended: its tombstones go, nobody can call back for them.
  void DropEngine(const void* engine);
  // Drops the tombstones that are past their life. Happens with every Register; counters ask for it as well. Gives the
  // time until the next one is.
  std::optional<Clock::duration> Sweep(Clock::time_point now = Clock::now());

  // The address that the engine is to be given; valid as long as `entry` or its tombstone lives, and a while longer.
  static const char* Tag(const EntryPtr& entry);

 private:
  using Table = std::unordered_map<std::string_view, EntryPtr>;  // the key lives in its entry
  struct Ended {
    // Records end before the requester learns of the end.
    void Tell(Result<Delivery> outcome) {
      route = {};
      if (done) done(std::move(outcome));
    }
    Done done;
    ControlRoute route;
    std::shared_ptr<Sink> sink;  // may hold the last reference to an engine: let go without the lock
  };

  // All of these with mutex_ held.
  Ended Detach(Entry& entry);
  void Forget(const EntryPtr& entry);
  bool AbandonEntry(const EntryPtr& entry, Ended& ended);
  void Bury(const EntryPtr& entry, Clock::duration life);
  void DropTombstone(const EntryPtr& entry);

  int DeliverToStream(const EntryPtr& entry, const DataList* list, int ret);
  // The engine has said its last word on this stream.
  void EndStream(const EntryPtr& entry, Ended& ended);

  const Clock::duration life_;
  std::mutex mutex_;
  Table table_;
  std::multimap<Clock::time_point, EntryPtr> tombstones_;  // by the end of their life
  // Tags of the last calls that ended. Engines in production were proven against a host that never freed a tag; one
  // that reads its tag a moment too late, or calls back twice with it, must not read freed memory.
  std::deque<EntryPtr> retired_;
};

}  // namespace aiges
