// SPDX-License-Identifier: Apache-2.0
#include "nghttp2_api.h"

#include <dlfcn.h>

#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

namespace aiges::wire {
namespace {

constexpr int kLeastVersion = 0x013400;
constexpr char kLeastVersionText[] = "1.52.0";

// Looks everything up, so that one message names all that is missing.
class Lookup {
 public:
  explicit Lookup(void* library) : library_(library) {}

  template <typename Fn>
  void Required(Fn& slot, const char* name) {
    Optional(slot, name);
    if (slot == nullptr) missing_.push_back(name);
  }
  template <typename Fn>
  void Optional(Fn& slot, const char* name) {
    slot = reinterpret_cast<Fn>(dlsym(library_, name));
  }

  std::string Missing() const {
    std::string names;
    for (const char* name : missing_) names.append(names.empty() ? "" : ", ").append(name);
    return names;
  }

 private:
  void* library_;
  std::vector<const char*> missing_;
};

// "1.61.2" → 0x013d02; 0 when it is no version.
int VersionNumber(std::string_view text) {
  int number = 0;
  const char* at = text.data();
  const char* end = at + text.size();
  for (int part = 0; part < 3; ++part) {
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value > 255) return 0;
    number = number << 8 | static_cast<int>(value);
    at = rest;
    if (part < 2 && (at == end || *at++ != '.')) return 0;
  }
  return number;
}

Result<Nghttp2> Load(void* library, const std::string& where, const std::string& version) {
  Nghttp2 api{};
  Lookup lookup(library);
#define AIGES_REQUIRED(name) lookup.Required(api.name, "nghttp2_" #name)
  AIGES_REQUIRED(strerror);
  AIGES_REQUIRED(session_callbacks_new);
  AIGES_REQUIRED(session_callbacks_del);
  AIGES_REQUIRED(session_callbacks_set_on_begin_frame_callback);
  AIGES_REQUIRED(session_callbacks_set_on_begin_headers_callback);
  AIGES_REQUIRED(session_callbacks_set_on_header_callback);
  AIGES_REQUIRED(session_callbacks_set_on_data_chunk_recv_callback);
  AIGES_REQUIRED(session_callbacks_set_on_frame_recv_callback);
  AIGES_REQUIRED(session_callbacks_set_on_frame_send_callback);
  AIGES_REQUIRED(session_callbacks_set_on_frame_not_send_callback);
  AIGES_REQUIRED(session_callbacks_set_on_stream_close_callback);
  AIGES_REQUIRED(session_callbacks_set_send_data_callback);
  AIGES_REQUIRED(session_callbacks_set_data_source_read_length_callback);
  AIGES_REQUIRED(option_new);
  AIGES_REQUIRED(option_del);
  AIGES_REQUIRED(option_set_no_auto_window_update);
  AIGES_REQUIRED(option_set_no_closed_streams);
  AIGES_REQUIRED(session_server_new2);
  AIGES_REQUIRED(session_del);
  AIGES_REQUIRED(session_mem_recv);
  AIGES_REQUIRED(session_mem_send);
  AIGES_REQUIRED(session_want_read);
  AIGES_REQUIRED(session_want_write);
  AIGES_REQUIRED(session_resume_data);
  AIGES_REQUIRED(session_consume_connection);
  AIGES_REQUIRED(session_consume_stream);
  AIGES_REQUIRED(session_set_local_window_size);
  AIGES_REQUIRED(session_set_stream_user_data);
  AIGES_REQUIRED(session_get_stream_user_data);
  AIGES_REQUIRED(session_get_last_proc_stream_id);
  AIGES_REQUIRED(session_get_outbound_queue_size);
  AIGES_REQUIRED(session_terminate_session);
  AIGES_REQUIRED(submit_settings);
  AIGES_REQUIRED(submit_response);
  AIGES_REQUIRED(submit_trailer);
  AIGES_REQUIRED(submit_rst_stream);
  AIGES_REQUIRED(submit_ping);
  AIGES_REQUIRED(submit_goaway);
  AIGES_REQUIRED(submit_shutdown_notice);
#undef AIGES_REQUIRED
  lookup.Optional(api.version, "nghttp2_version");
  lookup.Optional(api.option_set_max_continuations, "nghttp2_option_set_max_continuations");
  lookup.Optional(api.option_set_stream_reset_rate_limit, "nghttp2_option_set_stream_reset_rate_limit");

  if (const std::string missing = lookup.Missing(); !missing.empty()) {
    return Status{Code::kSymbolMissing, "dlsym", 0, where + " lacks " + missing};
  }
  if (api.version != nullptr) {
    const ng::Info* info = api.version(0);
    api.version_text = info->version_str;
    api.version_number = info->version_num;
  } else {
    api.version_text = version;
    api.version_number = VersionNumber(version);
  }
  if (api.version_number < kLeastVersion) {
    return Status{Code::kUnsupported, "nghttp2_version", 0,
                  where + " has nghttp2 " + (api.version_text.empty() ? "of unknown version" : api.version_text) +
                      ", at least " + kLeastVersionText + " is needed"};
  }
  return api;
}

}  // namespace

Result<Nghttp2> Nghttp2::FromProcess(const std::string& version) { return Load(RTLD_DEFAULT, "this process", version); }

Result<Nghttp2> Nghttp2::FromLibrary(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* reason = dlerror();
    return Status{Code::kLoadFailed, "dlopen", 0,
                  std::string("cannot load nghttp2: ") + (reason != nullptr ? reason : path)};
  }
  return Load(library, path, "");
}

}  // namespace aiges::wire
