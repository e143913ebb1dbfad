// SPDX-License-Identifier: Apache-2.0
#include "session_callbacks.h"

#include <limits>
#include <new>
#include <string_view>

#include "connection.h"

namespace aiges::wire {

// A class of its own so that it can be a friend. Nothing may be thrown through C.
struct SessionCallbacks {
  static Connection& Of(void* user) { return *static_cast<Connection*>(user); }

  template <typename Body>
  static int Guarded(Body body) noexcept {
    try {
      return body();
    } catch (...) {
      return ng::kErrorCallbackFailure;  // out of memory: the connection is lost, the server is not
    }
  }

  // What is left of the input is not looked at once the connection is to be ended.
  template <typename Body>
  static int Received(void* user, Body body) noexcept {
    const int result = Guarded(body);
    return Of(user).doom_ ? static_cast<int>(ng::kErrorCallbackFailure) : result;
  }

  static int BeginFrame(nghttp2_session*, const ng::FrameHeader* header, void* user) {
    return Received(user, [&] { return Of(user).OnBeginFrame(*header); });
  }
  static int BeginHeaders(nghttp2_session*, const ng::Frame* frame, void* user) {
    return Received(user, [&] { return Of(user).OnBeginHeaders(*frame); });
  }
  static int Header(nghttp2_session*, const ng::Frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    return Received(user, [&] {
      return Of(user).OnHeader(*frame, {reinterpret_cast<const char*>(name), name_size},
                               {reinterpret_cast<const char*>(value), value_size});
    });
  }
  static int DataChunk(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* data, std::size_t size,
                       void* user) {
    return Received(user, [&] { return Of(user).OnData(stream, {reinterpret_cast<const std::byte*>(data), size}); });
  }
  static int FrameReceived(nghttp2_session*, const ng::Frame* frame, void* user) {
    return Received(user, [&] { return Of(user).OnFrame(*frame); });
  }
  static int FrameSent(nghttp2_session*, const ng::Frame* frame, void* user) {
    return Guarded([&] { return Of(user).OnFrameSent(*frame); });
  }
  static int FrameNotSent(nghttp2_session*, const ng::Frame* frame, int error, void* user) {
    return Guarded([&] { return Of(user).OnFrameNotSent(*frame, error); });
  }
  static int StreamClose(nghttp2_session*, std::int32_t stream, std::uint32_t, void* user) {
    return Guarded([&] { return Of(user).OnStreamClose(stream); });
  }
  static int SendData(nghttp2_session*, ng::Frame* frame, const std::uint8_t* header, std::size_t length,
                      ng::DataSource*, void* user) {
    constexpr std::size_t kFrameHeader = 9;
    return Guarded([&] {
      return Of(user).SendReply(frame->hd.stream_id, {reinterpret_cast<const std::byte*>(header), kFrameHeader},
                                length);
    });
  }
  // As much as the client takes: fewer frames mean fewer pieces to write. The bound is for its share of the connection.
  static ssize_t ReadLength(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t, std::int32_t,
                            std::uint32_t max_frame, void*) {
    constexpr std::uint32_t kMost = 256u << 10;
    return max_frame < kMost ? max_frame : kMost;
  }
};

SessionSetup::SessionSetup(const Nghttp2& api) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (api.session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
  callbacks_ = {callbacks, Delete{&api}};
  api.session_callbacks_set_on_begin_frame_callback(callbacks, SessionCallbacks::BeginFrame);
  api.session_callbacks_set_on_begin_headers_callback(callbacks, SessionCallbacks::BeginHeaders);
  api.session_callbacks_set_on_header_callback(callbacks, SessionCallbacks::Header);
  api.session_callbacks_set_on_data_chunk_recv_callback(callbacks, SessionCallbacks::DataChunk);
  api.session_callbacks_set_on_frame_recv_callback(callbacks, SessionCallbacks::FrameReceived);
  api.session_callbacks_set_on_frame_send_callback(callbacks, SessionCallbacks::FrameSent);
  api.session_callbacks_set_on_frame_not_send_callback(callbacks, SessionCallbacks::FrameNotSent);
  api.session_callbacks_set_on_stream_close_callback(callbacks, SessionCallbacks::StreamClose);
  api.session_callbacks_set_send_data_callback(callbacks, SessionCallbacks::SendData);
  api.session_callbacks_set_data_source_read_length_callback(callbacks, SessionCallbacks::ReadLength);

  nghttp2_option* options = nullptr;
  if (api.option_new(&options) != 0) throw std::bad_alloc();
  options_ = {options, Delete{&api}};
  api.option_set_no_auto_window_update(options, 1);
  api.option_set_no_closed_streams(options, 1);
  // Both are limits of Options, and what the library does about them differs between its versions.
  if (api.option_set_max_continuations != nullptr) {
    api.option_set_max_continuations(options, std::numeric_limits<std::uint32_t>::max());
  }
  if (api.option_set_stream_reset_rate_limit != nullptr) {
    constexpr std::uint64_t kNever = std::uint64_t{1} << 40;
    api.option_set_stream_reset_rate_limit(options, kNever, kNever);
  }
}

}  // namespace aiges::wire
