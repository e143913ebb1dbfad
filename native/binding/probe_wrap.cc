// SPDX-License-Identifier: Apache-2.0
#include "probe_wrap.h"

#include <optional>
#include <string>

#include "shared_library.h"
#include "wrapper_api.h"

namespace aiges {
namespace {

struct Probed {
  bool opened = false;
  std::optional<std::string> error;
  std::optional<std::string> version;
};

Probed Probe(const std::string& path, bool call) {
  const auto library = SharedLibrary::Open(path);
  if (!library.ok()) return {false, library.status().text, std::nullopt};
  const auto api = WrapperApi::Resolve(library.value(), std::nullopt);
  if (!api.ok()) return {true, api.status().text, std::nullopt};
  if (!call) return {true, std::nullopt, std::nullopt};
  try {
    const char* version = api.value().version();
    return {true, std::nullopt, version != nullptr ? version : ""};
  } catch (...) {
    return {true, "wrapperVersion threw a C++ exception", std::nullopt};
  }
}

Napi::Value OrNull(Napi::Env env, const std::optional<std::string>& text) {
  return text.has_value() ? Napi::Value(Napi::String::New(env, *text)) : env.Null();
}

// probe(path: string, call: boolean): { opened: boolean, error: string | null, version: string | null }
Napi::Value ProbeOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[0].IsString() || !info[1].IsBoolean()) {
    throw Napi::TypeError::New(env, "expected a string for path and a boolean for call");
  }
  const Probed probed = Probe(info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::Boolean>().Value());
  auto result = Napi::Object::New(env);
  result.Set("opened", Napi::Boolean::New(env, probed.opened));
  result.Set("error", OrNull(env, probed.error));
  result.Set("version", OrNull(env, probed.version));
  return result;
}

}  // namespace

void ExportProbe(Napi::Env env, Napi::Object exports) {
  exports.Set("probe", Napi::Function::New(env, ProbeOf, "probe"));
}

}  // namespace aiges
