// SPDX-License-Identifier: Apache-2.0
// A socket that takes connections.
#pragma once

#include <cstddef>
#include <string>
#include <variant>

#include "io_services.h"
#include "pollable.h"
#include "timers.h"
#include "unique_fd.h"

namespace aiges::wire {

// Bound and listening, on any thread. Goes to the server's thread with its first connection still waiting.
struct ListeningSocket {
  UniqueFd fd;
  Endpoint endpoint;  // with the port that was chosen
};
std::variant<ListeningSocket, SystemError> OpenListener(const ListenOptions& options);

// Of a connected socket.
Endpoint LocalEndpoint(int fd);
Endpoint PeerEndpoint(int fd);

class Listener final : public Pollable {
 public:
  Listener(IoServices& io, ListeningSocket socket);
  ~Listener() override;

  void OnReady(std::uint32_t events) override;

 private:
  void Watch(bool on);

  IoServices& io_;
  ListeningSocket socket_;
  Timer resume_;
};

}  // namespace aiges::wire
