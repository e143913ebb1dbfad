// SPDX-License-Identifier: Apache-2.0
// Frames at random, half of them sensible, against a server that must serve everybody else.
#include <gtest/gtest.h>

#include <random>

#include "harness.h"

namespace aiges::wire::test {
namespace {

class Fuzz : public testing::TestWithParam<unsigned> {};

TEST_P(Fuzz, LeavesTheServerAlive) {
  std::mt19937 random(GetParam());
  const auto below = [&](unsigned n) { return random() % n; };
  const auto bytes = [&](std::size_t n) {
    std::string text(n, '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  };
  Options options;
  options.max_receive_bytes = 1 << 20;
  options.total_memory = 8 << 20;
  options.memory_stall = std::chrono::milliseconds(50);
  EchoServer server(options);
  const auto end = Clock::now() + std::chrono::milliseconds(700);
  while (Clock::now() < end) {
    Client client(server.port());
    if (below(20) == 0) {
      client.Send(bytes(below(200)));
    } else {
      client.Hello();
      for (unsigned step = below(60); step > 0 && !client.closed(); --step) {
        const std::uint32_t stream = 1 + 2 * below(6);
        switch (below(14)) {
          case 0:
            client.SendFrame(static_cast<int>(below(12)), static_cast<int>(below(256)), below(12), bytes(below(50)));
            break;
          case 1: client.SendReset(stream, below(16)); break;
          case 2: client.SendWindow(stream, below(1 << 20)); break;
          case 3: client.SendData(stream, bytes(below(3000)), below(4) == 0); break;
          case 4: client.SendData(stream, Prefixed(bytes(below(3000))), below(2) == 0, 1 + below(700)); break;
          case 5:
            client.SendFrame(4, 0, 0, SettingsPayload({{static_cast<std::uint16_t>(below(8)), below(100'000)}}));
            break;
          case 6: client.ReadFor(std::chrono::milliseconds(0)); break;
          case 7:
            client.SendHeaders(stream,
                               Client::Request(kStreamPath, {{"grpc-timeout", std::to_string(below(20)) + "m"}}),
                               below(8) == 0);
            break;
          case 8: {
            // A sensible frame with one byte changed.
            std::string frame = FrameBytes(1, 5, client.NextStream(), client.Encode(Client::Request(kUnaryPath)));
            frame[below(static_cast<unsigned>(frame.size()))] = static_cast<char>(random());
            client.Send(frame);
            break;
          }
          case 9: client.SendFrame(0, 8, stream, bytes(1 + below(100))); break;
          default:
            client.Call(below(2) == 0 ? kUnaryPath : kStreamPath, bytes(below(2) == 0 ? below(100) : below(40'000)));
        }
      }
    }
    if (below(3) == 0) {
      client.Abort();
    } else {
      client.ReadFor(std::chrono::milliseconds(below(3)));
    }
  }
  EXPECT_TRUE(server.Alive());
  EXPECT_TRUE(Eventually([&] { return server.stats().calls == 0; }));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Fuzz, testing::Range(1u, 5u));

}  // namespace
}  // namespace aiges::wire::test
