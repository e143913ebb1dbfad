// SPDX-License-Identifier: Apache-2.0
// What a connection does for its calls as they come in. Their answers are in connection_replies.cc.
#include <algorithm>
#include <cstring>
#include <utility>

#include "connection.h"
#include "grpc_text.h"

namespace aiges::wire {
namespace {

// HTTP/2 counts a field so when it limits header lists.
constexpr std::size_t kFieldOverhead = 32;
// A call whose header list is too long is told so, unless reading it would cost so many times what is allowed.
constexpr std::size_t kFarTooLong = 4;

}  // namespace

Call* Connection::Find(std::int32_t stream) const {
  return static_cast<Call*>(ng_.session_get_stream_user_data(session_.get(), stream));
}

// ---- From nghttp2 -----------------------------------------------------------------------------------------------

int Connection::OnBeginFrame(const ng::FrameHeader& header) {
  const Clock::time_point now = io_.now();
  bool idle_chatter = false;
  switch (header.type) {
    case ng::kData:
      progress_since_ping_ = true;
      payload_ = {(header.flags & ng::kPadded) != 0 ? 0 : header.stream_id, header.length};
      idle_chatter = header.length == 0 && !IsLast(header);
      break;
    case ng::kHeaders:
      progress_since_ping_ = true;
      continuations_ = 0;
      header_work_ = 0;
      CountHeaders(header.length);
      break;
    case ng::kContinuation:
      if (++continuations_ > options_.max_continuations) Doom(ng::kEnhanceYourCalm, "too many CONTINUATION frames");
      CountHeaders(header.length);
      break;
    case ng::kRstStream:
      ++io_.stats().resets_received;
      CountReset();
      break;
    case ng::kPriority:
      // nghttp2 ignores them altogether, since we say that we do.
      if (header.stream_id == 0) Doom(ng::kProtocolError, "");
      idle_chatter = true;
      break;
    case ng::kPing:
    case ng::kWindowUpdate: break;
    default: idle_chatter = true;
  }
  if (idle_chatter && !control_frames_.Allow(now)) Doom(ng::kEnhanceYourCalm, kTooManyFrames);
  return 0;
}

int Connection::OnBeginHeaders(const ng::Frame& frame) {
  if (frame.headers.category != ng::kRequestCategory) return 0;
  const std::int32_t stream = frame.hd.stream_id;
  auto call = std::make_unique<Call>(*this, stream, io_.ledger(), options_.max_receive_bytes);
  if (ng_.session_set_stream_user_data(session_.get(), stream, call.get()) != 0) return 0;
  calls_[stream] = std::move(call);
  return 0;
}

// Of a header block, as it comes and as it is decoded: a byte can stand for 4 KiB, and nghttp2 looks at each of them.
void Connection::CountHeaders(std::size_t bytes) {
  header_work_ += bytes;
  if (header_work_ > kFarTooLong * options_.max_header_bytes) Doom(ng::kEnhanceYourCalm, "far too many headers");
}

// Of calls that end because of what the client does, whether it resets them or makes us do it (CVE-2025-8671).
void Connection::CountReset() {
  if (!resets_.Allow(io_.now())) Doom(ng::kEnhanceYourCalm, "too many resets");
}

int Connection::OnHeader(const ng::Frame& frame, std::string_view name, std::string_view value) {
  const std::size_t size = name.size() + value.size() + kFieldOverhead;
  CountHeaders(size);
  Call* call = Find(frame);
  // What a client sends after its messages means nothing in gRPC.
  if (call == nullptr || frame.headers.category != ng::kRequestCategory) return 0;
  call->header_bytes += size;
  ++call->header_fields;
  if (call->header_bytes > options_.max_header_bytes || call->header_fields > options_.max_header_fields) return 0;
  if (headers_ + size > options_.header_allowance()) {
    call->crowded_out = true;
    return 0;
  }
  headers_ += size;
  call->header_share += size;
  io_.stats().header_bytes += static_cast<std::int64_t>(size);

  CallStart& start = *call->start;
  if (name == ":path") {
    call->has_path = true;
    call->method = io_.FindMethod(value, call->path_refusal);
  } else if (name == ":method") {
    call->verb = value;
  } else if (name == ":authority" || (name == "host" && start.authority.empty())) {
    start.authority = value;
  } else if (name == "content-type") {
    call->content_type = value;
  } else if (name == "grpc-timeout") {
    call->timeout = value;
  } else if (name == "grpc-encoding") {
    call->encoding = value;
  } else if (IsReservedName(name)) {
    return 0;
  } else if (IsBinary(name)) {
    // Several values may come joined.
    for (std::size_t begin = 0; begin <= value.size();) {
      const std::size_t end = std::min(value.find(',', begin), value.size());
      std::string_view part = value.substr(begin, end - begin);
      while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
      while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
      if (const auto bytes = Base64Decode(part)) {
        start.metadata.Add(name, *bytes);
      } else {
        call->bad_binary_field = name;
      }
      begin = end + 1;
    }
  } else {
    start.metadata.Add(name, value);
  }
  return 0;
}

int Connection::OnFrame(const ng::Frame& frame) {
  switch (frame.hd.type) {
    case ng::kSettings:
      if ((frame.hd.flags & ng::kAck) == 0 && !handshaken_) {
        handshaken_ = true;
        SetTimer();
      }
      return 0;
    case ng::kPing: OnPing(frame.ping); return 0;
    case ng::kRstStream:
      if (Call* call = Find(frame)) call->reset_by_client = true;
      return 0;
    case ng::kHeaders:
    case ng::kData: break;
    default: return 0;
  }
  Call* call = Find(frame);
  if (call == nullptr) return 0;
  if (IsLast(frame.hd)) call->input_ended = true;
  if (frame.hd.type == ng::kHeaders && frame.headers.category == ng::kRequestCategory) OnRequest(*call);
  if (IsLast(frame.hd)) OnEndOfInput(*call);
  return 0;
}

int Connection::OnData(std::int32_t stream, std::span<const std::byte> data) {
  payload_.left -= std::min(payload_.left, data.size());
  ended_in_payload_ = data.data() + data.size() == input_end_ && payload_.left > 0;
  window_debt_ += data.size();
  Call* call = Find(stream);
  if (call == nullptr) return 0;
  call->window_debt += data.size();
  while (!call->ended && !data.empty()) {
    // Before the reader takes a byte: it has one message at a time, and that one may not be settled yet.
    if (call->has_message) {
      End(*call, CancelReason::kBadInput, GrpcCode::kInternal,
          "cardinality violation: received multiple request messages for non-client-streaming RPC");
      break;
    }
    switch (call->reader.Read(data)) {
      case MessageReader::Outcome::kMore: break;
      case MessageReader::Outcome::kMessage: OnMessage(*call); break;
      case MessageReader::Outcome::kTooLong:
        End(*call, CancelReason::kBadInput, GrpcCode::kResourceExhausted,
            "grpc: received message larger than max (" + std::to_string(call->reader.length()) + " vs. " +
                std::to_string(options_.max_receive_bytes) + ")");
        break;
      case MessageReader::Outcome::kBadFlag:
        End(*call, CancelReason::kBadInput, GrpcCode::kInternal,
            "grpc: received unexpected payload format " + std::to_string(call->reader.flag()));
        break;
      case MessageReader::Outcome::kNoMemory:
        End(*call, CancelReason::kBadInput, GrpcCode::kResourceExhausted,
            "no memory for a message of " + std::to_string(call->reader.length()) + " bytes");
        break;
    }
  }
  if (!call->ended) {
    Recount(*call);
    ReturnStreamWindow(*call);
  }
  return 0;
}

// ---- Requests ---------------------------------------------------------------------------------------------------

void Connection::OnRequest(Call& call) {
  if (call.header_bytes > options_.max_header_bytes || call.header_fields > options_.max_header_fields) {
    return Refuse(call, "200", GrpcCode::kResourceExhausted,
                  "received header list larger than max (" + std::to_string(call.header_bytes) + " bytes in " +
                      std::to_string(call.header_fields) + " fields vs. " + std::to_string(options_.max_header_bytes) +
                      " in " + std::to_string(options_.max_header_fields) + ")");
  }
  if (call.crowded_out) {
    return Refuse(call, "200", GrpcCode::kResourceExhausted,
                  "the open calls of this connection hold " + std::to_string(headers_) + " bytes of headers, and " +
                      std::to_string(options_.header_allowance()) + " are allowed; use another connection");
  }
  if (call.verb != "POST") {
    return Refuse(call, "405", GrpcCode::kInternal, "the method of a gRPC request is POST, not " + call.verb);
  }
  if (!IsGrpcContentType(call.content_type)) {
    return Refuse(call, "415", GrpcCode::kInternal, "invalid gRPC request content-type \"" + call.content_type + "\"");
  }
  if (!call.bad_binary_field.empty()) {
    return Refuse(call, "400", GrpcCode::kInternal,
                  "malformed binary metadata in header \"" + call.bad_binary_field + "\"");
  }
  if (!call.timeout.empty()) {
    const auto timeout = ParseTimeout(call.timeout);
    if (!timeout.ok()) return Refuse(call, "400", GrpcCode::kInternal, timeout.status().text);
    const Clock::time_point now = io_.now();
    if (timeout.value() < Clock::time_point::max() - now) call.start->deadline = now + timeout.value();
  }
  if (call.method == nullptr) return Refuse(call, "200", GrpcCode::kUnimplemented, std::move(call.path_refusal));
  call.gzip = call.start->gzip = call.encoding == "gzip";
  if (!call.gzip && !call.encoding.empty() && call.encoding != "identity") {
    call.tell_encodings = true;
    return Refuse(call, "200", GrpcCode::kUnimplemented,
                  "grpc: Decompressor is not installed for grpc-encoding \"" + call.encoding + "\"");
  }
  call.start->method = call.method->id;
  call.start->connection = info_;
  if (call.start->deadline != Clock::time_point::max()) {
    call.deadline.emplace(io_.timers(), [this, &call] {
      End(call, CancelReason::kDeadline, GrpcCode::kDeadlineExceeded, "Deadline exceeded");
    });
    call.deadline->Set(call.start->deadline);
  }
  Recount(call);
  if (!call.method->unary) Announce(call);
}

void Connection::OnMessage(Call& call) {
  ++io_.stats().messages_received;
  if (call.reader.compressed() && !call.gzip) {
    return End(call, CancelReason::kBadInput, GrpcCode::kInternal,
               "grpc: compressed flag set with identity or empty encoding");
  }
  if (call.method->unary) {
    call.has_message = true;
    // Mostly the end of the request comes with it, and its bytes need not move before that.
    Message message = TakeMessage(call);
    call.unsettled = !message.block;
    if (call.unsettled) {
      unsettled_.push_back(call.stream);
    } else {
      call.waiting.push_back(std::move(message));
    }
  } else if (call.announced) {
    EmitMessage(call, TakeMessage(call));
  } else {
    call.unsettled = true;
    Settle(call);
  }
  Recount(call);
}

// Without a block: the bytes are reader.small().
Message Connection::TakeMessage(Call& call) {
  Message message;
  message.size = call.reader.length();
  message.compressed = call.reader.compressed();
  message.offset = call.reader.offset();
  message.block = call.reader.TakeBlock();
  return message;
}

// Gives the message a place that lasts.
void Connection::Settle(Call& call) {
  call.unsettled = false;
  Message message = TakeMessage(call);
  if (!message.block) {
    const std::span<const std::byte> bytes = call.reader.small();
    BlockWriter block(bytes.size(), io_.ledger());
    if (!bytes.empty()) std::memcpy(block.data(), bytes.data(), bytes.size());
    block.Extend(bytes.size());
    io_.stats().bytes_copied_in += static_cast<std::int64_t>(bytes.size());
    message.offset = 0;
    message.block = block.Finish();
  }
  call.waiting.push_back(std::move(message));
  Recount(call);
}

void Connection::SettleAll() {
  for (const std::int32_t stream : unsettled_) {
    Call* call = Find(stream);
    if (call != nullptr && call->unsettled) Settle(*call);
  }
  unsettled_.clear();
}

void Connection::OnEndOfInput(Call& call) {
  if (call.ended) return;
  if (call.reader.in_message()) {
    return End(call, CancelReason::kBadInput, GrpcCode::kInternal, "unexpected EOF");
  }
  if (call.method->unary) {
    if (!call.has_message) {
      return End(call, CancelReason::kBadInput, GrpcCode::kInternal,
                 "cardinality violation: received no request message from non-client-streaming RPC");
    }
    return Announce(call);
  }
  if (!call.announced) return;
  if (call.batch == io_.events().Batch()) {
    io_.events().At(call.place).end_of_input = true;
  } else {
    io_.events().Add(Event::Kind::kEnd, call.id).end_of_input = true;
  }
}

// The consumer gets to know the call, unless its answer would only add to what the client does not read.
void Connection::Announce(Call& call) {
  if (!MustWait()) return EmitStart(call);
  if (call.unsettled) Settle(call);
  call.parked = true;
  parked_.push_back(&call);
  ++io_.stats().calls_parked;
}

// Whether the client has to read first.
bool Connection::MustWait() const {
  return queued_ >= options_.connection_memory || (queued_ > 0 && io_.ledger()->Full());
}

void Connection::Unpark() {
  while (!parked_.empty() && !MustWait()) {
    Call& call = *parked_.front();
    parked_.pop_front();
    call.parked = false;
    EmitStart(call);
  }
  if (!parked_.empty() && queued_ < options_.connection_memory) io_.AwaitMemory(*this);
}

void Connection::EmitStart(Call& call) {
  call.id = io_.Register(call);
  call.announced = true;
  ++io_.stats().calls;
  ++io_.stats().calls_started;
  EventQueue& events = io_.events();
  Event& event = events.Add(Event::Kind::kStart, call.id);
  event.start = std::move(call.start);
  event.end_of_input = call.input_ended;
  call.batch = events.Batch();
  call.place = events.Place();
  call.place_has_message = false;
  if (call.unsettled) {
    call.unsettled = false;
    EmitMessage(call, TakeMessage(call));
  }
  for (Message& message : std::exchange(call.waiting, {})) EmitMessage(call, std::move(message));
  Recount(call);
}

void Connection::EmitMessage(Call& call, Message message) {
  EventQueue& events = io_.events();
  if (call.batch != events.Batch() || call.place_has_message) {
    // The end of input, if it is known already, moves on to the last message.
    const bool ended = call.batch == events.Batch() && std::exchange(events.At(call.place).end_of_input, false);
    events.Add(Event::Kind::kMessage, call.id).end_of_input = ended;
    call.batch = events.Batch();
    call.place = events.Place();
  }
  call.place_has_message = true;
  call.held += message.size;
  held_ += message.size;
  if (message.block) {
    events.At(call.place).message = std::move(message);
  } else {
    events.AttachSmall(call.place, call.reader.small(), message.compressed);
  }
}

// Keeps incomplete() right after anything that changes a call's share of it.
void Connection::Recount(Call& call) {
  std::size_t now = call.ended ? 0 : call.reader.received();
  if (!call.announced && !call.ended) {
    for (const Message& message : call.waiting) now += message.size;
  }
  incomplete_ += now - call.counted;  // unsigned, and right all the same
  call.counted = now;
}

void Connection::Consumed(Call& call, std::size_t bytes) {
  bytes = std::min(bytes, call.held);
  call.held -= bytes;
  held_ -= bytes;
  ReturnStreamWindow(call);
  io_.MarkDirty(*this);
}

}  // namespace aiges::wire
