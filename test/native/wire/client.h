// SPDX-License-Identifier: Apache-2.0
// An HTTP/2 client that does what it is told, also what no client may do. Blocking, single-threaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nghttp2_api.h"
#include "unique_fd.h"

namespace aiges::wire::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

enum Setting : std::uint16_t {
  kSetHeaderTableSize = 1,
  kSetEnablePush = 2,
  kSetMaxStreams = 3,
  kSetInitialWindow = 4,
  kSetMaxFrame = 5,
};
using Settings = std::vector<std::pair<std::uint16_t, std::uint32_t>>;

inline constexpr std::string_view kMagic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::uint32_t kMaxWindow = 0x7fffffff;

std::string Int32(std::uint32_t value);
std::string FrameBytes(int type, int flags, std::uint32_t stream, std::string_view payload);
std::string SettingsPayload(const Settings& settings);
// A message with its five bytes in front.
std::string Prefixed(std::string_view payload, bool compressed = false);

struct Frame {
  std::size_t length = 0;
  int type = 0;
  int flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
};

// What has come in for one stream.
struct Answer {
  Fields headers;
  Fields trailers;
  std::string data;
  bool ended = false;
  std::optional<std::uint32_t> reset;

  bool over() const { return ended || reset; }
  // From the trailers, or from the only header block.
  std::string Get(std::string_view name) const;
  std::string status() const { return Get("grpc-status"); }
  std::string message() const { return Get("grpc-message"); }
};

class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;
  static constexpr Milliseconds kPatience{30'000};

  explicit Client(std::uint16_t port, int receive_buffer = 0);
  explicit Client(const std::string& path);
  ~Client();

  // Magic, SETTINGS and a large window for the connection.
  void Hello(const Settings& settings = {{kSetInitialWindow, kMaxWindow}}, std::uint32_t window = kMaxWindow - 65535);
  // As far as it can be sent at once; the rest when reading.
  void Send(std::string_view bytes);
  void SendFrame(int type, int flags, std::uint32_t stream, std::string_view payload) {
    Send(FrameBytes(type, flags, stream, payload));
  }
  std::string Encode(const Fields& fields);
  void SendHeaders(std::uint32_t stream, const Fields& fields, bool end_stream = false);
  // In frames of at most `frame` bytes.
  void SendData(std::uint32_t stream, std::string_view data, bool end_stream = false, std::size_t frame = 16384);
  void SendReset(std::uint32_t stream, std::uint32_t code) { SendFrame(3, 0, stream, Int32(code)); }
  void SendWindow(std::uint32_t stream, std::uint32_t more) { SendFrame(8, 0, stream, Int32(more)); }

  static Fields Request(std::string_view path, const Fields& more = {});
  // The next stream, a whole request on it.
  std::uint32_t Call(std::string_view path, std::string_view payload, const Fields& more = {});
  std::uint32_t NextStream() { return std::exchange(next_stream_, next_stream_ + 2); }

  // Reads frames, answering SETTINGS and PING, until `done` says so. False when time or the connection ends before.
  bool Until(const std::function<bool()>& done, Milliseconds patience = kPatience);
  // The answer once it is over.
  const Answer& Await(std::uint32_t stream, Milliseconds patience = kPatience);
  bool AwaitClose(Milliseconds patience = kPatience) {
    return Until([this] { return closed_; }, patience) || closed_;
  }
  // Makes sure that the server has seen everything so far, and that we have all it has said until then.
  bool RoundTrip();
  void ReadFor(Milliseconds time) {
    Until([] { return false; }, time);
  }

  Answer& answer(std::uint32_t stream) { return answers_[stream]; }
  const std::vector<Frame>& frames() const { return frames_; }  // without the payload of DATA
  bool closed() const { return closed_; }
  struct Goaway {
    std::uint32_t last_stream;
    std::uint32_t code;
    std::string text;
  };
  const std::vector<Goaway>& goaways() const { return goaways_; }
  std::map<std::uint32_t, std::uint32_t>& settings() { return settings_; }
  // What the server has granted with WINDOW_UPDATE, by stream.
  std::uint64_t granted(std::uint32_t stream) { return granted_[stream]; }
  bool answers_pings = true;
  bool answers_settings = true;

  // As a vanishing client does: RST instead of FIN.
  void Abort();
  void CloseWriting();

 private:
  struct Hpack;
  bool ReadSome(Milliseconds patience);
  void Take(Frame frame);
  bool Flush();

  UniqueFd socket_;
  std::unique_ptr<Hpack> hpack_;
  std::string out_;
  std::string in_;
  std::string header_block_;
  std::uint32_t next_stream_ = 1;
  std::uint32_t pings_sent_ = 0;
  std::uint32_t pings_answered_ = 0;
  bool closed_ = false;
  std::map<std::uint32_t, Answer> answers_;
  std::vector<Frame> frames_;
  std::vector<Goaway> goaways_;
  std::map<std::uint32_t, std::uint32_t> settings_;
  std::map<std::uint32_t, std::uint64_t> granted_;
};

}  // namespace aiges::wire::test
