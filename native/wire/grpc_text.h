// SPDX-License-Identifier: Apache-2.0
// The small languages of gRPC's header fields. Pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "result.h"

namespace aiges::wire {

// "5049954u" and the like. Longer ones than the clock can count are as long as it can. The text of a failure is
// grpc-go's.
Result<std::chrono::nanoseconds> ParseTimeout(std::string_view text);

// For grpc-message: printable ASCII stays, except '%'.
std::string PercentEncode(std::string_view text);

std::string Base64Encode(std::string_view bytes);  // without padding, as gRPC recommends
// With or without padding; nothing when it is neither.
std::optional<std::string> Base64Decode(std::string_view text);

// "application/grpc", alone or followed by "+proto" or ";charset=utf-8".
bool IsGrpcContentType(std::string_view value);

// What applications may send as metadata: HTTP/2 allows it and gRPC has not reserved it.
bool IsMetadataName(std::string_view name);
bool IsMetadataValue(std::string_view value);  // of a name that does not end in "-bin"
// Reserved for the protocol, in either direction.
bool IsReservedName(std::string_view name);

}  // namespace aiges::wire
