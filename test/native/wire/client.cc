// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace aiges::wire::test {
namespace {

template <typename Fn>
Fn Symbol(const char* name) {
  static void* library = dlopen("libnghttp2.so.14", RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Fn>(dlsym(library, name));
}

std::uint32_t ToInt32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

int Connected(int family, const sockaddr* address, socklen_t size, int receive_buffer) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (connect(fd, address, size) != 0) throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

}  // namespace

std::string Int32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

std::string FrameBytes(int type, int flags, std::uint32_t stream, std::string_view payload) {
  std::string bytes = Int32(static_cast<std::uint32_t>(payload.size())).substr(1);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  bytes += Int32(stream);
  return bytes.append(payload);
}

std::string SettingsPayload(const Settings& settings) {
  std::string payload;
  for (const auto& [id, value] : settings) {
    payload += static_cast<char>(id >> 8);
    payload += static_cast<char>(id & 0xff);
    payload += Int32(value);
  }
  return payload;
}

std::string Prefixed(std::string_view payload, bool compressed) {
  std::string bytes(1, compressed ? '\1' : '\0');
  return bytes.append(Int32(static_cast<std::uint32_t>(payload.size()))).append(payload);
}

std::string Answer::Get(std::string_view name) const {
  for (const Fields* fields : {&trailers, &headers}) {
    for (const auto& [key, value] : *fields) {
      if (key == name) return value;
    }
  }
  return "";
}

struct Client::Hpack {
  Hpack() {
    Symbol<int (*)(void**, std::size_t)>("nghttp2_hd_deflate_new")(&deflater, 4096);
    Symbol<int (*)(void**)>("nghttp2_hd_inflate_new")(&inflater);
  }
  ~Hpack() {
    Symbol<void (*)(void*)>("nghttp2_hd_deflate_del")(deflater);
    Symbol<void (*)(void*)>("nghttp2_hd_inflate_del")(inflater);
  }
  void* deflater = nullptr;
  void* inflater = nullptr;
};

Client::Client(std::uint16_t port, int receive_buffer) : hpack_(std::make_unique<Hpack>()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socket_ = UniqueFd(Connected(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address, receive_buffer));
}

Client::Client(const std::string& path) : hpack_(std::make_unique<Hpack>()) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  socket_ = UniqueFd(Connected(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address, 0));
}

Client::~Client() = default;

void Client::Hello(const Settings& settings, std::uint32_t window) {
  std::string bytes(kMagic);
  bytes += FrameBytes(4, 0, 0, SettingsPayload(settings));
  if (window > 0) bytes += FrameBytes(8, 0, 0, Int32(window));
  Send(bytes);
}

void Client::Send(std::string_view bytes) {
  out_.append(bytes);
  Flush();
}

bool Client::Flush() {
  std::size_t sent = 0;
  while (sent < out_.size()) {
    const ssize_t part = send(socket_.get(), out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (part < 0) break;
    sent += static_cast<std::size_t>(part);
  }
  out_.erase(0, sent);
  return out_.empty();
}

std::string Client::Encode(const Fields& fields) {
  std::vector<ng::Field> list;
  for (const auto& [name, value] : fields) {
    list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), 0});
  }
  const std::size_t bound = Symbol<std::size_t (*)(void*, const ng::Field*, std::size_t)>("nghttp2_hd_deflate_bound")(
      hpack_->deflater, list.data(), list.size());
  std::string block(bound, '\0');
  const ssize_t size =
      Symbol<ssize_t (*)(void*, std::uint8_t*, std::size_t, const ng::Field*, std::size_t)>("nghttp2_hd_deflate_hd")(
          hpack_->deflater, reinterpret_cast<std::uint8_t*>(block.data()), block.size(), list.data(), list.size());
  block.resize(static_cast<std::size_t>(size));
  return block;
}

void Client::SendHeaders(std::uint32_t stream, const Fields& fields, bool end_stream) {
  std::string block = Encode(fields);
  int type = 1;
  do {
    const std::string part = block.substr(0, 16384);
    block.erase(0, part.size());
    SendFrame(type, (type == 1 && end_stream ? 1 : 0) | (block.empty() ? 4 : 0), stream, part);
    type = 9;
  } while (!block.empty());
}

void Client::SendData(std::uint32_t stream, std::string_view data, bool end_stream, std::size_t frame) {
  std::string bytes;
  do {
    const std::string_view part = data.substr(0, frame);
    data.remove_prefix(part.size());
    bytes += FrameBytes(0, data.empty() && end_stream ? 1 : 0, stream, part);
  } while (!data.empty());
  Send(bytes);
}

