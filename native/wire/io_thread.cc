// SPDX-License-Identifier: Apache-2.0
#include "io_thread.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace aiges::wire {
namespace {

constexpr std::size_t kReadBuffer = std::size_t{256} << 10;
constexpr int kEventsPerRound = 128;
// Of leased memory that is copied before others get their turn: some milliseconds of work.
constexpr std::size_t kTakenOverPerRound = std::size_t{16} << 20;

int CreateEpoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

}  // namespace

IoThread::IoThread(const Nghttp2& api, Options options, EventSink& sink)
    : api_(api),
      options_(std::move(options)),
      ledger_(std::make_shared<MemoryLedger>(options_.total_memory)),
      setup_(api_),
      epoll_(CreateEpoll()),
      events_(ledger_, sink),
      read_buffer_(kReadBuffer),
      memory_stall_(timers_, [this] { OnMemoryStall(); }),
      lease_timer_(timers_, [this] { OnLeaseTime(); }),
      kept_timer_(timers_, [this] { OnKeptTime(); }) {
  Watch(ledger_->wake_fd(), EPOLLIN, nullptr);
  thread_ = std::thread([this] { Run(); });
}

IoThread::~IoThread() { Stop(); }

// ---- On any thread ----------------------------------------------------------------------------------------------

MethodId IoThread::AddMethod(std::string path, MethodKind kind) {
  const auto id = static_cast<MethodId>(methods_.size());
  if (const std::size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    services_.insert(path.substr(1, slash - 1));
  }
  methods_.emplace(std::move(path), Method{id, kind == MethodKind::kUnary});
  return id;
}

bool IoThread::Post(Task task) {
  std::lock_guard lock(mutex_);
  if (stopped_) return false;
  tasks_.push_back(std::move(task));
  if (!std::exchange(signalled_, true)) ledger_->Wake();
  return true;
}

void IoThread::Listen(ListeningSocket socket) {
  auto shared = std::make_shared<ListeningSocket>(std::move(socket));
  Post([this, shared] {
    if (!draining_) listeners_.push_back(std::make_unique<Listener>(*this, std::move(*shared)));
  });
}

void IoThread::Submit(Commands commands) {
  if (commands.empty()) return;
  for (const auto& command : commands.commands_) {
    if (command.message.token != 0) ++ledger_->stats().tokens;
  }
  {
    std::lock_guard lock(mutex_);
    if (!stopped_) {
      commands_.push_back(std::move(commands));
      if (!std::exchange(signalled_, true)) ledger_->Wake();
      return;
    }
  }
  ReleaseAfterStop(std::move(commands));
}

Events IoThread::Take() {
  Events events = events_.Take();
  const auto released = std::count_if(events.begin(), events.end(),
                                      [](const Event& event) { return event.kind == Event::Kind::kReleased; });
  ledger_->stats().tokens -= released;
  return events;
}

void IoThread::Drain() {
  Post([this] { BeginDrain(); });
}

void IoThread::Stop() {
  std::lock_guard stopping(stop_mutex_);
  if (!thread_.joinable()) return;
  Post([this] { running_ = false; });
  thread_.join();
  std::vector<Commands> left;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    tasks_.clear();
    left.swap(commands_);
  }
  for (Commands& commands : left) ReleaseAfterStop(std::move(commands));
}

// The thread has ended: its side of the queue belongs to whoever calls, one at a time.
void IoThread::ReleaseAfterStop(Commands commands) {
  std::lock_guard lock(mutex_);
  for (const auto& command : commands.commands_) ReleaseToken(command.message, command.call, events_);
  events_.Publish(false);
}

// ---- On its own thread ------------------------------------------------------------------------------------------

void IoThread::Run() noexcept {
  pthread_setname_np(pthread_self(), options_.thread_name.substr(0, 15).c_str());
  while (running_) Round();
  CloseAll();
}

void IoThread::Round() {
  int timeout = -1;
  if (!dirty_.empty()) {
    timeout = 0;
  } else if (const Clock::time_point next = timers_.Next(); next != Clock::time_point::max()) {
    // Rounded up: waking up a little too early would mean to ask again and again.
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(wait, 0, 3'600'000));
  }
  std::array<epoll_event, kEventsPerRound> ready;
  const int count = epoll_wait(epoll_.get(), ready.data(), kEventsPerRound, timeout);
  now_ = Clock::now();
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    auto* target = static_cast<Pollable*>(ready[static_cast<std::size_t>(i)].data.ptr);
    if (target == nullptr) {
      woken = true;
    } else {
      target->OnReady(ready[static_cast<std::size_t>(i)].events);
    }
  }
  if (woken) RunCommands();
  timers_.Run(now_);
  if (!watching_kept_ && HasKept()) OnKeptTime();
  FlushAll();
  if (draining_ && !drained_ && connections_.empty()) {
    drained_ = true;
    graveyard_.clear();  // before the last word
    events_.Add(Event::Kind::kDrained, 0);
  }
  // What closed connections held is released with this batch.
  graveyard_.clear();
  events_.Publish(true);
  CheckMemory();
}

