// SPDX-License-Identifier: Apache-2.0
// Cuts the DATA of one call into gRPC messages: bytes in, messages out; no I/O, no clock.
//
// A payload is copied once, from wherever it was read to its block. Whoever reads from a socket can even read into the
// block (see Tail): then it is not copied at all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory_ledger.h"
#include "message_block.h"

namespace aiges::wire {

class MessageReader {
 public:
  MessageReader(std::shared_ptr<MemoryLedger> ledger, std::size_t max_bytes)
      : ledger_(std::move(ledger)), max_bytes_(max_bytes) {}
  ~MessageReader() { DropPieces(); }
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;

  enum class Outcome {
    kMore,      // all of `data` is used up, and a message may have begun
    kMessage,   // `data` begins after a message that is complete: see block() and small()
    kTooLong,   // length() says how long
    kBadFlag,   // neither compressed nor not: see flag()
    kNoMemory,  // there is none for a message of length()
  };
  // Takes bytes off the front of `data`, which is not empty, up to the end of a message. Nothing more may be read after
  // a failure.
  Outcome Read(std::span<const std::byte>& data);

  // The message that Read has completed: in its block, or, when that is null, in small(), which is good until the next
  // Read and as long as the data that was read from.
  BlockRef TakeBlock() { return block_.Finish(); }
  std::size_t offset() const { return offset_; }
  std::span<const std::byte> small() const { return small_; }
  bool compressed() const { return flag_ == 1; }

  std::size_t length() const { return length_; }
  unsigned flag() const { return flag_; }
  // True between the first byte of a message and its last.
  bool in_message() const { return stage_ != Stage::kPrefix || prefix_size_ > 0; }
  // Of the message that is incomplete, without its prefix.
  std::size_t received() const { return received_; }

  // Where the next bytes of the message belong, when they can be put there by somebody else. Hand exactly these
  // bytes to Read next.
  std::span<std::byte> Tail() const;

 private:
  enum class Stage {
    kPrefix,
    kPieces,  // a small message that comes in pieces, or the start of a large one: not known yet where to put it
    kBlock,
  };
  static constexpr std::size_t kPrefixSize = 5;

  Outcome Begin(std::span<const std::byte>& data);
  Outcome Fill(std::span<const std::byte>& data);
  Outcome Complete();
  void Allocate(std::span<const std::byte> head);
  void DropPieces();

  const std::shared_ptr<MemoryLedger> ledger_;
  const std::size_t max_bytes_;

  Stage stage_ = Stage::kPrefix;
  std::array<std::uint8_t, kPrefixSize> prefix_{};
  std::size_t prefix_size_ = 0;
  unsigned flag_ = 0;
  std::size_t length_ = 0;
  std::size_t received_ = 0;

  std::vector<std::byte> pieces_;
  BlockWriter block_;
  std::size_t offset_ = 0;
  std::span<const std::byte> small_;
};

}  // namespace aiges::wire
