// SPDX-License-Identifier: Apache-2.0
#include "affinity_wrap.h"
#include "callback_registry.h"
#include "engine_wrap.h"
#include "js_thread.h"
#include "loan_wrap.h"
#include "napi_setup.h"
#include "probe_wrap.h"
#include "stream_wrap.h"
#include "wire_wrap.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  aiges::JsThread::Create(env);
  aiges::ExportAffinity(env, exports);
  aiges::ExportEngine(env, exports);
  aiges::ExportLoans(env, exports);
  aiges::ExportProbe(env, exports);
  aiges::ExportStream(env, exports);
  aiges::ExportWire(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(aiges, Init)