// Engines' threads see to it as well, but not every server has an engine.
void IoThread::OnKeptTime() {
  constexpr std::chrono::milliseconds kUnused{2'000};
  watching_kept_ = !TrimKept(kUnused);
  if (watching_kept_) kept_timer_.Set(now_ + kUnused);
}

void IoThread::RunCommands() {
  eventfd_t ignored = 0;
  eventfd_read(ledger_->wake_fd(), &ignored);
  std::vector<Commands> commands;
  std::vector<Task> tasks;
  {
    std::lock_guard lock(mutex_);
    commands.swap(commands_);
    tasks.swap(tasks_);
    signalled_ = false;
  }
  for (Commands& batch : commands) {
    for (Commands::Command& command : batch.commands_) Execute(command);
  }
  for (Task& task : tasks) task();
}

void IoThread::Execute(Commands::Command& command) {
  using Kind = Commands::Kind;
  const auto found = calls_.find(command.call);
  if (found == calls_.end()) return ReleaseToken(command.message, command.call, events_);
  Call& call = *found->second;
  Connection& connection = call.connection;
  switch (command.kind) {
    case Kind::kMetadata: connection.SendMetadata(call, std::move(command.metadata)); break;
    case Kind::kMessage: connection.SendMessage(call, std::move(command.message)); break;
    case Kind::kFinish: connection.Finish(call, std::move(command.status), std::move(command.metadata)); break;
    case Kind::kReply: connection.Reply(call, std::move(command.message), std::move(command.metadata)); break;
    case Kind::kConsumed: connection.Consumed(call, command.bytes); break;
  }
}

void IoThread::Watch(int fd, std::uint32_t events, Pollable* target) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = target;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
}

const Method* IoThread::FindMethod(std::string_view path, std::string& refusal) const {
  if (const auto found = methods_.find(path); found != methods_.end()) return &found->second;
  const std::string_view name = path.substr(path.empty() || path.front() != '/' ? 0 : 1);
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) {
    refusal = "malformed method name: \"" + std::string(path) + "\"";
    return nullptr;
  }
  const std::string service(name.substr(0, slash));
  if (services_.find(service) == services_.end()) {
    refusal = "unknown service " + service;
  } else {
    refusal = "unknown method " + std::string(name.substr(slash + 1)) + " for service " + service;
  }
  return nullptr;
}

CallId IoThread::Register(Call& call) {
  calls_[++last_call_] = &call;
  return last_call_;
}

void IoThread::MarkDirty(Connection& connection) {
  if (!std::exchange(connection.dirty, true)) dirty_.push_back(&connection);
}

void IoThread::FlushAll() {
  // Flushing may make a connection dirty again: that is for the next round.
  std::vector<Connection*> dirty;
  dirty.swap(dirty_);
  for (Connection* connection : dirty) {
    connection->dirty = false;
    connection->Flush();
  }
}

void IoThread::Adopt(UniqueFd socket) {
  if (connections_.size() >= options_.max_connections) {
    ++stats().connections_refused;
    return;
  }
  ++stats().connections_accepted;
  auto info = std::make_shared<ConnectionInfo>();
  info->id = ++last_connection_;
  info->peer = PeerEndpoint(socket.get());
  info->local = LocalEndpoint(socket.get());
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which need it not
  auto connection = std::make_unique<Connection>(*this, std::move(socket), std::move(info));
  Connection* key = connection.get();
  if (key->Start()) connections_.emplace(key, std::move(connection));
}

void IoThread::Closed(Connection& connection) {
  std::erase(dirty_, &connection);
  std::erase(waiting_for_memory_, &connection);
  if (favoured_ == &connection) favoured_ = nullptr;
  const auto found = connections_.find(&connection);
  graveyard_.push_back(std::move(found->second));
  connections_.erase(found);
}

// ---- Memory -----------------------------------------------------------------------------------------------------

bool IoThread::HasMemoryFor(Connection& connection) const { return !ledger_->Full() || &connection == favoured_; }

