// SPDX-License-Identifier: Apache-2.0
// Builds the ParamList and DataList chains that an engine reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aiges/type.h"
#include "arena.h"

namespace aiges {

using StringPairs = std::vector<std::pair<std::string, std::string>>;

// What an engine is given for a list without elements.
enum class EmptyList {
  kSentinel,  // one node with key == NULL: what engines in production were proven against
  kNull,
};

enum class InputMode {
  kAuto,  // large aligned payloads are handed over in place
  kCopy,  // every payload is copied; the large ones in Seal
};

// From this size on a payload is worth handing over in place, and leasing on the way back.
inline constexpr std::size_t kInPlaceBytes = 64 * 1024;
// What an engine may expect of a payload in place; malloc gives the same.
inline constexpr std::size_t kInPlaceAlignment = 16;

// The values of the C ABI's enums travel as plain numbers: newer clients send values that no enumerator has.
struct FrameView {
  std::string_view key;
  std::span<const std::byte> data;
  std::uint32_t type = 0;
  std::uint32_t status = 0;
  const StringPairs* desc = nullptr;
  // The memory cannot be kept until the engine has let go of the call: it is copied in AddFrame, whatever its size.
  bool fleeting = false;
};

// The lists of one call. Addresses stay valid for the builder's life, also when it is moved.
//
// Small payloads are copied when they are added, so that the request's owner can forget them. Large ones are borrowed:
// their memory must stay as it is until the engine has let go of the call. Those that have to be copied all the same
// are copied in Seal, which runs on an executor thread and not on the thread that takes requests.
class DataListBuilder {
 public:
  DataListBuilder(EmptyList empty_list, InputMode input_mode) : empty_list_(empty_list), input_mode_(input_mode) {}

  void AddParam(std::string_view key, std::string_view value);
  void SetParams(const StringPairs& params);
  // frame.data.size() must fit an unsigned int; callers refuse larger frames before they come here.
  void AddFrame(const FrameView& frame);

  // Makes the copies that were put off. Afterwards params() and data() are what the engine may see.
  void Seal();

  pParamList params() { return Head(params_); }
  pDataList data() { return Head(data_); }

  // Whether any payload is still the caller's memory (before Seal: also those that Seal will copy).
  bool borrows() const { return borrows_ || !postponed_.empty(); }
  // Whether any byte of [data, data + size) belongs to this request: an engine that gives its input back as output
  // points there.
  bool Overlaps(const void* data, std::size_t size) const;

 private:
  template <typename Node>
  struct Chain {
    Node* head = nullptr;
    Node* tail = nullptr;
    void Append(Node* node) {
      (tail == nullptr ? head : tail->next) = node;
      tail = node;
    }
  };

  template <typename Node>
  Node* Head(Chain<Node>& chain) {
    // The engine may write into the node, so each empty list has its own.
    if (chain.head == nullptr && empty_list_ == EmptyList::kSentinel) chain.head = arena_.New<Node>();
    return chain.head;
  }
  void AppendPair(Chain<ParamList>& chain, std::string_view key, std::string_view value);
  std::byte* CopyPayload(std::span<const std::byte> payload);

  EmptyList empty_list_;
  InputMode input_mode_;
  Arena arena_;
  std::vector<Block> large_copies_;
  std::vector<DataList*> postponed_;
  // Where large payloads lie, apart from the nodes: the engine can write into those.
  std::vector<std::span<const std::byte>> large_;
  bool borrows_ = false;
  Chain<ParamList> params_;
  Chain<DataList> data_;
};

}  // namespace aiges
