// SPDX-License-Identifier: Apache-2.0
#include "event_queue.h"

#include <cstring>
#include <iterator>

namespace aiges::wire {

Event& EventQueue::Add(Event::Kind kind, CallId call) {
  Event& event = batch_.emplace_back();
  event.kind = kind;
  event.call = call;
  return event;
}

void EventQueue::AttachSmall(std::size_t place, std::span<const std::byte> bytes, bool compressed) {
  // At multiples of 8, as an allocator would place them.
  const std::size_t offset = AlignUp(small_bytes_.size(), 8);
  small_bytes_.resize(offset);
  small_bytes_.insert(small_bytes_.end(), bytes.begin(), bytes.end());
  small_.push_back({place, offset});
  Message& message = batch_[place].message;
  message.size = bytes.size();
  message.compressed = compressed;
  ledger_->stats().bytes_copied_in += static_cast<std::int64_t>(bytes.size());
}

// Copies the small messages to the end of the block and makes their events refer to it.
void EventQueue::Settle(const BlockWriter& block) {
  BlockWriter writer = block;
  const std::size_t begin = AlignUp(writer.size(), 8);
  writer.Extend(begin - writer.size() + small_bytes_.size());
  if (!small_bytes_.empty()) std::memcpy(writer.data() + begin, small_bytes_.data(), small_bytes_.size());
  for (const Small& small : small_) {
    Message& message = batch_[small.place].message;
    message.block = writer.block();
    message.offset = begin + small.offset;
  }
  small_bytes_.clear();
  small_.clear();
}

void EventQueue::Publish(bool wake) {
  if (batch_.empty()) return;
  if (small_bytes_.size() > kCopyLocked) Settle(BlockWriter(small_bytes_.size(), ledger_));
  {
    std::lock_guard lock(mutex_);
    if (!small_.empty()) {
      if (!shared_ || shared_.room() < small_bytes_.size() + 8) shared_ = BlockWriter(kSharedBlock, ledger_);
      Settle(shared_);
    }
    if (published_.empty()) {
      published_.swap(batch_);
    } else {
      published_.insert(published_.end(), std::make_move_iterator(batch_.begin()),
                        std::make_move_iterator(batch_.end()));
    }
    wake = wake && !woken_;
    woken_ = woken_ || wake;
  }
  batch_.clear();
  ++batch_number_;
  if (wake) sink_.Wake();
}

Events EventQueue::Take() {
  Events events;
  BlockWriter shared;
  {
    std::lock_guard lock(mutex_);
    events.swap(published_);
    std::swap(shared, shared_);
    woken_ = false;
  }
  return events;
}

}  // namespace aiges::wire
