// SPDX-License-Identifier: Apache-2.0
// Serves test::Echo until it gets SIGINT or SIGTERM, then drains.
//   wire_driver [--host ADDRESS] [--port N] [--unix PATH] [--nghttp2 LIBRARY] [--max-message BYTES]
#include <signal.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "echo.h"

int main(int argc, char** argv) {
  using namespace aiges::wire;
  ListenOptions listen{.host = "127.0.0.1"};
  Options options;
  options.max_receive_bytes = options.max_send_bytes = std::size_t{64} << 20;
  std::string library = "libnghttp2.so.14";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    const auto number = [&](auto& to) { std::from_chars(value, value + std::strlen(value), to); };
    if (name == "--host") {
      listen.host = value;
    } else if (name == "--port") {
      number(listen.port);
    } else if (name == "--unix") {
      listen.path = value;
    } else if (name == "--nghttp2") {
      library = value;
    } else if (name == "--max-message") {
      number(options.max_receive_bytes);
      options.max_send_bytes = options.max_receive_bytes;
    }
  }

  // Blocked before any thread starts, so that sigwait gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const auto api = Nghttp2::FromLibrary(library.c_str());
  if (!api.ok()) {
    std::fprintf(stderr, "%s\n", api.status().text.c_str());
    return 1;
  }
  test::Echo echo(api.value(), options);
  const Server::Bound bound = echo.server().Listen(listen);
  if (!bound.endpoint) {
    std::fprintf(stderr, "%s\n", bound.error.text.c_str());
    return 1;
  }
  std::printf("nghttp2 %s, port %d\n", api.value().version_text.c_str(), bound.endpoint->port);
  std::fflush(stdout);

  int received = 0;
  sigwait(&signals, &received);
  echo.server().Drain();
  for (int i = 0; i < 100 && echo.server().stats().connections > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  echo.Stop();
  const Stats& stats = echo.server().stats();
  std::printf("calls %lld, copied in %lld, out %lld, held %lld, tokens %lld\n", (long long)stats.calls_started,
              (long long)stats.bytes_copied_in, (long long)stats.bytes_copied_out, (long long)stats.bytes_held,
              (long long)stats.tokens);
  return echo.lent() == 0 && echo.strange_releases() == 0 ? 0 : 1;
}
