// SPDX-License-Identifier: Apache-2.0
// Reads and writes the ABI's enums as the numbers they are in memory. Engines and newer clients use values that no
// enumerator has, and going through the enum type would be undefined behaviour for those.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace aiges {

template <typename Enum>
std::uint32_t LoadEnum(const Enum& field) {
  static_assert(std::is_enum_v<Enum> && sizeof(Enum) == sizeof(std::uint32_t));
  std::uint32_t value = 0;
  std::memcpy(&value, &field, sizeof value);
  return value;
}

template <typename Enum>
void StoreEnum(Enum& field, std::uint32_t value) {
  static_assert(std::is_enum_v<Enum> && sizeof(Enum) == sizeof(std::uint32_t));
  std::memcpy(&field, &value, sizeof value);
}

}  // namespace aiges
