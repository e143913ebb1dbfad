// SPDX-License-Identifier: Apache-2.0
#include "echo.h"

#include <utility>

namespace aiges::wire::test {

Echo::Echo(const Nghttp2& api, Options options) : server_(api, std::move(options), *this) {
  server_.AddMethod(kUnaryPath, MethodKind::kUnary);
  server_.AddMethod(kStreamPath, MethodKind::kStream);
  thread_ = std::thread([this] { Run(); });
}

Echo::~Echo() { Stop(); }

void Echo::Stop() {
  if (!thread_.joinable()) return;
  server_.Stop();
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
  // Answers to what is in here are released at once: until nothing comes any more.
  for (Events events = server_.Take(); !events.empty(); events = server_.Take()) Handle(std::move(events));
}

std::size_t Echo::lent() const {
  std::lock_guard lock(lent_mutex_);
  return lent_.size();
}

void Echo::Wake() noexcept {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Echo::Run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait(lock, [this] { return woken_ || stop_; });
    woken_ = false;
    lock.unlock();
    Handle(server_.Take());
    lock.lock();
  }
}

void Echo::Handle(Events events) {
  Commands commands;
  {
    std::lock_guard lock(lent_mutex_);
    for (Event& event : events) {
      const bool unary = event.kind == Event::Kind::kStart && event.start->method == 0;
      if (event.message.block) {
        const Token token = ++last_token_;
        OutgoingMessage message;
        message.token = token;
        message.chunks.push_back({event.message.data(), event.message.size});
        lent_[token] = {std::move(event.message), unary ? 0 : event.call};
        if (unary) {
          commands.Reply(event.call, std::move(message), {});
        } else {
          commands.SendMessage(event.call, std::move(message));
        }
      }
      if (event.end_of_input && !unary) commands.Finish(event.call, {}, {});
      if (event.kind == Event::Kind::kReleased) {
        const auto lent = lent_.find(event.token);
        if (lent == lent_.end()) {
          ++strange_;
          continue;
        }
        if (lent->second.call != 0) commands.Consumed(lent->second.call, lent->second.message.size);
        lent_.erase(lent);
      }
    }
  }
  server_.Submit(std::move(commands));
}

}  // namespace aiges::wire::test
