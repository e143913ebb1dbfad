// SPDX-License-Identifier: Apache-2.0
// One client's connection: an HTTP/2 session, its socket, its calls and what they hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "call.h"
#include "commands.h"
#include "io_services.h"
#include "nghttp2_api.h"
#include "outbox.h"
#include "pollable.h"
#include "rate_limit.h"
#include "timers.h"
#include "unique_fd.h"

namespace aiges::wire {

inline constexpr std::string_view kTooManyFrames = "too many control frames";

class Connection final : public Pollable {
 public:
  Connection(IoServices& io, UniqueFd socket, std::shared_ptr<const ConnectionInfo> info);
  ~Connection() override;

  // Once, before anything else. False when there is no HTTP/2 session to be had: out of memory.
  bool Start();

  void OnReady(std::uint32_t events) override;
  // Writes what there is, gives windows back, starts what waited, and ends the connection when it is time.
  void Flush();

  void SendMetadata(Call& call, Metadata metadata);
  void SendMessage(Call& call, OutgoingMessage message);
  void Finish(Call& call, CallStatus status, Metadata trailers);
  void Reply(Call& call, OutgoingMessage message, Metadata trailers);
  void Consumed(Call& call, std::size_t bytes);
  // See Outbox.
  bool TakeOver(SendingMessage& message) { return outbox_.TakeOver(message); }

  // Lets open calls end, takes no new ones.
  void Drain();
  // Ends calls and connection at once.
  void Close(CancelReason reason);
  // The same, with a GOAWAY that says why.
  void Terminate(ng::ErrorCode code, std::string_view why, CancelReason reason);
  // It may be read again.
  void Resume() {
    if (state_ == State::kOpen) Pause(false);
  }

  // Received and not complete: only this client can bring it to an end.
  std::size_t incomplete() const { return incomplete_; }
  // Of outgoing messages: only this client can bring them to an end, by reading and by saying so.
  std::size_t unread() const { return queued_; }
  // With handlers that will come to an end by themselves: none of them can be waiting for its answers to be read.
  std::size_t busy() const { return queued_ > 0 ? 0 : held_; }
  // It may be read even when there is no memory: it holds nothing received, and what it says may free something.
  bool innocent() const { return incomplete_ + held_ == 0; }
  bool has_parked_calls() const { return !parked_.empty(); }

  // For the thread.
  bool dirty = false;             // to be flushed in this round
  bool waits_for_memory = false;  // is told when there is some

 private:
  // kClosing: what is left to write is written, nothing is read. kLingering: everything is written; what the client
  // still sends is thrown away, because closing on unread bytes would destroy the GOAWAY on its way.
  enum class State { kOpen, kClosing, kLingering, kClosed };
  enum class DrainStage { kNone, kNoticed, kFinal };

  // From nghttp2
  int OnBeginFrame(const ng::FrameHeader& header);
  int OnBeginHeaders(const ng::Frame& frame);
  int OnHeader(const ng::Frame& frame, std::string_view name, std::string_view value);
  int OnFrame(const ng::Frame& frame);
  int OnData(std::int32_t stream, std::span<const std::byte> data);
  int OnFrameSent(const ng::Frame& frame);
  int OnFrameNotSent(const ng::Frame& frame, int error);
  int OnStreamClose(std::int32_t stream);
  ssize_t ReadReply(std::int32_t stream, std::size_t most, std::uint32_t& flags);
  int SendReply(std::int32_t stream, std::span<const std::byte> frame_header, std::size_t length);

  // Requests
  void CountHeaders(std::size_t bytes);
  void CountReset();
  void OnRequest(Call& call);
  void OnMessage(Call& call);
  void OnEndOfInput(Call& call);
  void OnPing(const ng::PingFrame& ping);
  void Announce(Call& call);
  void EmitStart(Call& call);
  void EmitMessage(Call& call, Message message);
  Message TakeMessage(Call& call);
  void Settle(Call& call);
  void SettleAll();
  bool MustWait() const;
  void Unpark();
  void Recount(Call& call);

