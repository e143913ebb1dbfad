// SPDX-License-Identifier: Apache-2.0
// Memory of received messages: reference-counted, on any thread.
//
// A large message has a block of its own, just as long as needed, laid out so that its largest leaf starts at a 64-byte
// boundary (see leaf_alignment.h). The small messages of one batch share one block.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "block.h"

namespace aiges::wire {

class MemoryLedger;

// Always behind a BlockRef. Its bytes follow it in the same allocation.
class MessageBlock {
 public:
  std::byte* data() { return reinterpret_cast<std::byte*>(this) + kBlockAlignment; }
  // How many of them are in use. Final once the block has been handed out.
  std::size_t size() const { return size_; }

 private:
  friend class BlockRef;
  friend class BlockWriter;
  MessageBlock(std::shared_ptr<MemoryLedger> ledger, std::size_t allocated)
      : ledger_(std::move(ledger)), allocated_(allocated) {}

  std::shared_ptr<MemoryLedger> ledger_;
  const std::size_t allocated_;  // with this header
  std::size_t size_ = 0;
  std::size_t charged_ = 0;  // what the ledger knows of
  std::atomic<std::size_t> references_{1};
};
static_assert(sizeof(MessageBlock) <= kBlockAlignment, "the bytes start one cache line after the block");

// One reference. Copying retains, destroying releases; the last one frees the memory, on whatever thread it is.
class BlockRef {
 public:
  BlockRef() = default;
  BlockRef(const BlockRef& other) : block_(other.block_) {
    if (block_ != nullptr) block_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ != nullptr) Release();
  }

  MessageBlock* get() const { return block_; }
  MessageBlock* operator->() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }
  bool operator==(const BlockRef& other) const { return block_ == other.block_; }

 private:
  friend class BlockWriter;
  explicit BlockRef(MessageBlock* adopted) : block_(adopted) {}
  void Release();

  MessageBlock* block_ = nullptr;
};

// The wire's own way to make a block. Only the thread that fills it has one.
class BlockWriter {
 public:
  BlockWriter() = default;
  // The bytes are not initialised and start at a 64-byte boundary. Throws std::bad_alloc.
  BlockWriter(std::size_t capacity, const std::shared_ptr<MemoryLedger>& ledger);

  explicit operator bool() const { return static_cast<bool>(block_); }
  std::byte* data() const { return block_->data(); }
  const BlockRef& block() const { return block_; }
  std::size_t size() const { return block_->size(); }
  std::size_t room() const { return capacity_ - block_->size(); }

  // So many bytes more are in use. The ledger counts them as long as the block lives, and of one that may have a
  // mapping of its own never less than least_mapped().
  void Extend(std::size_t bytes);
  // All of it is going to be in use soon.
  void ExpectFilled() { aiges::ExpectFilled(data() - kBlockAlignment, kBlockAlignment + capacity_, size()); }
  // A block as it is handed out: nothing is written to it any more.
  BlockRef Finish() { return std::move(block_); }

 private:
  BlockRef block_;
  std::size_t capacity_ = 0;
};

// A received message: a part of a block.
struct Message {
  BlockRef block;  // null when there is no message
  std::size_t offset = 0;
  std::size_t size = 0;
  bool compressed = false;  // with the encoding that the call's start names

  std::byte* data() const { return block->data() + offset; }
};

}  // namespace aiges::wire
