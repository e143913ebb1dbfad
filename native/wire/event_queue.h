// SPDX-License-Identifier: Apache-2.0
// From the server's thread to the consumer: events pile up in a batch, which is published with at most one wake-up.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "events.h"
#include "memory_ledger.h"
#include "message_block.h"

namespace aiges::wire {

// Messages below this length have no block of their own: a memcpy costs less than an object for the consumer.
inline constexpr std::size_t kSmallMessage = std::size_t{16} << 10;

class EventQueue {
 public:
  EventQueue(std::shared_ptr<MemoryLedger> ledger, EventSink& sink) : ledger_(std::move(ledger)), sink_(sink) {}

  // On the server's thread. The reference is good until the next call.
  Event& Add(Event::Kind kind, CallId call);
  // The event of that place in the batch, which has not been published since. See Batch().
  Event& At(std::size_t place) { return batch_[place]; }
  std::size_t Place() const { return batch_.size() - 1; }
  // Changes with every batch.
  std::uint64_t Batch() const { return batch_number_; }
  // Attaches a small message to an event of the batch. The bytes are copied.
  void AttachSmall(std::size_t place, std::span<const std::byte> bytes, bool compressed);

  // On the server's thread, or on any other once that has ended: lets the consumer see the batch.
  void Publish(bool wake);

  // On the consumer's thread.
  Events Take();

 private:
  struct Small {
    std::size_t place;
    std::size_t offset;
  };

  // Blocks of shared small messages have room for those of later batches, as long as nobody has taken them.
  static constexpr std::size_t kSharedBlock = std::size_t{16} << 10;
  // Copying more than that with the lock held would keep the consumer waiting.
  static constexpr std::size_t kCopyLocked = std::size_t{4} << 10;

  void Settle(const BlockWriter& block);

  const std::shared_ptr<MemoryLedger> ledger_;
  EventSink& sink_;

  Events batch_;
  std::uint64_t batch_number_ = 1;
  std::vector<std::byte> small_bytes_;
  std::vector<Small> small_;

  std::mutex mutex_;
  Events published_;
  BlockWriter shared_;  // of the messages in published_
  bool woken_ = false;
};

}  // namespace aiges::wire
