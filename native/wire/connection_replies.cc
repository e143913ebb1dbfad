// SPDX-License-Identifier: Apache-2.0
// How a connection answers its calls, and ends them. How they come in is in connection_requests.cc.
#include <algorithm>
#include <utility>

#include "connection.h"
#include "field_list.h"
#include "grpc_text.h"

namespace aiges::wire {
namespace {

constexpr std::string_view kContentType = "application/grpc";
// Chunks below this are joined with the frames around them: a piece of its own costs the kernel more.
constexpr std::size_t kCopyBelow = 1024;

// nghttp2 itself, for a fault of the client's, has other reasons.
bool IsOurReset(std::uint32_t code) {
  return code == ng::kNoError || code == ng::kCancel || code == ng::kInternalError;
}

// The client's own, as grpc-go answers, if it is one of gRPC.
void AddContentType(FieldList& fields, const Call& call) {
  if (call.content_type == kContentType || !IsGrpcContentType(call.content_type)) {
    fields.AddLiteral("content-type", kContentType);
  } else {
    fields.Add("content-type", call.content_type);
  }
}

// HTTP/2 libraries refuse header blocks beyond 64 KiB, and a client would wait for an answer that never comes.
constexpr std::size_t kLongestText = 4096;

// Never in the middle of a character.
std::string_view CutText(std::string_view text) {
  if (text.size() <= kLongestText) return text;
  std::size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

void AddStatus(FieldList& fields, const CallStatus& status) {
  if (status.code == 0) {
    fields.AddLiteral("grpc-status", "0");
  } else {
    fields.AddOwned("grpc-status", std::to_string(status.code));
  }
  // An empty one as well: clients of the original have always got it.
  if (status.message.empty()) {
    fields.AddLiteral("grpc-message", "");
  } else {
    fields.AddOwned("grpc-message", PercentEncode(CutText(status.message)));
  }
}

}  // namespace

// ---- From nghttp2 -----------------------------------------------------------------------------------------------

int Connection::OnFrameSent(const ng::Frame& frame) {
  switch (frame.hd.type) {
    case ng::kData: progress_since_ping_ = true; break;
    case ng::kRstStream:
      ++io_.stats().resets_sent;
      if (!IsOurReset(frame.rst_stream.error_code)) CountReset();
      break;
    case ng::kGoaway: ++io_.stats().goaways_sent; break;
    case ng::kHeaders: {
      progress_since_ping_ = true;
      Call* call = Find(frame);
      if (call != nullptr) call->head_sent = true;
      // The answer is out, and the client need not send the rest of its request (RFC 9113, 8.1).
      if (call != nullptr && IsLast(frame.hd) && !call->input_ended && !call->reset) {
        call->reset = true;
        ng_.submit_rst_stream(session_.get(), ng::kNoFlags, call->stream, ng::kNoError);
      }
      break;
    }
    default: break;
  }
  return 0;
}

// A client must not wait for what never comes.
int Connection::OnFrameNotSent(const ng::Frame& frame, int error) {
  Call* call = frame.hd.type == ng::kHeaders ? Find(frame) : nullptr;
  if (call == nullptr || call->reset || state_ != State::kOpen) return 0;
  if (error == ng::kErrorFrameSize && !call->unsendable) {
    Unsendable(*call);
  } else {
    Detach(*call, CancelReason::kBadInput);
    call->reset = true;
    ng_.submit_rst_stream(session_.get(), ng::kNoFlags, call->stream, ng::kInternalError);
  }
  return 0;
}

int Connection::OnStreamClose(std::int32_t stream) {
  Call* call = Find(stream);
  if (call == nullptr) return 0;
  Detach(*call, call->reset_by_client ? CancelReason::kClientReset : CancelReason::kBadInput);
  headers_ -= call->header_share;
  io_.stats().header_bytes -= static_cast<std::int64_t>(call->header_share);
  ng_.session_set_stream_user_data(session_.get(), stream, nullptr);
  calls_.erase(stream);
  if (calls_.empty()) {
    last_call_ = io_.now();
    if (options_.idle_timeout.count() > 0) SetTimer();
  }
  io_.MarkDirty(*this);
  return 0;
}

// How much of the answer may go into the next frame. What is in it is decided by SendReply, right afterwards.
ssize_t Connection::ReadReply(std::int32_t stream, std::size_t most, std::uint32_t& flags) {
  Call* call = Find(stream);
  if (call == nullptr || call->reset) return ng::kErrorTemporalCallbackFailure;
  std::size_t size = 0;
  bool all = true;
  for (const auto& message : call->outgoing) {
    if (size == most) {
      all = false;
      break;
    }
    const std::size_t part = std::min(message->left(), most - size);
    all = part == message->left();
    size += part;
  }
  if (size == 0 && !call->ended) {
    call->reading_deferred = true;
    return ng::kErrorDeferred;
  }
  flags |= ng::kDataNoCopy;
  if (all && call->ended) {
    flags |= ng::kDataEof | ng::kDataNoEndStream;
    SubmitTrailers(*call);
  }
  return static_cast<ssize_t>(size);
}

int Connection::SendReply(std::int32_t stream, std::span<const std::byte> frame_header, std::size_t length) {
  outbox_.AppendCopy(frame_header.data(), frame_header.size());
  Call* call = Find(stream);
  while (length > 0) {
    const std::shared_ptr<SendingMessage>& message = call->outgoing.front();
    const bool small = message->chunk_size() < kCopyBelow;
    const Chunk piece = message->Next(length);
    if (small) {
      outbox_.AppendCopy(piece.data, piece.size);
      io_.stats().bytes_copied_out += static_cast<std::int64_t>(piece.size);
    } else {
      outbox_.AppendLent(piece.data, piece.size, message);
    }
    length -= piece.size;
    if (message->left() == 0) {
      ++io_.stats().messages_sent;
      call->outgoing.pop_front();
    }
  }
  return 0;
}

// ---- Answers ----------------------------------------------------------------------------------------------------

void Connection::Refuse(Call& call, const char* http_status, GrpcCode code, std::string message) {
  call.http_status = http_status;
  End(call, CancelReason::kBadInput, code, std::move(message));
}

// The wire itself ends the call. Messages that have not begun to go out never will.
void Connection::End(Call& call, CancelReason reason, GrpcCode code, std::string message) {
  if (call.reset) return;
  const bool cut = !call.outgoing.empty() && call.outgoing.front()->started();
  const bool status_is_out = call.ended && call.outgoing.empty();
  if (status_is_out) return;
  if (reason == CancelReason::kBadInput && call.announced) CountReset();
  Detach(call, reason);
  call.status = {static_cast<std::uint32_t>(code), std::move(message)};
  call.trailers = {};
  io_.MarkDirty(*this);
  if (cut) {
    // Half a message cannot be followed by a status.
    call.reset = true;
    ng_.submit_rst_stream(session_.get(), ng::kNoFlags, call.stream, ng::kCancel);
  } else if (call.answered) {
    Resume(call);
  } else {
    SubmitTrailersOnly(call);
  }
}

// Ends what the call has to do with the consumer: it hears of it (unless `reason` is empty: it knows), gets its memory
// back, and none of its commands is for this call any more.
void Connection::Detach(Call& call, std::optional<CancelReason> reason) {
  if (call.id != 0) {
    io_.Unregister(call.id);
    --io_.stats().calls;
    if (reason) io_.events().Add(Event::Kind::kCancelled, call.id).reason = *reason;
    call.id = 0;
  }
  if (call.parked) {
    parked_.erase(std::find(parked_.begin(), parked_.end(), &call));
    call.parked = false;
  }
  call.ended = true;
  call.unsettled = false;
  call.waiting.clear();
  held_ -= std::exchange(call.held, 0);
  if (reason) {
    call.outgoing.clear();
    if (call.deadline) call.deadline->Cancel();
  }
  Recount(call);
}

void Connection::DetachAll(CancelReason reason) {
  for (const auto& [stream, call] : calls_) {
    Detach(*call, reason);
    call->reset = true;  // nothing of it is sent any more
  }
}

void Connection::SendMetadata(Call& call, Metadata metadata) {
  if (call.answered) return;
  call.metadata = std::move(metadata);
  SubmitHeaders(call);
  io_.MarkDirty(*this);
}

void Connection::SendMessage(Call& call, OutgoingMessage message) {
  if (message.size() <= options_.max_send_bytes) return Push(call, call.id, std::move(message));
  // The consumer does not expect the call to end here.
  io_.events().Add(Event::Kind::kCancelled, call.id).reason = CancelReason::kBadInput;
  Oversized(call, std::move(message));
}

void Connection::Push(Call& call, CallId id, OutgoingMessage message) {
  const bool leased = message.leased;
  call.outgoing.push_back(std::make_shared<SendingMessage>(std::move(message), id, io_.events(), io_.stats(), queued_));
  if (leased) io_.AwaitLease(*this, call.outgoing.back());
  if (call.answered) {
    Resume(call);
  } else {
    SubmitHeaders(call);
  }
  io_.MarkDirty(*this);
}

// The header block that should go out is longer than nghttp2 sends. The client gets a status that says so in its place.
void Connection::Unsendable(Call& call) {
  ++io_.stats().metadata_unsendable;
  call.unsendable = true;
  Detach(call, CancelReason::kBadInput);
  call.status = {static_cast<std::uint32_t>(GrpcCode::kResourceExhausted),
                 std::string("the server's ") + (call.head_sent ? "trailing" : "initial") +
                     " metadata is longer than an HTTP/2 header block may be (64 KiB)"};
  call.trailers = {};
  if (call.head_sent) {
    SubmitTrailers(call);
  } else {
    SubmitTrailersOnly(call);
  }
}

void Connection::Oversized(Call& call, OutgoingMessage message) {
  ReleaseToken(message, call.id, io_.events());
  Finish(call,
         {static_cast<std::uint32_t>(GrpcCode::kResourceExhausted), "grpc: trying to send message larger than max (" +
                                                                        std::to_string(message.size()) + " vs. " +
                                                                        std::to_string(options_.max_send_bytes) + ")"},
         {});
}

void Connection::Reply(Call& call, OutgoingMessage message, Metadata trailers) {
  if (message.size() > options_.max_send_bytes) return Oversized(call, std::move(message));
  const CallId id = call.id;
  Detach(call, std::nullopt);
  call.trailers = std::move(trailers);
  Push(call, id, std::move(message));
}

void Connection::Finish(Call& call, CallStatus status, Metadata trailers) {
  Detach(call, std::nullopt);
  call.status = std::move(status);
  call.trailers = std::move(trailers);
  if (call.answered) {
    Resume(call);
  } else {
    SubmitTrailersOnly(call);
  }
  io_.MarkDirty(*this);
}

void Connection::Resume(Call& call) {
  if (!call.reading_deferred) return;
  call.reading_deferred = false;
  ng_.session_resume_data(session_.get(), call.stream);
}

void Connection::SubmitHeaders(Call& call) {
  call.answered = true;
  FieldList fields;
  fields.AddLiteral(":status", "200");
  AddContentType(fields, call);
  fields.Add(call.metadata);
  ng::DataProvider provider{};
  provider.read = [](nghttp2_session*, std::int32_t stream, std::uint8_t*, std::size_t most, std::uint32_t* flags,
                     ng::DataSource* source, void*) -> ssize_t {
    try {
      return static_cast<Connection*>(source->ptr)->ReadReply(stream, most, *flags);
    } catch (...) {
      return ng::kErrorTemporalCallbackFailure;
    }
  };
  provider.source.ptr = this;
  ng_.submit_response(session_.get(), call.stream, fields.data(), fields.size(), &provider);
}

void Connection::SubmitTrailersOnly(Call& call) {
  call.answered = true;
  FieldList fields;
  fields.AddLiteral(":status", call.http_status);
  AddContentType(fields, call);
  AddStatus(fields, call.status);
  if (call.tell_encodings) fields.AddLiteral("grpc-accept-encoding", "identity,gzip");
  fields.Add(call.trailers);
  ng_.submit_response(session_.get(), call.stream, fields.data(), fields.size(), nullptr);
}

void Connection::SubmitTrailers(Call& call) {
  FieldList fields;
  AddStatus(fields, call.status);
  fields.Add(call.trailers);
  ng_.submit_trailer(session_.get(), call.stream, fields.data(), fields.size());
}

}  // namespace aiges::wire
