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

// What keeps the memory that an engine reads in place as it is; null where everything was copied.
struct Borrowed {
  std::shared_ptr<void> pins;
  // While it lives, engine code may be reading memory of the environment's heap.
  std::shared_ptr<void> inside;
};

// Adds [{key, data, type, status, desc}, …].
//
// Memory of ours (see shared_memory.h) and received messages are read in place from any thread; ordinary memory from
// the main thread only: the heap of a worker dies with terminate(), whatever an engine is reading.
Borrowed AddFrames(JsThread& js, const Napi::Value& value, DataListBuilder& builder);

// Resource ids. Throws a TypeError.
std::vector<unsigned int> ReadIds(const Napi::Value& value);

// {frames, memory, leased}: see Answer in src/runtimes/native/addon.ts.
Napi::Value MakeAnswer(Napi::Env env, OwnedFrames output);

// Detaches the ArrayBuffers behind an answer and lets go of its memory. Idempotent.
void ReleaseAnswer(const Napi::Value& memory);

}  // namespace aiges
