// SPDX-License-Identifier: Apache-2.0
// The part of nghttp2's C API that the wire uses, declared by ourselves and looked up when it is needed.
//
// Node carries nghttp2 and exports its symbols, so installing the addon needs no system library and no header. Only
// what nghttp2 1.52 has is declared; whatever is newer is optional and may be null.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "result.h"

// C types of the library: passed through, never defined here.
extern "C" {
struct nghttp2_session;
struct nghttp2_session_callbacks;
struct nghttp2_option;
}

namespace aiges::wire {

// The library's structures, with its layout; test/native/wire checks each of them against the real header.
namespace ng {

struct Info {
  int age;
  int version_num;
  const char* version_str;
  const char* proto_str;
};

struct FrameHeader {
  std::size_t length;
  std::int32_t stream_id;
  std::uint8_t type;
  std::uint8_t flags;
  std::uint8_t reserved;
};

struct PrioritySpec {
  std::int32_t stream_id;
  std::int32_t weight;
  std::uint8_t exclusive;
};

struct Field {
  std::uint8_t* name;
  std::uint8_t* value;
  std::size_t name_size;
  std::size_t value_size;
  std::uint8_t flags;
};

struct SettingsEntry {
  std::int32_t id;
  std::uint32_t value;
};

struct HeadersFrame {
  FrameHeader hd;
  std::size_t pad_size;
  PrioritySpec priority;
  Field* fields;
  std::size_t field_count;
  int category;
};

struct RstStreamFrame {
  FrameHeader hd;
  std::uint32_t error_code;
};

struct PingFrame {
  FrameHeader hd;
  std::uint8_t opaque[8];
};

// Only ever looked at through a pointer that the library gives.
union Frame {
  FrameHeader hd;
  HeadersFrame headers;
  RstStreamFrame rst_stream;
  PingFrame ping;
};

union DataSource {
  int fd;
  void* ptr;
};

using ReadData = ssize_t (*)(nghttp2_session*, std::int32_t stream_id, std::uint8_t* buffer, std::size_t length,
                             std::uint32_t* flags, DataSource* source, void* user);
struct DataProvider {
  DataSource source;
  ReadData read;
};

enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

enum FrameFlag : std::uint8_t {
  kNoFlags = 0,
  kEndStream = 1,  // and ACK for SETTINGS and PING
  kAck = 1,
  kPadded = 8,
};

inline bool IsLast(const FrameHeader& header) { return (header.flags & kEndStream) != 0; }

enum FieldFlag : std::uint8_t { kNoCopyName = 2, kNoCopyValue = 4 };

enum DataFlag : std::uint32_t { kDataEof = 1, kDataNoEndStream = 2, kDataNoCopy = 4 };

enum SettingsId : std::int32_t {
  kMaxConcurrentStreams = 3,
  kInitialWindowSize = 4,
  kMaxFrameSize = 5,
  kMaxHeaderListSize = 6,
  kNoRfc7540Priorities = 9,
};

enum ErrorCode : std::uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kSettingsTimeout = 4,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
};

// What callbacks return and functions report.
enum : int {
  kErrorDeferred = -508,
  kErrorTemporalCallbackFailure = -521,
  kErrorFrameSize = -522,
  kErrorCallbackFailure = -902,
  kErrorFlooded = -904,
  kErrorTooManyContinuations = -905,
};

inline constexpr int kRequestCategory = 0;  // NGHTTP2_HCAT_REQUEST

}  // namespace ng

// The entry points. One table serves any number of servers.
struct Nghttp2 {
  using OnBeginFrame = int (*)(nghttp2_session*, const ng::FrameHeader*, void* user);
  using OnFrame = int (*)(nghttp2_session*, const ng::Frame*, void* user);
  using OnFrameNotSent = int (*)(nghttp2_session*, const ng::Frame*, int error, void* user);
  using OnHeader = int (*)(nghttp2_session*, const ng::Frame*, const std::uint8_t* name, std::size_t name_size,
                           const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* user);
  using OnDataChunk = int (*)(nghttp2_session*, std::uint8_t flags, std::int32_t stream_id, const std::uint8_t* data,
                              std::size_t size, void* user);
  using OnStreamClose = int (*)(nghttp2_session*, std::int32_t stream_id, std::uint32_t error_code, void* user);
  using SendData = int (*)(nghttp2_session*, ng::Frame*, const std::uint8_t* frame_header, std::size_t length,
                           ng::DataSource*, void* user);
  using ReadLength = ssize_t (*)(nghttp2_session*, std::uint8_t frame_type, std::int32_t stream_id,
                                 std::int32_t session_window, std::int32_t stream_window, std::uint32_t max_frame,
                                 void* user);

