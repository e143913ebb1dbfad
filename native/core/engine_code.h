// SPDX-License-Identifier: Apache-2.0
// What every call into an engine's code has in common.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "result.h"

namespace aiges {

// Runs engine code. C++ engines let exceptions escape through their C functions; here they end, as a status.
template <typename F>
Status Guarded(const char* op, F&& f) {
  try {
    f();
    return {};
  } catch (const std::exception& e) {
    return Status{Code::kBadOutput, op, 0, std::string(op) + " threw a C++ exception: " + e.what()};
  } catch (...) {
    return Status{Code::kBadOutput, op, 0, std::string(op) + " threw a C++ exception"};
  }
}

inline Status NoMemory(const char* op) {
  return Status{Code::kOutOfResources, op, 0, std::string(op) + ": no memory left"};
}

inline Status NoThread(const char* op) {
  return Status{Code::kOutOfResources, op, 0, std::string(op) + ": no thread could be started"};
}

inline Status Lacks(const std::string& path, const char* op) {
  return Status{Code::kUnsupported, op, 0, "engine " + path + " has no " + op};
}

}  // namespace aiges
