// SPDX-License-Identifier: Apache-2.0
// Turns a Status of core into the error that a promise rejects with.
#pragma once

#include "napi_setup.h"
#include "result.h"

namespace aiges {

inline const char* CodeName(Code code) {
  switch (code) {
    case Code::kOk: return "AIGES_OK";
    case Code::kLoadFailed: return "AIGES_LOAD_FAILED";
    case Code::kSymbolMissing: return "AIGES_SYMBOL_MISSING";
    case Code::kConfigConflict: return "AIGES_CONFIG_CONFLICT";
    case Code::kInitFailed: return "AIGES_INIT_FAILED";
    case Code::kFiniFailed: return "AIGES_FINI_FAILED";
    case Code::kUnsupported: return "AIGES_UNSUPPORTED";
    case Code::kPluginError: return "AIGES_PLUGIN_ERROR";
    case Code::kCallbackError: return "AIGES_CALLBACK_ERROR";
    case Code::kBadOutput: return "AIGES_BAD_OUTPUT";
    case Code::kDuplicateTag: return "AIGES_DUPLICATE_TAG";
    case Code::kAbandoned: return "AIGES_ABANDONED";
    case Code::kBusy: return "AIGES_BUSY";
    case Code::kOutOfResources: return "AIGES_OUT_OF_RESOURCES";
  }
  return "AIGES_UNKNOWN";
}

// `text` is the engine's or the loader's own sentence; `pluginCode` is null when no code of the engine is involved.
inline Napi::Value MakeError(Napi::Env env, const Status& status) {
  std::string message = status.text;
  if (status.from_plugin()) {
    message = std::string(status.op) + ": " + status.text + ";code=" + std::to_string(status.plugin_code);
  }
  Napi::Object error = Napi::Error::New(env, message).Value();
  error.Set("name", "PluginError");
  error.Set("code", CodeName(status.code));
  error.Set("op", status.op);
  error.Set("text", status.text);
  error.Set("pluginCode", status.from_plugin() ? Napi::Value(Napi::Number::New(env, status.plugin_code)) : env.Null());
  return error;
}

}  // namespace aiges
