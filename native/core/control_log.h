// SPDX-License-Identifier: Apache-2.0
// Meter and trace records that engines hand over through the functions of wrapperSetCtrl.
//
// An engine calls these from any of its threads and must not be held up: a record is copied into a bounded queue, or
// dropped and counted when the queue is full. Who reads the queue is woken once per batch.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "aiges/wrapper.h"
#include "unique_function.h"

namespace aiges {

struct ControlRecord {
  enum class Kind { kMeter, kTrace };
  Kind kind = Kind::kTrace;
  std::string tag;
  std::string key;
  std::string value;  // kTrace
  int count = 0;      // kMeter
};

class ControlLog {
 public:
  // `wake` is called, on the engine's thread and without a lock, when the first record after a Drain arrives.
  ControlLog(std::size_t capacity, UniqueFunction<void()> wake) : capacity_(capacity), wake_(std::move(wake)) {}

  // False when there was no room.
  bool Push(ControlRecord record);
  std::vector<ControlRecord> Drain();

 private:
  const std::size_t capacity_;
  UniqueFunction<void()> wake_;
  std::mutex mutex_;
  std::vector<ControlRecord> records_;
};

// While it lives, records with this tag go to this log. The functions that engines call carry no context besides the
// tag, so the way from tag to log is one table per process.
class ControlRoute {
 public:
  ControlRoute() = default;  // leads nowhere
  ControlRoute(const std::string& tag, std::shared_ptr<ControlLog> log);
  ControlRoute(ControlRoute&& other) noexcept { *this = std::move(other); }
  ControlRoute& operator=(ControlRoute&& other) noexcept;
  ~ControlRoute() { Leave(); }

 private:
  void Leave();
  std::string tag_;
  std::shared_ptr<ControlLog> log_;
};

// What wrapperSetCtrl hands over.
wrapperMeterCustom MeterFunction();
wrapperTraceLog TraceFunction();

}  // namespace aiges