Fields Client::Request(std::string_view path, const Fields& more) {
  Fields fields = {{":method", "POST"},
                   {":scheme", "http"},
                   {":path", std::string(path)},
                   {":authority", "test"},
                   {"content-type", "application/grpc"},
                   {"te", "trailers"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

std::uint32_t Client::Call(std::string_view path, std::string_view payload, const Fields& more) {
  const std::uint32_t stream = NextStream();
  SendHeaders(stream, Request(path, more));
  SendData(stream, Prefixed(payload), true);
  return stream;
}

bool Client::Until(const std::function<bool()>& done, Milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (closed_) return false;
    const auto left = std::chrono::ceil<Milliseconds>(end - std::chrono::steady_clock::now());
    ReadSome(std::max(left, Milliseconds(0)));
    if (left.count() <= 0) return done();  // what was there has been read
  }
  return true;
}

const Answer& Client::Await(std::uint32_t stream, Milliseconds patience) {
  Until([&] { return answers_[stream].over(); }, patience);
  return answers_[stream];
}

bool Client::RoundTrip() {
  const std::uint32_t wanted = ++pings_sent_;
  SendFrame(6, 0, 0, Int32(0x74657374) + Int32(wanted));
  return Until([&] { return pings_answered_ >= wanted; });
}

bool Client::ReadSome(Milliseconds patience) {
  pollfd poll_on{socket_.get(), static_cast<short>(POLLIN | (Flush() ? 0 : POLLOUT)), 0};
  if (poll(&poll_on, 1, static_cast<int>(patience.count())) <= 0) return false;
  char buffer[65536];
  const ssize_t got = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
    closed_ = true;
    return false;
  }
  if (got < 0) return false;
  in_.append(buffer, static_cast<std::size_t>(got));
  std::size_t used = 0;
  while (in_.size() - used >= 9) {
    const std::string_view head = std::string_view(in_).substr(used);
    const std::size_t length = ToInt32(std::string(1, '\0') + std::string(head.substr(0, 3)));
    if (head.size() < 9 + length) break;
    Take({length, static_cast<unsigned char>(head[3]), static_cast<unsigned char>(head[4]),
          ToInt32(head.substr(5)) & 0x7fffffff, std::string(head.substr(9, length))});
    used += 9 + length;
  }
  in_.erase(0, used);
  return true;
}

void Client::Take(Frame frame) {
  Answer& answer = answers_[frame.stream];
  switch (frame.type) {
    case 0:
      answer.data += frame.payload;
      frame.payload.clear();
      break;
    case 1:
    case 9: {
      header_block_ += frame.payload;
      if ((frame.flags & 4) == 0) break;
      Fields& fields = answer.headers.empty() ? answer.headers : answer.trailers;
      const auto inflate =
          Symbol<ssize_t (*)(void*, ng::Field*, int*, const std::uint8_t*, std::size_t, int)>("nghttp2_hd_inflate_hd2");
      const auto* at = reinterpret_cast<const std::uint8_t*>(header_block_.data());
      std::size_t left = header_block_.size();
      for (;;) {
        ng::Field field{};
        int flags = 0;
        const ssize_t used = inflate(hpack_->inflater, &field, &flags, at, left, 1);
        if (used < 0) throw std::runtime_error("the server's header block is broken");
        at += used;
        left -= static_cast<std::size_t>(used);
        if ((flags & 2) != 0) {
          fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.name_size),
                              std::string(reinterpret_cast<char*>(field.value), field.value_size));
        }
        if ((flags & 1) != 0) break;
      }
      Symbol<int (*)(void*)>("nghttp2_hd_inflate_end_headers")(hpack_->inflater);
      header_block_.clear();
      break;
    }
    case 3: answer.reset = ToInt32(frame.payload); break;
    case 4:
      if ((frame.flags & 1) == 0) {
        for (std::size_t i = 0; i + 6 <= frame.payload.size(); i += 6) {
          settings_[ToInt32(std::string(2, '\0') + frame.payload.substr(i, 2))] = ToInt32(frame.payload.substr(i + 2));
        }
        if (answers_settings) SendFrame(4, 1, 0, "");
      }
      break;
    case 6:
      if ((frame.flags & 1) != 0) {
        pings_answered_ = ToInt32(frame.payload.substr(4));
      } else if (answers_pings) {
        SendFrame(6, 1, 0, frame.payload);
      }
      break;
    case 7:
      goaways_.push_back(
          {ToInt32(frame.payload) & 0x7fffffff, ToInt32(frame.payload.substr(4)), frame.payload.substr(8)});
      break;
    case 8: granted_[frame.stream] += ToInt32(frame.payload); break;
    default: break;
  }
  if (frame.type <= 1 && (frame.flags & 1) != 0) answer.ended = true;
  frames_.push_back(std::move(frame));
}

void Client::Abort() {
  const linger hard{1, 0};
  setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  socket_ = {};
  closed_ = true;
}

void Client::CloseWriting() { shutdown(socket_.get(), SHUT_WR); }

}  // namespace aiges::wire::test
