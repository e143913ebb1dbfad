// SPDX-License-Identifier: Apache-2.0
// JavaScript frames to DataList nodes, and what an engine gave to JavaScript frames.
#pragma once

#include <vector>

#include "data_list.h"
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

// {frames, memory}: see Answer in src/runtimes/native/addon.ts.
Napi::Value MakeAnswer(Napi::Env env, OwnedFrames output);

// Detaches the ArrayBuffers behind an answer and lets go of its memory. Idempotent.
void ReleaseAnswer(const Napi::Value& memory);

}  // namespace aiges
