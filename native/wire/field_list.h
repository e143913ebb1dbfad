// SPDX-License-Identifier: Apache-2.0
// Header fields on their way to nghttp2.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "grpc_text.h"
#include "metadata.h"
#include "nghttp2_api.h"

namespace aiges::wire {

class FieldList {
 public:
  // Both live as long as the process: nghttp2 need not copy them.
  void AddLiteral(std::string_view name, std::string_view value) {
    Push(name, value, ng::kNoCopyName | ng::kNoCopyValue);
  }
  // A literal name. The value lives until the list is submitted.
  void Add(std::string_view name, std::string_view value) { Push(name, value, ng::kNoCopyName); }
  void AddOwned(std::string_view name, std::string value) { Add(name, owned_.emplace_back(std::move(value))); }
  // Lives until the list is submitted.
  void Add(const Metadata& metadata) {
    for (std::size_t i = 0; i < metadata.size(); ++i) {
      const auto [name, value] = metadata[i];
      if (!IsMetadataName(name) || IsReservedName(name)) continue;
      if (IsBinary(name)) {
        Push(name, owned_.emplace_back(Base64Encode(value)), 0);
      } else if (IsMetadataValue(value)) {
        Push(name, value, 0);
      }
    }
  }

  const ng::Field* data() const { return fields_.data(); }
  std::size_t size() const { return fields_.size(); }

 private:
  void Push(std::string_view name, std::string_view value, int flags) {
    fields_.push_back({Bytes(name), Bytes(value), name.size(), value.size(), static_cast<std::uint8_t>(flags)});
  }
  // nghttp2's structure is not const, but it writes to none of it.
  static std::uint8_t* Bytes(std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }

  std::vector<ng::Field> fields_;
  std::deque<std::string> owned_;  // their addresses stay
};

}  // namespace aiges::wire
