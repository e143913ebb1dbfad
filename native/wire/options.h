// SPDX-License-Identifier: Apache-2.0
// What a server can be told. The defaults suit a host that serves media payloads to clients which mean well and
// survives those that do not.
//
// How memory is bounded. Received bytes are those of messages that are incomplete, that wait for the consumer, or whose
// block somebody still refers to. Outgoing bytes are those of messages handed to Submit that are not written yet.
//   - A stream holds at most `stream_window` of delivered messages plus one message (or `max_receive_bytes`, if
//   larger).
//   - A connection gets no more window while it holds `connection_memory`, so it stays below that plus
//     `connection_window`, as long as some of it is not in incomplete messages. Calls that arrive while so much of its
//     output is unread wait: the consumer does not see them before the client has read.
//   - Beyond `total_memory`, received and outgoing bytes of all connections together, sockets of connections that hold
//     received bytes are not read, and calls of connections that have answers to read wait. A connection that holds
//     nothing received is read nevertheless: what it says may be that it has room for more of its answers. If more than
//     half of the memory is in incomplete messages and unread answers, which only clients can bring to an end, one of
//     the connections that wait is read all the same: until its messages are complete and its answers read, at most for
//     `memory_stall`. If a message is incomplete even then, it is closed (ENHANCE_YOUR_CALM).
// Header lists are not part of it: a call that lasts would keep its share for ever, and cheap calls of one client would
// stop the others. Each connection has an allowance of its own for those of its open calls (`header_allowance`), and
// calls beyond it are refused.
// A message's block is allocated when its first bytes are there. Until the others arrive it costs address space only.
// One of 120 KiB and more counts as at least 1/16,384 of `total_memory`: it may be mapped, the system limits the number
// of mappings, and a process that has reached it is lost.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace aiges::wire {

using Milliseconds = std::chrono::milliseconds;

// A limit on how often something may happen: `burst` at once, `per_second` in the long run.
struct Rate {
  double burst;
  double per_second;
};

struct Options {
  // Longer messages are refused with RESOURCE_EXHAUSTED, from their length alone.
  std::size_t max_receive_bytes = std::size_t{4} << 20;
  std::size_t max_send_bytes = std::size_t{4} << 20;

  // HTTP/2 windows and frames that we advertise. A message may be longer than its stream's window.
  std::uint32_t stream_window = 8u << 20;
  std::uint32_t connection_window = 16u << 20;
  std::uint32_t max_frame_size = 1u << 20;

  std::size_t connection_memory = std::size_t{256} << 20;
  std::size_t total_memory = std::size_t{1} << 30;
  Milliseconds memory_stall{10'000};

  // Further connections are closed as soon as they are accepted.
  std::size_t max_connections = 10'000;
  // Calls at the same time on one connection, advertised; a client queues the rest. Much larger than what one client
  // normally has open, small enough that one connection cannot fill the consumer's tables.
  std::uint32_t max_streams = 1'000;
  // Of a request's header list, counted as HTTP/2 does (32 bytes per field on top). Beyond them RESOURCE_EXHAUSTED. If
  // the block and its fields come to four times as many bytes, the connection is closed with ENHANCE_YOUR_CALM.
  std::uint32_t max_header_bytes = 64u << 10;
  std::size_t max_header_fields = 256;
  // What the calls of a connection may have on average, when all streams are in use; see header_allowance().
  std::size_t header_bytes_per_stream = 4u << 10;

  // How long a reply may refer to leased memory; the part that its client has not taken by then is copied.
  Milliseconds lease_time{1'000};

  // Zero switches a limit in time off, except for the first two.
  Milliseconds handshake_timeout{10'000};      // until the client's preface and SETTINGS are there
  Milliseconds drain_ping_timeout{1'000};      // how long a drain waits for the client to have seen the first GOAWAY
  Milliseconds idle_timeout{0};                // without a call
  Milliseconds max_age{0};                     // then the connection is drained
  Milliseconds max_age_grace{0};               // and after so much more cut; 0: its calls may take as long as they like
  Milliseconds keepalive_interval{7'200'000};  // nothing received for so long: ping
  Milliseconds keepalive_timeout{20'000};      // no answer to it: the connection is gone

  // Pings closer to each other than this are strikes, unless a call made progress in between (grpc-go measures
  // bandwidth with a ping per round trip while data flows). More strikes than allowed: GOAWAY, "too_many_pings".
  Milliseconds min_ping_interval{1'000};
  std::size_t max_ping_strikes = 100;

  // Beyond these a connection is closed with ENHANCE_YOUR_CALM.
  Rate client_resets{1'000, 100};      // calls that the client resets (CVE-2023-44487), or has us reset or refuse
  Rate control_frames{2'000, 500};     // SETTINGS, PRIORITY, GOAWAY and empty DATA
  std::size_t max_continuations = 64;  // CONTINUATION frames of one header block

  // The metadata "user-agent" and the like are the client's; this server does not name itself.
  std::string thread_name = "aiges-wire";  // the first 15 characters count

  // Of all header lists of one connection's open calls, counted like max_header_bytes. Beyond it RESOURCE_EXHAUSTED.
  std::size_t header_allowance() const {
    return std::max<std::size_t>(max_header_bytes, header_bytes_per_stream * max_streams);
  }
};

struct ListenOptions {
  // An IPv4 or IPv6 address (no names: resolving would block), or a path of a Unix socket when `path` is not empty.
  std::string host{};
  std::uint16_t port = 0;  // 0: any free one, which Listen reports
  std::string path{};      // a stale socket file of a dead process is replaced
  bool reuse_port = false;
  int backlog = 1024;
};

// One end of a connection. IPv4 addresses mapped into IPv6 are given as IPv4.
struct Endpoint {
  std::string host{};      // empty for a Unix socket
  std::uint16_t port = 0;  // 0 for a Unix socket
  std::string path{};      // of a Unix socket; empty for the client's end of one
};

// What the system said no to.
struct SystemError {
  int number = 0;    // errno
  std::string name;  // "EADDRINUSE"
  std::string text;  // "listen EADDRINUSE: address already in use 127.0.0.1:80", as Node words it
};

}  // namespace aiges::wire
