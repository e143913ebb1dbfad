// SPDX-License-Identifier: Apache-2.0
#include "sending_message.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace aiges::wire {
namespace {

std::string WithPrefix(const std::string& head, std::size_t size) {
  std::string prefixed;
  prefixed.reserve(5 + head.size());
  prefixed += '\0';  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) prefixed += static_cast<char>(size >> shift & 0xff);
  return prefixed += head;
}

}  // namespace

SendingMessage::SendingMessage(OutgoingMessage message, CallId call, EventQueue& events, Stats& stats,
                               std::size_t& queued)
    : call_(call),
      token_(message.token),
      events_(events),
      stats_(stats),
      queued_(queued),
      size_(message.size()),
      head_(WithPrefix(message.head, size_)),
      chunks_(std::move(message.chunks)),
      left_(5 + size_) {
  queued_ += size_;
  stats_.bytes_queued += static_cast<std::int64_t>(size_);
}

SendingMessage::~SendingMessage() {
  queued_ -= size_;
  stats_.bytes_queued -= static_cast<std::int64_t>(size_);
  ReleaseLoan();
}

void SendingMessage::ReleaseLoan() {
  if (token_ != 0) events_.Add(Event::Kind::kReleased, call_).token = std::exchange(token_, 0);
}

Chunk SendingMessage::Current() const {
  if (piece_ > 0) return chunks_[piece_ - 1];
  return {reinterpret_cast<const std::byte*>(head_.data()), head_.size()};
}

std::size_t SendingMessage::chunk_size() const { return Current().size; }

// The next piece is never empty, as long as there is one.
void SendingMessage::SkipEmpty() {
  while (left_ > 0 && offset_ == Current().size) {
    ++piece_;
    offset_ = 0;
  }
}

Chunk SendingMessage::Next(std::size_t most) {
  started_ = true;
  const Chunk piece = Current();
  const std::size_t part = std::min(most, piece.size - offset_);
  const Chunk next{piece.data + offset_, part};
  offset_ += part;
  left_ -= part;
  SkipEmpty();
  return next;
}

std::byte* SendingMessage::TakeOver(std::size_t handed_over) {
  // The head is ours already and stays where it is.
  const std::size_t rest = piece_ == 0 ? left_ - (head_.size() - offset_) : left_;
  own_.reset(new (std::nothrow) std::byte[handed_over + rest]);
  if (own_ == nullptr) return nullptr;
  std::byte* copy = own_.get() + handed_over;
  std::size_t skipped = piece_ == 0 ? 0 : offset_;
  for (std::size_t i = piece_ == 0 ? 0 : piece_ - 1; i < chunks_.size(); ++i) {
    const std::size_t part = chunks_[i].size - std::exchange(skipped, 0);
    if (part > 0) std::memcpy(copy, chunks_[i].data + chunks_[i].size - part, part);
    copy += part;
  }
  chunks_ = {{own_.get() + handed_over, rest}};
  if (piece_ > 0) {
    piece_ = 1;
    offset_ = 0;
  }
  stats_.bytes_copied_out += static_cast<std::int64_t>(handed_over + rest);
  return own_.get();
}

}  // namespace aiges::wire
