// SPDX-License-Identifier: Apache-2.0
// What one server holds at this moment and what it has done so far. Readable on any thread at any time.
#pragma once

#include <atomic>
#include <cstdint>

namespace aiges::wire {

struct Stats {
  using Number = std::atomic<std::int64_t>;

  // live
  Number connections{0};
  Number connections_paused{0};  // not read, because of total_memory
  Number calls{0};               // that the consumer knows and that have not ended
  Number bytes_held{0};          // in blocks of received messages, complete or not
  Number bytes_queued{0};        // of outgoing messages that are not written yet
  Number header_bytes{0};        // of header lists of open calls
  Number tokens{0};              // submitted, and their kReleased not yet taken

  // since the server began
  Number connections_accepted{0};
  Number connections_refused{0};  // beyond max_connections
  Number calls_started{0};
  Number messages_received{0};
  Number messages_sent{0};
  Number bytes_received{0};    // from sockets
  Number bytes_sent{0};        // to sockets
  Number bytes_copied_in{0};   // of messages, from the read buffer to their block
  Number bytes_copied_out{0};  // of messages, because they were small, or because their lease had ended
  Number resets_received{0};
  Number resets_sent{0};
  Number goaways_sent{0};
  Number connections_abused{0};   // closed with ENHANCE_YOUR_CALM
  Number memory_pauses{0};        // a connection was not read because of total_memory
  Number metadata_unsendable{0};  // a call's initial or trailing metadata was longer than a header block may be
  Number calls_parked{0};         // a call had to wait because its connection does not read its answers
};

}  // namespace aiges::wire
