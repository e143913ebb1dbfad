// SPDX-License-Identifier: Apache-2.0
// The server's thread: epoll, timers, and all that lives on it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "call.h"
#include "commands.h"
#include "connection.h"
#include "io_services.h"
#include "listener.h"
#include "server.h"
#include "session_callbacks.h"
#include "unique_function.h"

namespace aiges::wire {

class IoThread final : public IoServices {
 public:
  IoThread(const Nghttp2& api, Options options, EventSink& sink);
  ~IoThread() override;

  // On any thread.
  MethodId AddMethod(std::string path, MethodKind kind);
  void Listen(ListeningSocket socket);
  void Submit(Commands commands);
  Events Take();
  void Drain();
  void Stop();

  // On its own thread, for connections and listeners.
  const Nghttp2& api() const override { return api_; }
  const nghttp2_session_callbacks* callbacks() const override { return setup_.callbacks(); }
  const nghttp2_option* session_options() const override { return setup_.options(); }
  const Options& options() const override { return options_; }
  const std::shared_ptr<MemoryLedger>& ledger() const override { return ledger_; }
  EventQueue& events() override { return events_; }
  Timers& timers() override { return timers_; }
  Clock::time_point now() const override { return now_; }
  std::span<std::byte> read_buffer() override { return read_buffer_; }
  void Watch(int fd, std::uint32_t events, Pollable* target) override;
  const Method* FindMethod(std::string_view path, std::string& refusal) const override;
  CallId Register(Call& call) override;
  void Unregister(CallId call) override { calls_.erase(call); }
  void MarkDirty(Connection& connection) override;
  bool HasMemoryFor(Connection& connection) const override;
  void AwaitMemory(Connection& connection) override;
  void AwaitLease(Connection& connection, const std::shared_ptr<SendingMessage>& message) override;
  void Adopt(UniqueFd socket) override;
  void Closed(Connection& connection) override;

 private:
  using Task = UniqueFunction<void()>;
  // A name can be looked up without making a string of it.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  bool Post(Task task);
  void Run() noexcept;
  void Round();
  void RunCommands();
  void Execute(Commands::Command& command);
  void FlushAll();
  void CheckMemory();
  void ResumeAll();
  void ChooseFavoured();
  void OnMemoryStall();
  void OnLeaseTime();
  void OnKeptTime();
  void BeginDrain();
  void CloseAll();
  void ReleaseAfterStop(Commands commands);

  const Nghttp2 api_;
  const Options options_;
  const std::shared_ptr<MemoryLedger> ledger_;
  const SessionSetup setup_;
  const UniqueFd epoll_;
  EventQueue events_;
  std::vector<std::byte> read_buffer_;

  std::unordered_map<std::string, Method, Hash, std::equal_to<>> methods_;
  std::unordered_set<std::string, Hash, std::equal_to<>> services_;

  // Its own thread only.
  Timers timers_;
  Timer memory_stall_;
  Timer lease_timer_;
  Timer kept_timer_;
  bool watching_kept_ = false;
  Clock::time_point now_ = Clock::now();
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> graveyard_;  // closed in this round
  std::vector<Connection*> dirty_;
  std::vector<Connection*> waiting_for_memory_;
  Connection* favoured_ = nullptr;  // the one that may read without memory
  std::unordered_map<CallId, Call*> calls_;
  CallId last_call_ = 0;
  // Replies with leased memory. All leases last the same time: the first one ends first. A message that lives has its
  // connection.
  struct Leased {
    Clock::time_point until;
    std::weak_ptr<SendingMessage> message;
    Connection* connection;
  };
  std::deque<Leased> leased_;
  std::uint64_t last_connection_ = 0;
  bool draining_ = false;
  bool drained_ = false;
  bool running_ = true;

  std::mutex mutex_;
  std::vector<Commands> commands_;
  std::vector<Task> tasks_;
  bool signalled_ = false;
  bool stopped_ = false;

  std::mutex stop_mutex_;
  std::thread thread_;
};

}  // namespace aiges::wire
