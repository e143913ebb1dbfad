// SPDX-License-Identifier: Apache-2.0
#include "outbox.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace aiges::wire {
namespace {

constexpr std::size_t kMostVectors = 128;
// A buffer that had to be larger once is not kept by a connection that may be idle for hours.
constexpr std::size_t kKeptBuffer = std::size_t{64} << 10;

}  // namespace

void Outbox::AppendCopy(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  const std::size_t begin = buffer_.size();
  buffer_.insert(buffer_.end(), bytes, bytes + size);
  pending_ += size;
  if (first_ < segments_.size() && segments_.back().data == nullptr) {
    segments_.back().size += size;
  } else {
    segments_.push_back({nullptr, begin, size, nullptr});
  }
}

void Outbox::AppendLent(const std::byte* data, std::size_t size, const std::shared_ptr<SendingMessage>& owner) {
  segments_.push_back({data, 0, size, owner});
  pending_ += size;
}

bool Outbox::TakeOver(SendingMessage& message) {
  std::vector<Segment*> lent;
  std::size_t size = 0;
  for (std::size_t i = first_; i < segments_.size(); ++i) {
    if (segments_[i].owner.get() != &message) continue;
    lent.push_back(&segments_[i]);
    size += segments_[i].size;
  }
  std::byte* copy = message.TakeOver(size);
  if (copy == nullptr) return false;
  for (Segment* segment : lent) {
    std::memcpy(copy, segment->data, segment->size);
    segment->data = copy;
    copy += segment->size;
  }
  message.ReleaseLoan();
  return true;
}

Outbox::Outcome Outbox::Write(int fd) {
  while (pending_ > 0) {
    std::array<iovec, kMostVectors> vectors;
    std::size_t count = 0;
    for (std::size_t i = first_; i < segments_.size() && count < vectors.size(); ++i) {
      const Segment& segment = segments_[i];
      const std::byte* data = segment.data != nullptr ? segment.data : buffer_.data() + segment.begin;
      vectors[count++] = {const_cast<std::byte*>(data), segment.size};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t written = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Outcome::kBlocked : Outcome::kBroken;
    }
    stats_.bytes_sent += written;
    Forget(static_cast<std::size_t>(written));
  }
  return Outcome::kEmpty;
}

void Outbox::Forget(std::size_t written) {
  pending_ -= written;
  while (written > 0) {
    Segment& segment = segments_[first_];
    const std::size_t part = std::min(written, segment.size);
    if (segment.data != nullptr) segment.data += part;
    segment.begin += part;
    segment.size -= part;
    written -= part;
    if (segment.size == 0) {
      segment.owner.reset();
      ++first_;
    }
  }
  if (first_ < segments_.size()) return;
  segments_.clear();
  first_ = 0;
  buffer_.clear();
  if (buffer_.capacity() > kKeptBuffer) buffer_ = {};
}

}  // namespace aiges::wire