  // Answers
  void Refuse(Call& call, const char* http_status, GrpcCode code, std::string message);
  void End(Call& call, CancelReason reason, GrpcCode code, std::string message);
  void Detach(Call& call, std::optional<CancelReason> reason);
  void DetachAll(CancelReason reason);
  void Push(Call& call, CallId id, OutgoingMessage message);
  void Unsendable(Call& call);
  void Oversized(Call& call, OutgoingMessage message);
  void SubmitHeaders(Call& call);
  void SubmitTrailersOnly(Call& call);
  void SubmitTrailers(Call& call);
  void Resume(Call& call);

  // Windows and memory
  bool MayReceive() const;
  void ReturnStreamWindow(Call& call);
  void ReturnWindows();

  // The socket
  void Read();
  bool Receive(std::span<const std::byte> data);
  void Pause(bool on);
  void Discard();
  void Watch();
  bool Pull();
  void Linger();
  void Doom(ng::ErrorCode code, std::string_view why);
  bool Judge();

  // Time
  void OnTime();
  void SetTimer();
  void FinalGoaway();

  Call* Find(std::int32_t stream) const;
  Call* Find(const ng::Frame& frame) const { return Find(frame.hd.stream_id); }

  friend struct SessionCallbacks;

  struct DeleteSession {
    const Nghttp2* api;
    void operator()(nghttp2_session* session) const { api->session_del(session); }
  };

  IoServices& io_;
  const Nghttp2& ng_;
  const Options& options_;
  UniqueFd socket_;
  const std::shared_ptr<const ConnectionInfo> info_;
  State state_ = State::kOpen;
  DrainStage drain_ = DrainStage::kNone;
  bool writable_ = true;       // as far as we know
  bool paused_ = false;        // not read: there is no memory
  std::uint32_t watched_ = 0;  // events that epoll reports

  // Counters that calls and messages refer to: declared before them.
  std::size_t queued_ = 0;       // outgoing bytes
  std::size_t held_ = 0;         // delivered to the consumer and not consumed
  std::size_t incomplete_ = 0;   // received of messages and calls that the consumer does not know yet
  std::size_t headers_ = 0;      // of header lists of open calls, as HTTP/2 counts them
  std::size_t window_debt_ = 0;  // received, and the connection's window not given back
  bool starved_ = false;         // some stream's window was not given back because of the connection

  std::unordered_map<std::int32_t, std::unique_ptr<Call>> calls_;
  std::deque<Call*> parked_;
  std::vector<std::int32_t> unsettled_;
  Outbox outbox_;
  std::unique_ptr<nghttp2_session, DeleteSession> session_;

  // The DATA frame whose payload comes next on the socket, as far as that is certain; see Read().
  struct Payload {
    std::int32_t stream = 0;  // 0: padded
    std::size_t left = 0;
  };
  Payload payload_;
  const std::byte* input_end_ = nullptr;
  bool ended_in_payload_ = false;

  // What a callback has found out: nghttp2 must return before the session is ended, and is told to do so.
  struct Verdict {
    ng::ErrorCode code;
    std::string_view why;
  };
  std::optional<Verdict> doom_;

  Clock::time_point opened_;
  Clock::time_point last_received_;
  Clock::time_point last_call_;  // when the last call ended
  Clock::time_point keepalive_sent_;
  Clock::time_point last_ping_;
  Clock::time_point drain_until_;  // for the answer to the drain's ping
  Clock::time_point cut_at_ = Clock::time_point::max();
  Clock::time_point linger_until_;
  bool handshaken_ = false;
  bool keepalive_pending_ = false;
  bool progress_since_ping_ = true;
  std::size_t ping_strikes_ = 0;
  std::size_t continuations_ = 0;
  std::size_t header_work_ = 0;  // bytes of the header block that is coming in, encoded and decoded
  std::size_t discarded_ = 0;
  RateLimit resets_;
  RateLimit control_frames_;
  Timer timer_;
};

}  // namespace aiges::wire
