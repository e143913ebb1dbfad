// SPDX-License-Identifier: Apache-2.0
#include "listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace aiges::wire {
namespace {

// How long to leave a listener alone for which there is no descriptor: it would be reported as ready without a pause.
constexpr std::chrono::milliseconds kPause{100};
// Then the connections that we have get their turn.
constexpr int kAcceptRounds = 64;

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
};

std::string ErrorName(int number) {
  switch (number) {
    case EADDRINUSE: return "EADDRINUSE";
    case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
    case EACCES: return "EACCES";
    case EPERM: return "EPERM";
    case EINVAL: return "EINVAL";
    case EMFILE: return "EMFILE";
    case ENFILE: return "ENFILE";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case EROFS: return "EROFS";
    case ENOMEM: return "ENOMEM";
    case ENOBUFS: return "ENOBUFS";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case EAFNOSUPPORT: return "EAFNOSUPPORT";
    default: return std::to_string(number).insert(0, 1, 'E');
  }
}

std::string Place(const ListenOptions& options) {
  if (!options.path.empty()) return options.path;
  const bool v6 = options.host.find(':') != std::string::npos;
  return (v6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(options.port);
}

SystemError Failure(int number, const ListenOptions& options) {
  const std::string name = ErrorName(number);
  std::string reason = std::generic_category().message(number);
  // Node's texts begin in lower case.
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  return {number, name, "listen " + name + ": " + reason + " " + Place(options)};
}

Endpoint ToEndpoint(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  switch (address.any.sa_family) {
    case AF_INET:
      inet_ntop(AF_INET, &address.v4.sin_addr, text.data(), text.size());
      return {text.data(), ntohs(address.v4.sin_port), ""};
    case AF_INET6:
      if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
        inet_ntop(AF_INET, address.v6.sin6_addr.s6_addr + 12, text.data(), text.size());
      } else {
        inet_ntop(AF_INET6, &address.v6.sin6_addr, text.data(), text.size());
      }
      return {text.data(), ntohs(address.v6.sin6_port), ""};
    default: return {"", 0, address.local.sun_path};
  }
}

Endpoint NameOf(int fd, decltype(getsockname)* ask) {
  Address address;
  std::memset(&address, 0, sizeof address);
  socklen_t size = sizeof address;
  if (ask(fd, &address.any, &size) != 0) return {};
  return ToEndpoint(address);
}

// A socket file that nobody answers at is left over from a process that has died.
void RemoveStale(const Address& address) {
  struct stat file {};
  if (lstat(address.local.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return;
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe || connect(probe.get(), &address.any, sizeof address.local) == 0 || errno != ECONNREFUSED) return;
  unlink(address.local.sun_path);
}

bool Set(int fd, int option) {
  const int on = 1;
  return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == 0;
}

}  // namespace

std::variant<ListeningSocket, SystemError> OpenListener(const ListenOptions& options) {
  Address address;
  std::memset(&address, 0, sizeof address);
  socklen_t size = 0;
  if (!options.path.empty()) {
    if (options.path.size() >= sizeof address.local.sun_path) return Failure(ENAMETOOLONG, options);
    address.local.sun_family = AF_UNIX;
    options.path.copy(address.local.sun_path, options.path.size());
    size = sizeof address.local;
  } else if (inet_pton(AF_INET, options.host.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(options.port);
    size = sizeof address.v4;
  } else if (inet_pton(AF_INET6, options.host.c_str(), &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons(options.port);
    size = sizeof address.v6;
  } else {
    return Failure(EINVAL, options);
  }

  ListeningSocket listening;
  listening.fd = UniqueFd(socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listening.fd) return Failure(errno, options);
  const int fd = listening.fd.get();
  if (address.any.sa_family == AF_UNIX) {
    RemoveStale(address);
  } else if (!Set(fd, SO_REUSEADDR) || (options.reuse_port && !Set(fd, SO_REUSEPORT))) {
    return Failure(errno, options);
  }
  if (bind(fd, &address.any, size) != 0 || listen(fd, options.backlog) != 0) return Failure(errno, options);
  listening.endpoint = LocalEndpoint(fd);
  return listening;
}

Endpoint LocalEndpoint(int fd) { return NameOf(fd, getsockname); }
Endpoint PeerEndpoint(int fd) { return NameOf(fd, getpeername); }

Listener::Listener(IoServices& io, ListeningSocket socket)
    : io_(io), socket_(std::move(socket)), resume_(io.timers(), [this] { Watch(true); }) {
  Watch(true);
}

Listener::~Listener() {
  Watch(false);
  if (!socket_.endpoint.path.empty()) unlink(socket_.endpoint.path.c_str());
}

void Listener::Watch(bool on) { io_.Watch(socket_.fd.get(), on ? EPOLLIN : 0u, this); }

void Listener::OnReady(std::uint32_t) {
  for (int round = 0; round < kAcceptRounds; ++round) {
    UniqueFd connection(accept4(socket_.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      io_.Adopt(std::move(connection));
      continue;
    }
    switch (errno) {
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        Watch(false);
        resume_.Set(io_.now() + kPause);
        return;
      case EAGAIN: return;
      default: continue;  // this one connection failed before it was accepted
    }
  }
}

}  // namespace aiges::wire
