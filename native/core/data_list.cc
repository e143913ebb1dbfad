// SPDX-License-Identifier: Apache-2.0
#include "data_list.h"

#include <algorithm>
#include <cstring>

#include "counters.h"
#include "enum_value.h"

namespace aiges {
namespace {

bool IsAligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % kInPlaceAlignment == 0; }

std::span<const std::byte> PayloadOf(const DataList& node) {
  return {static_cast<const std::byte*>(node.data), node.len};
}

}  // namespace

void DataListBuilder::AddParam(std::string_view key, std::string_view value) { AppendPair(params_, key, value); }

void DataListBuilder::SetParams(const StringPairs& params) {
  for (const auto& [key, value] : params) AddParam(key, value);
}

void DataListBuilder::AddFrame(const FrameView& frame) {
  auto* node = arena_.New<DataList>();
  node->key = arena_.CopyString(frame.key);
  node->len = static_cast<unsigned int>(frame.data.size());
  StoreEnum(node->type, frame.type);
  StoreEnum(node->status, frame.status);

  const bool small = frame.data.size() < kInPlaceBytes;
  const bool aligned = IsAligned(frame.data.data());
  if (small || frame.fleeting) {
    node->data = CopyPayload(frame.data);
  } else {
    // The engine reads through a non-const pointer; wrapper.h tells it not to write.
    node->data = const_cast<std::byte*>(frame.data.data());
    if (input_mode_ == InputMode::kAuto && aligned) {
      borrows_ = true;
      large_.push_back(frame.data);
    } else {
      if (input_mode_ == InputMode::kAuto) ++counters().unaligned_copies;
      postponed_.push_back(node);
    }
  }

  Chain<ParamList> desc;
  if (frame.desc != nullptr) {
    for (const auto& [key, value] : *frame.desc) AppendPair(desc, key, value);
  }
  node->desc = Head(desc);
  data_.Append(node);
}

void DataListBuilder::Seal() {
  for (DataList* node : postponed_) node->data = CopyPayload(PayloadOf(*node));
  postponed_.clear();
}

bool DataListBuilder::Overlaps(const void* data, std::size_t size) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  auto overlaps = [&](const void* other, std::size_t other_size) {
    const auto other_begin = reinterpret_cast<std::uintptr_t>(other);
    return begin < other_begin + other_size && other_begin < begin + size;
  };
  return arena_.Overlaps(data, size) ||
         std::any_of(large_.begin(), large_.end(), [&](const auto& p) { return overlaps(p.data(), p.size()); });
}

void DataListBuilder::AppendPair(Chain<ParamList>& chain, std::string_view key, std::string_view value) {
  auto* node = arena_.New<ParamList>();
  node->key = arena_.CopyString(key);
  node->value = arena_.CopyString(value);
  node->vlen = static_cast<unsigned int>(value.size());
  chain.Append(node);
}

std::byte* DataListBuilder::CopyPayload(std::span<const std::byte> payload) {
  counters().bytes_in += static_cast<std::int64_t>(payload.size());
  if (payload.size() < kInPlaceBytes) return arena_.CopyPayload(payload.data(), payload.size());
  Block copy = AllocateBlock(payload.size() + 1);
  ExpectFilled(copy.get(), payload.size() + 1, 0);
  std::memcpy(copy.get(), payload.data(), payload.size());
  copy[payload.size()] = std::byte{0};
  large_.emplace_back(copy.get(), payload.size());
  return large_copies_.emplace_back(std::move(copy)).get();
}

}  // namespace aiges
