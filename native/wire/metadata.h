// SPDX-License-Identifier: Apache-2.0
// gRPC metadata, in two allocations whatever its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aiges::wire {

class Metadata {
 public:
  struct Field {
    std::string_view name;   // lower case
    std::string_view value;  // ASCII, or any bytes when the name ends in "-bin": base64 exists on the wire only
  };

  void Add(std::string_view name, std::string_view value) {
    const Extent extent{static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(name.size()),
                        static_cast<std::uint32_t>(value.size())};
    bytes_.append(name).append(value);
    fields_.push_back(extent);
  }

  bool empty() const { return fields_.empty(); }
  std::size_t size() const { return fields_.size(); }
  // In the order of arrival. Names repeat.
  Field operator[](std::size_t i) const {
    const Extent& extent = fields_[i];
    const std::string_view all = bytes_;
    return {all.substr(extent.begin, extent.name), all.substr(extent.begin + extent.name, extent.value)};
  }

 private:
  struct Extent {
    std::uint32_t begin;
    std::uint32_t name;
    std::uint32_t value;
  };
  std::string bytes_;
  std::vector<Extent> fields_;
};

inline bool IsBinary(std::string_view name) { return name.size() > 4 && name.substr(name.size() - 4) == "-bin"; }

}  // namespace aiges::wire
