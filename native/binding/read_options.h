// SPDX-License-Identifier: Apache-2.0
// Reads the options that JavaScript gives as one object. Each throws a TypeError that names the option.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "napi_setup.h"

namespace aiges {

// A number that is not negative; a larger one than `most` is taken for it.
inline double ReadNumber(const Napi::Object& options, const char* name, double most) {
  const Napi::Value value = options.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0)) throw Napi::TypeError::New(options.Env(), std::string("expected a number for options.") + name);
  return std::min(number, most);
}

// Up to the largest integer that JavaScript has.
inline std::size_t ReadSize(const Napi::Object& options, const char* name) {
  return static_cast<std::size_t>(ReadNumber(options, name, 9007199254740991.0));
}

inline bool ReadBool(const Napi::Object& options, const char* name) {
  const Napi::Value value = options.Get(name);
  if (!value.IsBoolean()) {
    throw Napi::TypeError::New(options.Env(), std::string("expected a boolean for options.") + name);
  }
  return value.As<Napi::Boolean>().Value();
}

}  // namespace aiges
