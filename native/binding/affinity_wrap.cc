// SPDX-License-Identifier: Apache-2.0
#include "affinity_wrap.h"

#include <vector>

#include "affinity.h"

namespace aiges {
namespace {

// bindToCpus(cpus: number[]): string | null
Napi::Value BindToCpusOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 1 || !info[0].IsArray()) throw Napi::TypeError::New(env, "cpus: expected an array of numbers");
  const auto list = info[0].As<Napi::Array>();
  std::vector<int> cpus;
  cpus.reserve(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value cpu = list[i];
    if (!cpu.IsNumber()) throw Napi::TypeError::New(env, "cpus: expected an array of numbers");
    cpus.push_back(cpu.As<Napi::Number>().Int32Value());
  }
  const Status status = BindToCpus(cpus);
  return status.ok() ? env.Null() : Napi::Value(Napi::String::New(env, status.text));
}

}  // namespace

void ExportAffinity(Napi::Env env, Napi::Object exports) {
  exports.Set("bindToCpus", Napi::Function::New(env, BindToCpusOf, "bindToCpus"));
}

}  // namespace aiges
