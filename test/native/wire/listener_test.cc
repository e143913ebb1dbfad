// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

namespace aiges::wire::test {
namespace {

std::string TempPath(const char* name) { return testing::TempDir() + "aiges-wire-" + std::to_string(getpid()) + name; }

TEST(Listener, SaysWhyItCannot) {
  TestServer server;
  const auto refusal = [&](ListenOptions options) {
    const Server::Bound bound = server.server.Listen(options);
    EXPECT_FALSE(bound.endpoint);
    return bound.error;
  };
  const SystemError used = refusal({.host = "127.0.0.1", .port = server.port()});
  EXPECT_EQ(used.name, "EADDRINUSE");
  EXPECT_EQ(used.number, EADDRINUSE);
  EXPECT_EQ(used.text, "listen EADDRINUSE: address already in use 127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(refusal({.host = "192.0.2.1"}).name, "EADDRNOTAVAIL");
  EXPECT_EQ(refusal({.host = "localhost"}).name, "EINVAL") << "names are not resolved";
  EXPECT_EQ(refusal({.path = "/nowhere/at/all"}).name, "ENOENT");
  EXPECT_EQ(refusal({.path = std::string(200, 'x')}).name, "ENAMETOOLONG");
}

TEST(Listener, ServesSeveralAddresses) {
  EchoServer server;
  const auto again = server.echo.server().Listen({.host = "127.0.0.1"});
  ASSERT_TRUE(again.endpoint);
  EXPECT_NE(again.endpoint->port, server.port());
  Client client(again.endpoint->port);
  client.Hello();
  EXPECT_EQ(client.Await(client.Call(kUnaryPath, "x")).data, Prefixed("x"));
  EXPECT_TRUE(server.Alive());
}

TEST(Listener, TakesIPv6AndMapsIPv4) {
  TestServer server;
  const auto bound = server.server.Listen({.host = "::"});
  if (!bound.endpoint) GTEST_SKIP() << bound.error.text;
  EXPECT_EQ(bound.endpoint->host, "::");
  Client client(bound.endpoint->port);
  client.Hello();
  client.Call(kTestUnary, "x");
  const Event event = server.Next();
  EXPECT_EQ(event.start->connection->peer.host, "127.0.0.1");
  EXPECT_EQ(event.start->connection->local.host, "127.0.0.1");
}

TEST(Listener, TakesUnixSocketsAndCleansUp) {
  const std::string path = TempPath("-socket");
  {
    TestServer server;
    const auto bound = server.server.Listen({.path = path});
    ASSERT_TRUE(bound.endpoint) << bound.error.text;
    EXPECT_EQ(bound.endpoint->path, path);
    EXPECT_EQ(server.server.Listen({.path = path}).error.name, "EADDRINUSE");
    Client client(path);
    client.Hello();
    client.Call(kTestUnary, "x");
    const Event event = server.Next();
    EXPECT_EQ(event.start->connection->peer.host, "");
    EXPECT_EQ(event.start->connection->local.path, path);
  }
  struct stat file {};
  EXPECT_NE(stat(path.c_str(), &file), 0) << "the file is gone";
}

TEST(Listener, ReplacesTheSocketOfADeadProcess) {
  const std::string path = TempPath("-stale");
  {
    TestServer server;
    ASSERT_TRUE(server.server.Listen({.path = path}).endpoint);
    ASSERT_EQ(link(path.c_str(), (path + "2").c_str()), 0);
  }
  TestServer server;
  EXPECT_TRUE(server.server.Listen({.path = path + "2"}).endpoint);
}

TEST(Listener, SharesAPortWhenAllMayShareIt) {
  TestServer first, second;
  const auto bound = first.server.Listen({.host = "127.0.0.1", .reuse_port = true});
  ASSERT_TRUE(bound.endpoint);
  EXPECT_TRUE(second.server.Listen({.host = "127.0.0.1", .port = bound.endpoint->port, .reuse_port = true}).endpoint);
}

TEST(Listener, RefusesConnectionsBeyondTheLimit) {
  Options options;
  options.max_connections = 2;
  EchoServer server(options);
  Client first(server.port()), second(server.port());
  first.Hello();
  second.Hello();
  ASSERT_TRUE(first.RoundTrip() && second.RoundTrip());
  Client third(server.port());
  EXPECT_TRUE(third.AwaitClose());
  EXPECT_EQ(server.stats().connections_refused, 1);
  first.Abort();
  EXPECT_TRUE(Eventually([&] { return server.stats().connections == 1; }));
  EXPECT_TRUE(server.Alive());
}

// Without a file descriptor left, it waits instead of spinning, and goes on when there is one.
TEST(Listener, SurvivesWithoutFileDescriptors) {
  EchoServer server;
  // Before there is a connection whose descriptor may be closed a moment after it is counted no more.
  const int probe = dup(0);
  ASSERT_GE(probe, 0);
  close(probe);
  ASSERT_TRUE(server.Alive());
  ASSERT_TRUE(Eventually([&] { return server.stats().connections == 0; }));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  // Room for the client's end of the connection, none for ours.
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(probe) + 1;
  setrlimit(RLIMIT_NOFILE, &tight);
  std::optional<Client> client;
  EXPECT_NO_THROW(client.emplace(server.port()));
  if (client) client->Hello();
  rusage begin{}, end{};
  getrusage(RUSAGE_SELF, &begin);
  if (client) client->ReadFor(std::chrono::milliseconds(250));
  getrusage(RUSAGE_SELF, &end);
  EXPECT_EQ(server.stats().connections, 0);
  setrlimit(RLIMIT_NOFILE, &before);
  const auto used = [](const rusage& usage) {
    return usage.ru_utime.tv_sec * 1000 + usage.ru_utime.tv_usec / 1000 + usage.ru_stime.tv_sec * 1000 +
           usage.ru_stime.tv_usec / 1000;
  };
  EXPECT_LT(used(end) - used(begin), 150) << "milliseconds of processor time in 250";
  ASSERT_TRUE(client);
  EXPECT_EQ(client->Await(client->Call(kUnaryPath, "patience")).data, Prefixed("patience"));
}

TEST(Server, SleepsWhenThereIsNothingToDo) {
  EchoServer server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->Hello();
    ASSERT_TRUE(clients.back()->RoundTrip());
  }
  timespec begin{}, end{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
  usleep(200'000);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  EXPECT_LT((end.tv_sec - begin.tv_sec) * 1'000'000'000 + end.tv_nsec - begin.tv_nsec, 20'000'000);
}

}  // namespace
}  // namespace aiges::wire::test
