// SPDX-License-Identifier: Apache-2.0
#include "control_log.h"

#include <unordered_map>
#include <utility>

#include "counters.h"

namespace aiges {
namespace {

// What the original's functions are documented to return.
constexpr int kInvalidMeter = 20001;
constexpr int kInvalidHandle = 20002;
constexpr int kDropped = -1;

struct Routes {
  std::mutex mutex;
  // A multimap: nothing stops two blocking calls from having the same tag. Their records go to either log.
  std::unordered_multimap<std::string, std::shared_ptr<ControlLog>> logs;
};

Routes& routes() {
  // Never destroyed: engine threads may still record while the process runs its exit handlers.
  static Routes& instance = *new Routes;
  return instance;
}

int Record(ControlRecord record) {
  std::shared_ptr<ControlLog> log;
  {
    Routes& table = routes();
    std::lock_guard lock(table.mutex);
    const auto found = table.logs.find(record.tag);
    if (found != table.logs.end()) log = found->second;
  }
  if (log == nullptr) {
    ++counters().control_dropped;
    return kInvalidHandle;
  }
  return log->Push(std::move(record)) ? 0 : kDropped;
}

extern "C" {

int AigesMeter(const void* tag, const char* key, int count) {
  if (tag == nullptr) return kInvalidHandle;
  if (key == nullptr) return kInvalidMeter;
  try {
    return Record({ControlRecord::Kind::kMeter, static_cast<const char*>(tag), key, {}, count});
  } catch (...) {
    return kDropped;
  }
}

int AigesTrace(const void* tag, const char* key, const char* value) {
  if (tag == nullptr) return kInvalidHandle;
  try {
    return Record({ControlRecord::Kind::kTrace, static_cast<const char*>(tag), key != nullptr ? key : "",
                   value != nullptr ? value : "", 0});
  } catch (...) {
    return kDropped;
  }
}

}  // extern "C"

}  // namespace

bool ControlLog::Push(ControlRecord record) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    if (records_.size() == capacity_) {
      ++counters().control_dropped;
      return false;
    }
    first = records_.empty();
    records_.push_back(std::move(record));
  }
  if (first && wake_) wake_();
  return true;
}

std::vector<ControlRecord> ControlLog::Drain() {
  std::lock_guard lock(mutex_);
  return std::exchange(records_, {});
}

ControlRoute::ControlRoute(const std::string& tag, std::shared_ptr<ControlLog> log) {
  if (log == nullptr) return;
  Routes& table = routes();
  std::lock_guard lock(table.mutex);
  table.logs.emplace(tag, log);
  tag_ = tag;
  log_ = std::move(log);
}

ControlRoute& ControlRoute::operator=(ControlRoute&& other) noexcept {
  if (this != &other) {
    Leave();
    tag_ = std::move(other.tag_);
    log_ = std::move(other.log_);
  }
  return *this;
}

void ControlRoute::Leave() {
  if (log_ == nullptr) return;
  {
    Routes& table = routes();
    std::lock_guard lock(table.mutex);
    const auto [begin, end] = table.logs.equal_range(tag_);
    for (auto it = begin; it != end; ++it) {
      if (it->second != log_) continue;
      table.logs.erase(it);
      break;
    }
  }
  log_.reset();
}

wrapperMeterCustom MeterFunction() { return &AigesMeter; }
wrapperTraceLog TraceFunction() { return &AigesTrace; }

}  // namespace aiges
