// SPDX-License-Identifier: Apache-2.0
// Our declarations of nghttp2 against its own, and how it is found.
#include "nghttp2_api.h"

#include <gtest/gtest.h>

#include <cstring>
#if __has_include(<nghttp2/nghttp2.h>)
#include <nghttp2/nghttp2.h>
#define AIGES_HAVE_NGHTTP2
#endif

#include "harness.h"

namespace aiges::wire::test {
namespace {

#ifdef AIGES_HAVE_NGHTTP2
#define SAME(ours, our_field, theirs, their_field)                           \
  static_assert(offsetof(ours, our_field) == offsetof(theirs, their_field)); \
  static_assert(sizeof(ours::our_field) == sizeof(theirs::their_field))

static_assert(sizeof(ng::Info) == sizeof(nghttp2_info));
SAME(ng::Info, version_num, nghttp2_info, version_num);
SAME(ng::Info, version_str, nghttp2_info, version_str);
static_assert(sizeof(ng::FrameHeader) == sizeof(nghttp2_frame_hd));
SAME(ng::FrameHeader, length, nghttp2_frame_hd, length);
SAME(ng::FrameHeader, stream_id, nghttp2_frame_hd, stream_id);
SAME(ng::FrameHeader, type, nghttp2_frame_hd, type);
SAME(ng::FrameHeader, flags, nghttp2_frame_hd, flags);
static_assert(sizeof(ng::PrioritySpec) == sizeof(nghttp2_priority_spec));
static_assert(sizeof(ng::Field) == sizeof(nghttp2_nv));
SAME(ng::Field, name, nghttp2_nv, name);
SAME(ng::Field, value, nghttp2_nv, value);
SAME(ng::Field, name_size, nghttp2_nv, namelen);
SAME(ng::Field, value_size, nghttp2_nv, valuelen);
SAME(ng::Field, flags, nghttp2_nv, flags);
static_assert(sizeof(ng::SettingsEntry) == sizeof(nghttp2_settings_entry));
SAME(ng::SettingsEntry, value, nghttp2_settings_entry, value);
static_assert(sizeof(ng::HeadersFrame) == sizeof(nghttp2_headers));
SAME(ng::HeadersFrame, category, nghttp2_headers, cat);
SAME(ng::HeadersFrame, fields, nghttp2_headers, nva);
SAME(ng::RstStreamFrame, error_code, nghttp2_rst_stream, error_code);
SAME(ng::PingFrame, opaque, nghttp2_ping, opaque_data);
static_assert(sizeof(ng::DataProvider) == sizeof(nghttp2_data_provider));
SAME(ng::DataProvider, read, nghttp2_data_provider, read_callback);

static_assert(static_cast<int>(ng::kData) == NGHTTP2_DATA);
static_assert(static_cast<int>(ng::kHeaders) == NGHTTP2_HEADERS);
static_assert(static_cast<int>(ng::kPriority) == NGHTTP2_PRIORITY);
static_assert(static_cast<int>(ng::kRstStream) == NGHTTP2_RST_STREAM);
static_assert(static_cast<int>(ng::kSettings) == NGHTTP2_SETTINGS);
static_assert(static_cast<int>(ng::kPushPromise) == NGHTTP2_PUSH_PROMISE);
static_assert(static_cast<int>(ng::kPing) == NGHTTP2_PING);
static_assert(static_cast<int>(ng::kGoaway) == NGHTTP2_GOAWAY);
static_assert(static_cast<int>(ng::kWindowUpdate) == NGHTTP2_WINDOW_UPDATE);
static_assert(static_cast<int>(ng::kContinuation) == NGHTTP2_CONTINUATION);
static_assert(static_cast<int>(ng::kEndStream) == NGHTTP2_FLAG_END_STREAM);
static_assert(static_cast<int>(ng::kAck) == NGHTTP2_FLAG_ACK);
static_assert(static_cast<int>(ng::kPadded) == NGHTTP2_FLAG_PADDED);
static_assert(static_cast<int>(ng::kNoCopyName) == NGHTTP2_NV_FLAG_NO_COPY_NAME);
static_assert(static_cast<int>(ng::kNoCopyValue) == NGHTTP2_NV_FLAG_NO_COPY_VALUE);
static_assert(static_cast<int>(ng::kDataEof) == NGHTTP2_DATA_FLAG_EOF);
static_assert(static_cast<int>(ng::kDataNoEndStream) == NGHTTP2_DATA_FLAG_NO_END_STREAM);
static_assert(static_cast<int>(ng::kDataNoCopy) == NGHTTP2_DATA_FLAG_NO_COPY);
static_assert(static_cast<int>(ng::kMaxConcurrentStreams) == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
static_assert(static_cast<int>(ng::kInitialWindowSize) == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
static_assert(static_cast<int>(ng::kMaxFrameSize) == NGHTTP2_SETTINGS_MAX_FRAME_SIZE);
static_assert(static_cast<int>(ng::kMaxHeaderListSize) == NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
static_assert(static_cast<int>(ng::kNoRfc7540Priorities) == NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES);
static_assert(static_cast<int>(ng::kProtocolError) == NGHTTP2_PROTOCOL_ERROR);
static_assert(static_cast<int>(ng::kInternalError) == NGHTTP2_INTERNAL_ERROR);
static_assert(static_cast<int>(ng::kRefusedStream) == NGHTTP2_REFUSED_STREAM);
static_assert(static_cast<int>(ng::kCancel) == NGHTTP2_CANCEL);
static_assert(static_cast<int>(ng::kEnhanceYourCalm) == NGHTTP2_ENHANCE_YOUR_CALM);
static_assert(static_cast<int>(ng::kErrorDeferred) == NGHTTP2_ERR_DEFERRED);
static_assert(static_cast<int>(ng::kErrorTemporalCallbackFailure) == NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE);
static_assert(static_cast<int>(ng::kErrorCallbackFailure) == NGHTTP2_ERR_CALLBACK_FAILURE);
static_assert(static_cast<int>(ng::kErrorFlooded) == NGHTTP2_ERR_FLOODED);
static_assert(ng::kRequestCategory == NGHTTP2_HCAT_REQUEST);
#endif

TEST(Nghttp2, ComesFromALibrary) {
  const auto api = Nghttp2::FromLibrary("libnghttp2.so.14");
  ASSERT_TRUE(api.ok()) << api.status().text;
  EXPECT_GE(api.value().version_number, 0x013400);
  EXPECT_FALSE(api.value().version_text.empty());
}

TEST(Nghttp2, HasEveryFunctionItDeclares) {
  const Nghttp2& api = Api();
  const auto* at = reinterpret_cast<const std::byte*>(&api.strerror);
  const auto* end = reinterpret_cast<const std::byte*>(&api.submit_shutdown_notice) + sizeof(void*);
  for (; at < end; at += sizeof(void*)) {
    const void* function = nullptr;
    std::memcpy(&function, at, sizeof function);
    EXPECT_NE(function, nullptr) << (end - at) / sizeof(void*) << " from the end";
  }
}

TEST(Nghttp2, SaysWhichSymbolsAreMissing) {
  const auto api = Nghttp2::FromProcess("1.61.0");
  ASSERT_FALSE(api.ok()) << "this process is not linked with it";
  EXPECT_EQ(api.status().code, Code::kSymbolMissing);
  EXPECT_NE(api.status().text.find("this process lacks nghttp2_strerror, "), std::string::npos) << api.status().text;
}

TEST(Nghttp2, SaysWhatCannotBeLoaded) {
  const auto api = Nghttp2::FromLibrary("/nowhere/libnghttp2.so");
  ASSERT_FALSE(api.ok());
  EXPECT_EQ(api.status().code, Code::kLoadFailed);
  EXPECT_NE(api.status().text.find("/nowhere/libnghttp2.so"), std::string::npos);
}

}  // namespace
}  // namespace aiges::wire::test
