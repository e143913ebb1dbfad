// SPDX-License-Identifier: Apache-2.0
// The socket, memory and time of a connection. Its calls are in connection_requests.cc and
// connection_replies.cc.
#include "connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

namespace aiges::wire {
namespace {

// How much is taken from nghttp2 before it is written: enough for one large system call.
constexpr std::size_t kPullBytes = std::size_t{512} << 10;
// Then other connections get their turn.
constexpr int kWriteRounds = 8;
constexpr int kReadRounds = 4;
// So many frames may wait for a client that does not read, on top of some for each stream.
constexpr std::size_t kQueuedFrames = 2'000;
// Shorter rests of a payload are not worth a second buffer.
constexpr std::size_t kLeastDirect = std::size_t{4} << 10;

constexpr std::chrono::seconds kLingerTime{1};
constexpr std::size_t kLingerBytes = std::size_t{16} << 20;

using PingText = std::array<std::uint8_t, 8>;
constexpr PingText kDrainPing = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};
constexpr PingText kKeepalivePing = {'k', 'e', 'e', 'p', 'a', 'l', 'i', 'v'};

// When a limit that may be switched off is reached.
Clock::time_point After(Clock::time_point start, Milliseconds limit) {
  return limit.count() == 0 ? Clock::time_point::max() : start + limit;
}

}  // namespace

Connection::Connection(IoServices& io, UniqueFd socket, std::shared_ptr<const ConnectionInfo> info)
    : io_(io),
      ng_(io.api()),
      options_(io.options()),
      socket_(std::move(socket)),
      info_(std::move(info)),
      outbox_(io.stats()),
      session_(nullptr, DeleteSession{&ng_}),
      opened_(io.now()),
      last_received_(opened_),
      last_call_(opened_),
      resets_(options_.client_resets, opened_),
      control_frames_(options_.control_frames, opened_),
      timer_(io.timers(), [this] { OnTime(); }) {
  ++io_.stats().connections;
}

Connection::~Connection() {
  io_.stats().header_bytes -= static_cast<std::int64_t>(headers_);
  --io_.stats().connections;
}

bool Connection::Start() {
  nghttp2_session* session = nullptr;
  if (ng_.session_server_new2(&session, io_.callbacks(), this, io_.session_options()) != 0) return false;
  session_.reset(session);
  const std::array<ng::SettingsEntry, 5> settings{{
      {ng::kMaxConcurrentStreams, options_.max_streams},
      {ng::kInitialWindowSize, options_.stream_window},
      {ng::kMaxFrameSize, options_.max_frame_size},
      {ng::kMaxHeaderListSize, options_.max_header_bytes},
      {ng::kNoRfc7540Priorities, 1},  // nobody uses them, and keeping the tree costs time with every stream
  }};
  if (ng_.submit_settings(session, ng::kNoFlags, settings.data(), settings.size()) != 0) return false;
  const auto window = static_cast<std::int32_t>(options_.connection_window);
  if (ng_.session_set_local_window_size(session, ng::kNoFlags, 0, window) != 0) return false;
  Watch();
  SetTimer();
  io_.MarkDirty(*this);
  return true;
}

void Connection::Watch() {
  if (state_ == State::kClosed) return;
  std::uint32_t events = 0;
  if (!paused_ && state_ != State::kClosing) events |= EPOLLIN;
  if (!writable_) events |= EPOLLOUT;
  if (events == watched_) return;
  watched_ = events;
  io_.Watch(socket_.get(), events, this);
}

void Connection::OnReady(std::uint32_t events) {
  if (state_ == State::kClosed) return;
  if ((events & EPOLLOUT) != 0) {
    writable_ = true;
    Watch();
    io_.MarkDirty(*this);
  }
  // Both are reported whether they are watched for or not, and a read tells what they mean.
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  if ((watched_ & EPOLLIN) == 0) {
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) Close(CancelReason::kDisconnected);
  } else if (state_ == State::kLingering) {
    Discard();
  } else {
    try {
      Read();
    } catch (const std::bad_alloc&) {
      Close(CancelReason::kDisconnected);  // as in callbacks: the connection is lost, the server is not
    }
  }
}

