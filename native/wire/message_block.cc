// SPDX-License-Identifier: Apache-2.0
#include "message_block.h"

#include "memory_ledger.h"

namespace aiges::wire {
namespace {

// We map blocks from kKeptBlock on, and malloc, unless it is told otherwise, those from 128 KiB on. It adds something.
constexpr std::size_t kMayBeMapped = std::size_t{120} << 10;

}  // namespace

void BlockRef::Release() {
  if (block_->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<MemoryLedger> ledger = std::move(block_->ledger_);
  const std::size_t charged = block_->charged_;
  const BlockDelete free{block_->allocated_};
  block_->~MessageBlock();
  free(reinterpret_cast<std::byte*>(block_));
  ledger->Drop(charged);  // last: it may let somebody read on
}

BlockWriter::BlockWriter(std::size_t capacity, const std::shared_ptr<MemoryLedger>& ledger) : capacity_(capacity) {
  Block memory = AllocateBlock(kBlockAlignment + capacity);
  block_ = BlockRef(new (memory.get()) MessageBlock(ledger, kBlockAlignment + capacity));
  memory.release();
  if (block_->allocated_ < kMayBeMapped) return;
  block_->charged_ = ledger->least_mapped();
  ledger->Hold(block_->charged_);
}

void BlockWriter::Extend(std::size_t bytes) {
  block_->size_ += bytes;
  if (block_->size_ <= block_->charged_) return;
  block_->ledger_->Hold(block_->size_ - block_->charged_);
  block_->charged_ = block_->size_;
}

}  // namespace aiges::wire
