// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <utility>
#include <variant>

#include "io_thread.h"
#include "listener.h"

namespace aiges::wire {

Server::Server(const Nghttp2& api, Options options, EventSink& sink)
    : io_(std::make_unique<IoThread>(api, std::move(options), sink)) {}

Server::~Server() = default;

MethodId Server::AddMethod(std::string path, MethodKind kind) { return io_->AddMethod(std::move(path), kind); }

Server::Bound Server::Listen(const ListenOptions& options) {
  auto opened = OpenListener(options);
  if (auto* error = std::get_if<SystemError>(&opened)) return {std::nullopt, std::move(*error)};
  auto& socket = std::get<ListeningSocket>(opened);
  Bound bound{socket.endpoint, {}};
  io_->Listen(std::move(socket));
  return bound;
}

void Server::Submit(Commands commands) { io_->Submit(std::move(commands)); }
Events Server::Take() { return io_->Take(); }
void Server::Drain() { io_->Drain(); }
void Server::Stop() { io_->Stop(); }
const Stats& Server::stats() const { return io_->ledger()->stats(); }

}  // namespace aiges::wire