void Connection::Read() {
  for (int round = 0; round < kReadRounds && state_ == State::kOpen; ++round) {
    if (!innocent() && !io_.HasMemoryFor(*this)) {
      io_.AwaitMemory(*this);
      Pause(true);
      return;
    }
    const std::span<std::byte> buffer = io_.read_buffer();
    // In the middle of a payload we know where the next bytes belong, and can have the kernel put them there.
    std::span<std::byte> direct;
    if (ended_in_payload_ && payload_.stream != 0) {
      const Call* call = Find(payload_.stream);
      if (call != nullptr && !call->ended) direct = call->reader.Tail();
      direct = direct.first(std::min(direct.size(), payload_.left));
      if (direct.size() < kLeastDirect) direct = {};
    }
    const std::array<iovec, 2> vectors{{{direct.data(), direct.size()}, {buffer.data(), buffer.size()}}};
    const ssize_t got = direct.empty() ? read(socket_.get(), buffer.data(), buffer.size())
                                       : readv(socket_.get(), vectors.data(), vectors.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) return Close(CancelReason::kDisconnected);

    const auto size = static_cast<std::size_t>(got);
    io_.stats().bytes_received += got;
    last_received_ = io_.now();
    keepalive_pending_ = false;
    io_.MarkDirty(*this);
    const std::size_t directly = std::min(size, direct.size());
    if (directly > 0 && !Receive(direct.first(directly))) return;
    if (size > directly && !Receive(buffer.first(size - directly))) return;
    if (size < direct.size() + buffer.size()) return;  // that was all there is
  }
}