void IoThread::AwaitMemory(Connection& connection) {
  if (!std::exchange(connection.waits_for_memory, true)) waiting_for_memory_.push_back(&connection);
}

// The last of a round: everything that frees memory on this thread has happened, and whatever else does wakes it up.
void IoThread::CheckMemory() {
  if (waiting_for_memory_.empty() && favoured_ == nullptr) return;
  if (ledger_->HasRoom() || !ledger_->AwaitRoom()) return ResumeAll();
  // Those that have come to hold nothing need not wait any longer.
  std::erase_if(waiting_for_memory_, [](Connection* connection) {
    if (!connection->innocent()) return false;
    connection->Resume();
    if (connection->has_parked_calls()) return false;
    connection->waits_for_memory = false;
    return true;
  });
  if (favoured_ != nullptr && favoured_->incomplete() + favoured_->unread() > 0) return;
  favoured_ = nullptr;
  memory_stall_.Cancel();
  ChooseFavoured();
}

void IoThread::ResumeAll() {
  favoured_ = nullptr;
  memory_stall_.Cancel();
  for (Connection* connection : std::exchange(waiting_for_memory_, {})) {
    connection->waits_for_memory = false;
    connection->Resume();
    MarkDirty(*connection);
  }
}

// If nothing will change unless some client is heard, one is: the one with most in incomplete messages, or, if there is
// none like that, the one that has waited longest with unread answers.
void IoThread::ChooseFavoured() {
  std::size_t busy = 0;
  for (const auto& [connection, owner] : connections_) busy += connection->busy();
  if (!ledger_->Stuck(busy)) return;
  auto chosen = std::max_element(waiting_for_memory_.begin(), waiting_for_memory_.end(),
                                 [](auto* a, auto* b) { return a->incomplete() < b->incomplete(); });
  if (chosen == waiting_for_memory_.end()) return;
  if ((*chosen)->incomplete() == 0) {
    chosen = std::find_if(waiting_for_memory_.begin(), waiting_for_memory_.end(),
                          [](auto* connection) { return connection->unread() > 0; });
    if (chosen == waiting_for_memory_.end()) return;
  }
  favoured_ = *chosen;
  waiting_for_memory_.erase(chosen);
  favoured_->waits_for_memory = false;
  favoured_->Resume();
  memory_stall_.Set(now_ + options_.memory_stall);
}

void IoThread::OnMemoryStall() {
  if (favoured_ == nullptr) return;
  if (favoured_->incomplete() > 0) {
    favoured_->Terminate(ng::kEnhanceYourCalm, "out of memory", CancelReason::kDisconnected);
  }
  // A slow reader has had its turn.
  favoured_ = nullptr;
}

// ---- Leases -----------------------------------------------------------------------------------------------------

void IoThread::AwaitLease(Connection& connection, const std::shared_ptr<SendingMessage>& message) {
  // Most replies are gone long before their time: the queue is empty then, and no timer runs for each of them.
  while (!leased_.empty() && leased_.front().message.expired()) leased_.pop_front();
  leased_.push_back({now_ + options_.lease_time, message, &connection});
  if (leased_.size() == 1) lease_timer_.Set(leased_.front().until);
}

void IoThread::OnLeaseTime() {
  std::size_t taken_over = 0;
  while (!leased_.empty()) {
    const Leased next = leased_.front();
    const std::shared_ptr<SendingMessage> message = next.message.lock();
    if (message != nullptr) {
      if (next.until > now_ || taken_over >= kTakenOverPerRound) return lease_timer_.Set(std::max(next.until, now_));
      taken_over += message->size();
      // Without memory for the copy the lease goes on for as long again.
      if (!next.connection->TakeOver(*message)) {
        leased_.push_back({now_ + options_.lease_time, message, next.connection});
      }
    }
    leased_.pop_front();
  }
}

// ---- The end ----------------------------------------------------------------------------------------------------

void IoThread::BeginDrain() {
  draining_ = true;
  listeners_.clear();
  std::vector<Connection*> all;
  for (const auto& [connection, owner] : connections_) all.push_back(connection);
  for (Connection* connection : all) connection->Drain();
}

void IoThread::CloseAll() {
  RunCommands();
  listeners_.clear();
  std::vector<Connection*> all;
  for (const auto& [connection, owner] : connections_) all.push_back(connection);
  for (Connection* connection : all) connection->Close(CancelReason::kShutdown);
  dirty_.clear();
  waiting_for_memory_.clear();
  graveyard_.clear();
  events_.Publish(true);
}

}  // namespace aiges::wire
