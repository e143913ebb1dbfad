// SPDX-License-Identifier: Apache-2.0
// What an engine gave, in memory of our own, or with the large payloads left in the engine's memory (see lease.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "aiges/type.h"
#include "block.h"
#include "data_list.h"
#include "result.h"

namespace aiges {

// Beyond these an answer is taken for a list that does not end, or for a length that is not true.
struct OutputLimits {
  std::size_t nodes = 4096;  // of a data list, and of the desc list of each of its nodes
  std::size_t bytes = std::size_t{1} << 30;
};

// Whether an output of this status is the last one of its request.
inline bool IsFinal(std::uint32_t status) { return status == DataEnd || status == DataOnce; }

struct OutputFrame {
  std::string key;
  std::uint32_t type = 0;
  std::uint32_t status = 0;
  StringPairs desc;
  const std::byte* data = nullptr;  // in `block`, or in engine memory when leased; anything when size is 0
  std::size_t size = 0;
  bool leased = false;
};

struct OwnedFrames {
  std::vector<OutputFrame> frames;
  Block block;  // the copied payloads, one after the other, each aligned; null when there are none
  std::size_t block_size = 0;
  std::shared_ptr<void> lease;  // keeps leased payloads alive; null when everything was copied
};

// First half: reads what the list says, without its payloads. Tolerates NULL keys and NULL values (""), and NULL data
// of length 0; refuses NULL data with a length, and lists beyond the limits. `op` names the entry point in the error.
// The engine's memory is read once: an engine that changes it meanwhile can spoil its own answer, not ours.
Result<OwnedFrames> ReadFrames(const DataList* head, const OutputLimits& limits, const char* op);

// Second half: copies the payloads that are not marked as leased.
void CopyPayloads(OwnedFrames& frames);

// Both halves.
Result<OwnedFrames> CopyFrames(const DataList* head, const OutputLimits& limits, const char* op);

}  // namespace aiges
