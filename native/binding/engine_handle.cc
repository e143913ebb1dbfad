// SPDX-License-Identifier: Apache-2.0
#include "engine_handle.h"

namespace aiges {
namespace {

constexpr napi_type_tag kEngineTag{0x2f6f0b1d9a3e4c57, 0xb5d4e8c1073a9f42};

}  // namespace

void TagEngine(const Napi::External<EngineHandle>& external) { external.TypeTag(&kEngineTag); }

EngineHandle& HandleOf(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<EngineHandle>>().CheckTypeTag(&kEngineTag)) {
    throw Napi::TypeError::New(value.Env(), "expected an engine that open() gave");
  }
  return *value.As<Napi::External<EngineHandle>>().Data();
}

EngineUse& UseOf(EngineHandle& handle, Napi::Env env) {
  if (!handle.use.has_value()) throw Napi::TypeError::New(env, "expected an open engine, this one is closed");
  return *handle.use;
}

}  // namespace aiges
