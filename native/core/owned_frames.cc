// SPDX-License-Identifier: Apache-2.0
#include "owned_frames.h"

#include <cstring>

#include "counters.h"
#include "enum_value.h"

namespace aiges {
namespace {

Status BadOutput(const char* op, std::string what) {
  return Status{Code::kBadOutput, op, 0, std::string(op) + " gave " + std::move(what)};
}

std::string Text(const char* s) { return s != nullptr ? std::string(s) : std::string(); }

// Adds to the total as long as the limit allows it. Lengths are 32 bits wide, so the sum cannot overflow.
class Budget {
 public:
  explicit Budget(std::size_t limit) : limit_(limit) {}
  bool Spend(std::size_t bytes) {
    spent_ += bytes;
    return spent_ <= limit_;
  }

 private:
  std::size_t limit_;
  std::size_t spent_ = 0;
};

Status TooManyBytes(const char* op, std::size_t limit) {
  return BadOutput(
      op, "an answer that claims more than " + std::to_string(limit) + " bytes; is a len field uninitialised?");
}

Status TooManyNodes(const char* op, const char* list, std::size_t limit) {
  return BadOutput(op, std::string("a ") + list + " list with more than " + std::to_string(limit) +
                           " nodes; does its last next pointer lack a NULL?");
}

}  // namespace

Result<OwnedFrames> ReadFrames(const DataList* head, const OutputLimits& limits, const char* op) {
  OwnedFrames result;
  Budget budget(limits.bytes);
  for (const DataList* node = head; node != nullptr; node = node->next) {
    if (result.frames.size() == limits.nodes) return TooManyNodes(op, "data", limits.nodes);
    OutputFrame frame;
    frame.key = Text(node->key);
    frame.type = LoadEnum(node->type);
    frame.status = LoadEnum(node->status);
    frame.data = static_cast<const std::byte*>(node->data);
    frame.size = node->len;
    if (frame.data == nullptr && frame.size != 0) {
      return BadOutput(op, "output \"" + frame.key + "\" with NULL data and a length of " + std::to_string(frame.size));
    }
    if (!budget.Spend(frame.size)) return TooManyBytes(op, limits.bytes);

    std::size_t pairs = 0;
    for (const ParamList* pair = node->desc; pair != nullptr; pair = pair->next) {
      if (pairs++ == limits.nodes) return TooManyNodes(op, "desc", limits.nodes);
      if (pair->key == nullptr && pair->value == nullptr) continue;  // the node of an empty list
      const std::size_t length = pair->value != nullptr ? pair->vlen : 0;
      if (!budget.Spend(length)) return TooManyBytes(op, limits.bytes);
      frame.desc.emplace_back(Text(pair->key), std::string(pair->value != nullptr ? pair->value : "", length));
    }
    result.frames.push_back(std::move(frame));
  }
  // The engine's own empty list: the same shape as the loader's. A final status is something that it says all the same.
  if (result.frames.size() == 1 && head->key == nullptr && head->data == nullptr && !IsFinal(result.frames[0].status)) {
    result.frames.clear();
  }
  return result;
}

void CopyPayloads(OwnedFrames& frames) {
  std::size_t total = 0;
  for (const OutputFrame& frame : frames.frames) {
    if (!frame.leased) total += AlignUp(frame.size, kBlockAlignment);
  }
  if (total == 0) return;
  frames.block = AllocateBlock(total);
  frames.block_size = total;
  ExpectFilled(frames.block.get(), total, 0);
  std::byte* next = frames.block.get();
  for (OutputFrame& frame : frames.frames) {
    if (frame.leased || frame.size == 0) continue;
    const std::size_t room = AlignUp(frame.size, kBlockAlignment);
    std::memcpy(next, frame.data, frame.size);
    // The gap to the next payload is visible from JavaScript: nothing old may show there.
    std::memset(next + frame.size, 0, room - frame.size);
    frame.data = next;
    next += room;
    counters().bytes_out += static_cast<std::int64_t>(frame.size);
  }
}

Result<OwnedFrames> CopyFrames(const DataList* head, const OutputLimits& limits, const char* op) {
  Result<OwnedFrames> result = ReadFrames(head, limits, op);
  if (result.ok()) CopyPayloads(result.value());
  return result;
}

}  // namespace aiges
