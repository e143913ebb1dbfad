// SPDX-License-Identifier: Apache-2.0
// The smallest useful consumer: sends every message back, from the memory it came in.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "server.h"

namespace aiges::wire::test {

inline constexpr char kUnaryPath[] = "/bench.Echo/Echo";
inline constexpr char kStreamPath[] = "/bench.Echo/Stream";

class Echo final : public EventSink {
 public:
  Echo(const Nghttp2& api, Options options);
  ~Echo() override;

  Server& server() { return server_; }
  // Ends the server and answers nothing more.
  void Stop();
  // Messages whose memory the server still reads.
  std::size_t lent() const;
  // Of all tokens that were released twice or never lent. Always 0.
  std::size_t strange_releases() const { return strange_; }

 private:
  void Wake() noexcept override;
  void Run();
  void Handle(Events events);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  bool stop_ = false;

  Server server_;
  struct Lent {
    Message message;
    CallId call;
  };
  std::unordered_map<Token, Lent> lent_;  // guarded by lent_mutex_
  mutable std::mutex lent_mutex_;
  Token last_token_ = 0;
  std::size_t strange_ = 0;
  std::thread thread_;
};

}  // namespace aiges::wire::test