// False when the connection takes no more.
bool Connection::Receive(std::span<const std::byte> data) {
  input_end_ = data.data() + data.size();
  ended_in_payload_ = false;
  const ssize_t used =
      ng_.session_mem_recv(session_.get(), reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  SettleAll();
  // What nghttp2 answers by itself, resets above all, waits in its queue when the client does not read.
  const std::size_t most_frames = std::size_t{4} * options_.max_streams + kQueuedFrames;
  if (!writable_ && ng_.session_get_outbound_queue_size(session_.get()) > most_frames) {
    Doom(ng::kEnhanceYourCalm, kTooManyFrames);
  }
  if (!Judge() && used < 0) {
    const bool flood = used == ng::kErrorFlooded || used == ng::kErrorTooManyContinuations;
    const bool ours = used == ng::kErrorCallbackFailure;
    Terminate(flood  ? ng::kEnhanceYourCalm
              : ours ? ng::kInternalError
                     : ng::kProtocolError,
              flood ? kTooManyFrames : "", CancelReason::kDisconnected);
  }
  return state_ == State::kOpen;
}

void Connection::Discard() {
  for (;;) {
    const ssize_t got = read(socket_.get(), io_.read_buffer().data(), io_.read_buffer().size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got > 0) discarded_ += static_cast<std::size_t>(got);
    if (got <= 0 || discarded_ > kLingerBytes) return Close(CancelReason::kDisconnected);
  }
}

void Connection::Pause(bool on) {
  if (paused_ == on) return;
  paused_ = on;
  io_.stats().connections_paused += on ? 1 : -1;
  if (on) ++io_.stats().memory_pauses;
  Watch();
}

// Moves frames from nghttp2 to the output buffer. False when there are none.
bool Connection::Pull() {
  bool any = false;
  while (outbox_.pending() < kPullBytes && ng_.session_want_write(session_.get()) != 0) {
    const std::uint8_t* data = nullptr;
    const std::size_t before = outbox_.pending();
    const ssize_t size = ng_.session_mem_send(session_.get(), &data);
    if (size > 0) outbox_.AppendCopy(data, static_cast<std::size_t>(size));
    any = any || outbox_.pending() > before;
    if (size < 0) {
      Close(CancelReason::kDisconnected);
      return false;
    }
    if (size == 0) break;
  }
  return any;
}

void Connection::Flush() {
  for (int round = 0; state_ == State::kOpen || state_ == State::kClosing; ++round) {
    if (state_ == State::kOpen) {
      Unpark();
      ReturnWindows();
    }
    if (!writable_) return;
    if (outbox_.pending() == 0 && !Pull()) break;
    Judge();
    if (round == kWriteRounds) return io_.MarkDirty(*this);
    switch (outbox_.Write(socket_.get())) {
      case Outbox::Outcome::kEmpty: break;
      case Outbox::Outcome::kBroken: return Close(CancelReason::kDisconnected);
      case Outbox::Outcome::kBlocked:
        writable_ = false;
        Watch();
        return;
    }
  }
  if (state_ != State::kOpen && state_ != State::kClosing) return;
  // Everything is written. Without anything to read for, that was it.
  if (state_ == State::kClosing || ng_.session_want_read(session_.get()) == 0) Linger();
}

void Connection::Doom(ng::ErrorCode code, std::string_view why) {
  if (!doom_) doom_ = Verdict{code, why};
}

// Ends the connection if that has turned out to be necessary.
bool Connection::Judge() {
  if (!doom_) return false;
  Terminate(doom_->code, doom_->why, CancelReason::kDisconnected);
  return true;
}

void Connection::Terminate(ng::ErrorCode code, std::string_view why, CancelReason reason) {
  if (state_ != State::kOpen) return;
  state_ = State::kClosing;
  if (code == ng::kEnhanceYourCalm) ++io_.stats().connections_abused;
  DetachAll(reason);
  if (!why.empty()) {
    ng_.submit_goaway(session_.get(), ng::kNoFlags, ng_.session_get_last_proc_stream_id(session_.get()), code,
                      reinterpret_cast<const std::uint8_t*>(why.data()), why.size());
  }
  ng_.session_terminate_session(session_.get(), code);
  // A client that reads nothing would keep it forever.
  linger_until_ = io_.now() + kLingerTime;
  Watch();
  SetTimer();
  io_.MarkDirty(*this);
}

void Connection::Linger() {
  DetachAll(CancelReason::kDisconnected);
  state_ = State::kLingering;
  Pause(false);
  linger_until_ = io_.now() + kLingerTime;
  shutdown(socket_.get(), SHUT_WR);
  Watch();
  SetTimer();
}

void Connection::Close(CancelReason reason) {
  if (state_ == State::kClosed) return;
  DetachAll(reason);
  state_ = State::kClosed;
  Pause(false);
  timer_.Cancel();
  io_.Watch(socket_.get(), 0, nullptr);
  io_.Closed(*this);
}

void Connection::Drain() {
  if (state_ != State::kOpen || drain_ != DrainStage::kNone) return;
  if (!handshaken_) return Close(CancelReason::kShutdown);
  // Calls that the client has sent before it learned of the drain are still served: the GOAWAY that ends it comes after
  // a round trip.
  drain_ = DrainStage::kNoticed;
  drain_until_ = io_.now() + options_.drain_ping_timeout;
  ng_.submit_shutdown_notice(session_.get());
  ng_.submit_ping(session_.get(), ng::kNoFlags, kDrainPing.data());
  SetTimer();
  io_.MarkDirty(*this);
}

void Connection::FinalGoaway() {
  if (drain_ != DrainStage::kNoticed) return;
  drain_ = DrainStage::kFinal;
  ng_.submit_goaway(session_.get(), ng::kNoFlags, ng_.session_get_last_proc_stream_id(session_.get()), ng::kNoError,
                    nullptr, 0);
  io_.MarkDirty(*this);
}

void Connection::OnPing(const ng::PingFrame& ping) {
  if ((ping.hd.flags & ng::kAck) != 0) {
    if (std::equal(kDrainPing.begin(), kDrainPing.end(), ping.opaque)) FinalGoaway();
    return;
  }
  const Clock::time_point now = io_.now();
  if (progress_since_ping_) {
    ping_strikes_ = 0;
  } else if (now - last_ping_ < options_.min_ping_interval && ++ping_strikes_ > options_.max_ping_strikes) {
    Doom(ng::kEnhanceYourCalm, "too_many_pings");
  }
  last_ping_ = now;
  progress_since_ping_ = false;
}

void Connection::SetTimer() {
  Clock::time_point due = Clock::time_point::max();
  if (state_ == State::kClosing || state_ == State::kLingering) {
    due = linger_until_;
  } else if (state_ == State::kOpen) {
    due = cut_at_;
    if (!handshaken_) due = std::min(due, opened_ + options_.handshake_timeout);
    if (drain_ == DrainStage::kNoticed) due = std::min(due, drain_until_);
    if (drain_ == DrainStage::kNone) {
      due = std::min(due, After(opened_, options_.max_age));
      if (calls_.empty()) due = std::min(due, After(last_call_, options_.idle_timeout));
    }
    due = std::min(due, keepalive_pending_ ? keepalive_sent_ + options_.keepalive_timeout
                                           : After(last_received_, options_.keepalive_interval));
  }
  if (due == Clock::time_point::max()) return timer_.Cancel();
  timer_.Set(due);
}

void Connection::OnTime() {
  const Clock::time_point now = io_.now();
  if (state_ != State::kOpen) return Close(CancelReason::kDisconnected);
  if (now >= cut_at_) return Close(CancelReason::kShutdown);
  if (!handshaken_ && now >= opened_ + options_.handshake_timeout) return Close(CancelReason::kDisconnected);
  if (drain_ == DrainStage::kNoticed && now >= drain_until_) FinalGoaway();
  if (drain_ == DrainStage::kNone) {
    const bool aged = now >= After(opened_, options_.max_age);
    if (aged && options_.max_age_grace.count() > 0) cut_at_ = now + options_.max_age_grace;
    if (aged || (calls_.empty() && now >= After(last_call_, options_.idle_timeout))) Drain();
  }
  if (keepalive_pending_) {
    // While we do not read, silence is our own doing.
    if (now >= keepalive_sent_ + options_.keepalive_timeout && !paused_) return Close(CancelReason::kDisconnected);
    if (paused_) keepalive_sent_ = now;
  } else if (now >= After(last_received_, options_.keepalive_interval)) {
    keepalive_pending_ = true;
    keepalive_sent_ = now;
    ng_.submit_ping(session_.get(), ng::kNoFlags, kKeepalivePing.data());
    io_.MarkDirty(*this);
  }
  SetTimer();
}

// Whether the client may send on. What the consumer holds or the client does not read comes to an end without that;
// messages that are incomplete do not.
bool Connection::MayReceive() const {
  return held_ + queued_ == 0 || incomplete_ + held_ + queued_ < options_.connection_memory;
}

// A stream's window covers what is delivered and not consumed, and the message that is coming in. One that the window
// is too small for gets its bytes back as they arrive, but only when nothing else of the stream is held. Half of it is
// what counts: nghttp2 tells the client when half of the window has been given back, not earlier.
void Connection::ReturnStreamWindow(Call& call) {
  if (call.input_ended || call.ended) return;
  const std::size_t received = call.reader.received();
  std::size_t keep = call.held + received;
  if (received > 0 && call.held == 0 && call.reader.length() > options_.stream_window / 2) {
    if (MayReceive()) {
      keep = 0;
    } else {
      starved_ = true;
    }
  }
  if (call.window_debt <= keep) return;
  ng_.session_consume_stream(session_.get(), call.stream, call.window_debt - keep);
  call.window_debt = keep;
}

void Connection::ReturnWindows() {
  if (!MayReceive()) return;
  if (window_debt_ > 0) {
    ng_.session_consume_connection(session_.get(), window_debt_);
    window_debt_ = 0;
  }
  if (!starved_) return;
  starved_ = false;
  for (const auto& [id, call] : calls_) ReturnStreamWindow(*call);
}

}  // namespace aiges::wire
