// SPDX-License-Identifier: Apache-2.0
// Turns a batch of the wire's events into a handful of JavaScript values, whatever its length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "events.h"
#include "napi_setup.h"
#include "received_buffers.h"

namespace aiges {

// JavaScript thread only.
class EventPacker {
 public:
  explicit EventPacker(std::shared_ptr<ReceivedBuffers> buffers) : buffers_(std::move(buffers)) {}

  // See Deliver in src/transports/grpc/wire-addon.ts.
  struct Packed {
    Napi::Value events;  // good until the next Pack
    Napi::Value count;
    Napi::Value bytes;
    Napi::Value large;
  };
  Packed Pack(Napi::Env env, wire::Events events);

 private:
  // Connections are numbered by the place of what JavaScript knows about them, and a place is used again when the
  // connection is gone.
  struct Place {
    std::uint64_t id = 0;
    std::weak_ptr<const wire::ConnectionInfo> connection;
  };
  struct Located {
    std::size_t place;
    bool fresh;  // JavaScript does not know it yet
  };
  Located Locate(const std::shared_ptr<const wire::ConnectionInfo>& connection);
  void ForgetClosed();

  double* Room(Napi::Env env, std::size_t events);

  const std::shared_ptr<ReceivedBuffers> buffers_;
  Napi::Reference<Napi::Float64Array> numbers_;
  double* numbers_data_ = nullptr;
  std::size_t capacity_ = 0;

  std::vector<Place> places_;
  std::vector<std::size_t> free_;
  std::unordered_map<std::uint64_t, std::size_t> place_of_;
  std::size_t look_again_at_ = 64;  // so many places in use make it worth looking for closed connections
};

}  // namespace aiges
