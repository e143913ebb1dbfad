// SPDX-License-Identifier: Apache-2.0
// JavaScript frames to DataList nodes, and what an engine gave to JavaScript frames.
#pragma once

#include <memory>
#include <vector>

#include "data_list.h"
#include "js_thread.h"
#include "napi_setup.h"
#include "owned_frames.h"

namespace aiges {

// ["key", "value", …] to pairs. Throws a TypeError that names the argument.
StringPairs ReadPairs(const Napi::Value& value, const char* what);

// A C string cannot carry a NUL. Throws a TypeError.
std::string ReadKey(const Napi::Value& value, const char* what);

// Adds [{key, data, type, status, desc}, …]. Gives the values whose memory the engine will read in place, which have
// to stay alive.
std::vector<Napi::Value> AddFrames(const Napi::Value& value, DataListBuilder& builder);

// Keeps these values alive until the token is gone.
std::shared_ptr<void> PinAll(JsThread& js, Napi::Env env, const std::vector<Napi::Value>& values);

// Resource ids. Throws a TypeError.
std::vector<unsigned int> ReadIds(const Napi::Value& value);

// {frames, memory}: see Answer in src/runtimes/native/addon.ts.
Napi::Value MakeAnswer(Napi::Env env, OwnedFrames output);

// Detaches the ArrayBuffers behind an answer and lets go of its memory. Idempotent.
void ReleaseAnswer(const Napi::Value& memory);

}  // namespace aiges
