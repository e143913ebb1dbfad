// SPDX-License-Identifier: Apache-2.0
// How core reports failure. Nothing throws across its border: a call gives a Status or a Result.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace aiges {

enum class Code {
  kOk,
  kLoadFailed,      // the library cannot be opened
  kSymbolMissing,   // it opens, but lacks entry points
  kConfigConflict,  // it runs already, with another configuration
  kInitFailed,      // wrapperInit said no
  kFiniFailed,      // wrapperFini said no
  kUnsupported,     // the engine lacks the group that the call needs
  kPluginError,     // the call itself returned an error code
  kCallbackError,   // the callback brought an error code
  kBadOutput,       // the call succeeded, but what it gave cannot be read
  kDuplicateTag,    // a call with this tag is still known
  kAbandoned,       // nobody waits for the answer any more
  kBusy,            // a call on a stream that is closed, or inside the engine already
  kOutOfResources,  // no memory, no thread
};

struct Status {
  Code code = Code::kOk;
  const char* op = "";  // the entry point at fault, a literal
  int plugin_code = 0;  // meaningful for kInitFailed, kFiniFailed, kPluginError and kCallbackError
  std::string text;

  bool ok() const { return code == Code::kOk; }
  // True when an engine's own code says what went wrong (and not the loader).
  bool from_plugin() const { return plugin_code != 0; }
};

// A value, or the reason why there is none.
template <typename T>
class Result {
 public:
  // Not explicit: functions say `return value` and `return status`.
  Result(T value) : state_(std::move(value)) {}
  Result(Status status) : state_(std::move(status)) {}

  bool ok() const { return std::holds_alternative<T>(state_); }
  T& value() { return std::get<T>(state_); }
  const T& value() const { return std::get<T>(state_); }
  const Status& status() const { return std::get<Status>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace aiges
