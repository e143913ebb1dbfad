// SPDX-License-Identifier: Apache-2.0
#include "message_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "event_queue.h"
#include "leaf_alignment.h"

namespace aiges::wire {

namespace {

// From here on a message is trusted to come: its memory may cost up to twice what has been received.
constexpr std::size_t kFillFrom = std::size_t{1} << 20;

}  // namespace

MessageReader::Outcome MessageReader::Read(std::span<const std::byte>& data) {
  try {
    return stage_ == Stage::kPrefix ? Begin(data) : Fill(data);
  } catch (const std::bad_alloc&) {
    return Outcome::kNoMemory;
  }
}

MessageReader::Outcome MessageReader::Begin(std::span<const std::byte>& data) {
  if (!pieces_.empty()) DropPieces();
  small_ = {};
  const std::size_t part = std::min(data.size(), kPrefixSize - prefix_size_);
  if (part > 0) std::memcpy(prefix_.data() + prefix_size_, data.data(), part);
  prefix_size_ += part;
  data = data.subspan(part);
  if (prefix_size_ < kPrefixSize) return Outcome::kMore;

  flag_ = prefix_[0];
  length_ = std::size_t{prefix_[1]} << 24 | std::size_t{prefix_[2]} << 16 | std::size_t{prefix_[3]} << 8 | prefix_[4];
  if (flag_ > 1) return Outcome::kBadFlag;
  if (length_ > max_bytes_) return Outcome::kTooLong;
  if (length_ < kSmallMessage && data.size() >= length_) {
    small_ = data.first(length_);
    data = data.subspan(length_);
    return Complete();
  }
  stage_ = Stage::kPieces;
  return Fill(data);
}

MessageReader::Outcome MessageReader::Fill(std::span<const std::byte>& data) {
  if (stage_ == Stage::kPieces) {
    const std::size_t wanted = length_ < kSmallMessage ? length_ : length_ < kAlignFrom ? 0 : kLeafPeek;
    if (pieces_.empty() && data.size() >= wanted && wanted < length_) {
      Allocate(data.first(wanted));
    } else {
      const std::size_t part = std::min(data.size(), wanted - pieces_.size());
      pieces_.insert(pieces_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(part));
      ledger_->Hold(part);
      received_ += part;
      data = data.subspan(part);
      if (pieces_.size() < wanted) return Outcome::kMore;
      if (wanted == length_) {
        small_ = pieces_;
        return Complete();
      }
      Allocate(pieces_);
      std::memcpy(block_.data() + offset_, pieces_.data(), pieces_.size());
      block_.Extend(pieces_.size());
      ledger_->stats().bytes_copied_in += static_cast<std::int64_t>(pieces_.size());
      DropPieces();
    }
  }
  const std::size_t part = std::min(data.size(), length_ - received_);
  std::byte* to = block_.data() + offset_ + received_;
  // Bytes that were read from the socket to this very place are there already.
  if (part > 0 && data.data() != to) {
    std::memcpy(to, data.data(), part);
    ledger_->stats().bytes_copied_in += static_cast<std::int64_t>(part);
  }
  block_.Extend(part);
  const bool had_enough = received_ >= kFillFrom;
  received_ += part;
  if (!had_enough && received_ >= kFillFrom && received_ < length_) block_.ExpectFilled();
  data = data.subspan(part);
  return received_ < length_ ? Outcome::kMore : Complete();
}

// The small bytes of a message that came in pieces stay until the next one begins.
MessageReader::Outcome MessageReader::Complete() {
  stage_ = Stage::kPrefix;
  prefix_size_ = 0;
  received_ = 0;
  return Outcome::kMessage;
}

void MessageReader::Allocate(std::span<const std::byte> head) {
  offset_ = length_ < kAlignFrom ? 0 : AlignedOffset(head, length_);
  block_ = BlockWriter(offset_ + length_, ledger_);
  block_.Extend(offset_);
  stage_ = Stage::kBlock;
}

void MessageReader::DropPieces() {
  ledger_->Drop(pieces_.size());
  pieces_ = {};
}

std::span<std::byte> MessageReader::Tail() const {
  if (stage_ != Stage::kBlock) return {};
  return {block_.data() + offset_ + received_, length_ - received_};
}

}  // namespace aiges::wire