  // Node's own copy, or whatever else this process has loaded. Node does not export nghttp2_version: `version` is what
  // process.versions.nghttp2 says, and counts only where the library itself is silent.
  static Result<Nghttp2> FromProcess(const std::string& version);
  // A shared library (a path, or a name that the dynamic linker finds), which stays loaded for as long as the process
  // lives.
  static Result<Nghttp2> FromLibrary(const char* path);

  std::string version_text;  // "1.52.0"
  int version_number = 0;    // 0x013400

  // clang-format off
  const char* (*strerror)(int);
  int (*session_callbacks_new)(nghttp2_session_callbacks**);
  void (*session_callbacks_del)(nghttp2_session_callbacks*);
  void (*session_callbacks_set_on_begin_frame_callback)(nghttp2_session_callbacks*, OnBeginFrame);
  void (*session_callbacks_set_on_begin_headers_callback)(nghttp2_session_callbacks*, OnFrame);
  void (*session_callbacks_set_on_header_callback)(nghttp2_session_callbacks*, OnHeader);
  void (*session_callbacks_set_on_data_chunk_recv_callback)(nghttp2_session_callbacks*, OnDataChunk);
  void (*session_callbacks_set_on_frame_recv_callback)(nghttp2_session_callbacks*, OnFrame);
  void (*session_callbacks_set_on_frame_send_callback)(nghttp2_session_callbacks*, OnFrame);
  void (*session_callbacks_set_on_frame_not_send_callback)(nghttp2_session_callbacks*, OnFrameNotSent);
  void (*session_callbacks_set_on_stream_close_callback)(nghttp2_session_callbacks*, OnStreamClose);
  void (*session_callbacks_set_send_data_callback)(nghttp2_session_callbacks*, SendData);
  void (*session_callbacks_set_data_source_read_length_callback)(nghttp2_session_callbacks*, ReadLength);
  int (*option_new)(nghttp2_option**);
  void (*option_del)(nghttp2_option*);
  void (*option_set_no_auto_window_update)(nghttp2_option*, int);
  void (*option_set_no_closed_streams)(nghttp2_option*, int);
  int (*session_server_new2)(nghttp2_session**, const nghttp2_session_callbacks*, void* user, const nghttp2_option*);
  void (*session_del)(nghttp2_session*);
  ssize_t (*session_mem_recv)(nghttp2_session*, const std::uint8_t*, std::size_t);
  ssize_t (*session_mem_send)(nghttp2_session*, const std::uint8_t**);
  int (*session_want_read)(nghttp2_session*);
  int (*session_want_write)(nghttp2_session*);
  int (*session_resume_data)(nghttp2_session*, std::int32_t stream_id);
  int (*session_consume_connection)(nghttp2_session*, std::size_t);
  int (*session_consume_stream)(nghttp2_session*, std::int32_t stream_id, std::size_t);
  int (*session_set_local_window_size)(nghttp2_session*, std::uint8_t flags, std::int32_t stream_id, std::int32_t);
  int (*session_set_stream_user_data)(nghttp2_session*, std::int32_t stream_id, void*);
  void* (*session_get_stream_user_data)(nghttp2_session*, std::int32_t stream_id);
  std::int32_t (*session_get_last_proc_stream_id)(nghttp2_session*);
  std::size_t (*session_get_outbound_queue_size)(nghttp2_session*);
  int (*session_terminate_session)(nghttp2_session*, std::uint32_t error_code);
  int (*submit_settings)(nghttp2_session*, std::uint8_t flags, const ng::SettingsEntry*, std::size_t);
  int (*submit_response)(nghttp2_session*, std::int32_t stream_id, const ng::Field*, std::size_t,
                         const ng::DataProvider*);
  int (*submit_trailer)(nghttp2_session*, std::int32_t stream_id, const ng::Field*, std::size_t);
  int (*submit_rst_stream)(nghttp2_session*, std::uint8_t flags, std::int32_t stream_id, std::uint32_t error_code);
  int (*submit_ping)(nghttp2_session*, std::uint8_t flags, const std::uint8_t* opaque);
  int (*submit_goaway)(nghttp2_session*, std::uint8_t flags, std::int32_t last_stream_id, std::uint32_t error_code,
                       const std::uint8_t* opaque, std::size_t);
  int (*submit_shutdown_notice)(nghttp2_session*);
  // Not in every build, or newer than 1.52: null when absent.
  const ng::Info* (*version)(int least);
  void (*option_set_max_continuations)(nghttp2_option*, std::size_t);
  void (*option_set_stream_reset_rate_limit)(nghttp2_option*, std::uint64_t burst, std::uint64_t rate);
  // clang-format on
};

}  // namespace aiges::wire
