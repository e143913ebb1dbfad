// SPDX-License-Identifier: Apache-2.0
#include "grpc_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace aiges::wire {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> ReverseAlphabet() {
  std::array<std::int8_t, 256> reverse{};
  for (auto& entry : reverse) entry = -1;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    reverse[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return reverse;
}
constexpr std::array<std::int8_t, 256> kReverse = ReverseAlphabet();

// Quoted as Go's %q does it for what a header field can hold.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

Status MalformedTimeout(std::string reason) {
  return Status{Code::kBadOutput, "grpc-timeout", 0, "malformed grpc-timeout: " + std::move(reason)};
}

}  // namespace

Result<std::chrono::nanoseconds> ParseTimeout(std::string_view text) {
  if (text.size() < 2) return MalformedTimeout("transport: timeout string is too short: " + Quoted(text));
  // The protocol allows eight digits.
  if (text.size() > 9) return MalformedTimeout("transport: timeout string is too long: " + Quoted(text));
  std::int64_t unit = 0;
  switch (text.back()) {
    case 'H': unit = 3'600'000'000'000; break;
    case 'M': unit = 60'000'000'000; break;
    case 'S': unit = 1'000'000'000; break;
    case 'm': unit = 1'000'000; break;
    case 'u': unit = 1'000; break;
    case 'n': unit = 1; break;
    default: return MalformedTimeout("transport: timeout unit is not recognized: " + Quoted(text));
  }
  std::int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') {
      return MalformedTimeout("strconv.ParseUint: parsing " + Quoted(text.substr(0, text.size() - 1)) +
                              ": invalid syntax");
    }
    value = value * 10 + (c - '0');
  }
  const std::int64_t most = INT64_MAX / unit;
  return std::chrono::nanoseconds(value > most ? INT64_MAX : value * unit);
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

std::string Base64Encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
  return text;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 == 0) {
    for (int padding = 0; padding < 2 && !text.empty() && text.back() == '='; ++padding) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = kReverse[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  return bytes;
}

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kPrefix = "application/grpc";
  if (value.substr(0, kPrefix.size()) != kPrefix) return false;
  return value.size() == kPrefix.size() || value[kPrefix.size()] == '+' || value[kPrefix.size()] == ';';
}

bool IsMetadataName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

bool IsMetadataValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

bool IsReservedName(std::string_view name) {
  constexpr std::array<std::string_view, 8> kOfHttp = {
      "content-type", "te", "connection", "keep-alive", "host", "upgrade", "transfer-encoding", "proxy-connection"};
  if (name.empty() || name.front() == ':' || name.substr(0, 5) == "grpc-") return true;
  return std::find(kOfHttp.begin(), kOfHttp.end(), name) != kOfHttp.end();
}

}  // namespace aiges::wire
