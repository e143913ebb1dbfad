// SPDX-License-Identifier: Apache-2.0
#include "loan_wrap.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "counters.h"
#include "js_thread.h"
#include "received_buffers.h"

namespace aiges {
namespace {

// Memory that stays as it is while `owner` lives.
struct Loan {
  std::byte* data = nullptr;
  std::size_t size = 0;
  std::shared_ptr<void> owner;
  Gauge gauge{counters().loans};
};

// What has been lent and not been borrowed yet. One per process: lender and borrower are different environments.
class LoanTable {
 public:
  static LoanTable& Process() {
    static LoanTable table;
    return table;
  }

  std::uint64_t Add(Loan loan) {
    const std::lock_guard lock(mutex_);
    loans_.emplace(++last_id_, std::move(loan));
    return last_id_;
  }

  std::optional<Loan> Take(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = loans_.find(id);
    if (found == loans_.end()) return std::nullopt;
    std::optional<Loan> loan(std::move(found->second));
    loans_.erase(found);
    return loan;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Loan> loans_;
  std::uint64_t last_id_ = 0;
};

std::optional<Loan> TakeLoan(const Napi::Value& id) {
  if (!id.IsNumber()) throw Napi::TypeError::New(id.Env(), "expected a number for id");
  return LoanTable::Process().Take(static_cast<std::uint64_t>(id.As<Napi::Number>().Int64Value()));
}

// lend(data)
Napi::Value Lend(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(env, "expected a Uint8Array for data");
  }
  auto view = info[0].As<Napi::Uint8Array>();
  Loan loan;
  loan.data = reinterpret_cast<std::byte*>(view.Data());
  loan.size = view.ByteLength();
  // A received message is let go of when its call has ended, whoever still holds the buffer.
  if (wire::BlockRef block = ReceivedBuffers::BlockOf(view.ArrayBuffer())) {
    loan.owner = std::make_shared<wire::BlockRef>(std::move(block));
  } else {
    loan.owner = JsThread::Of(env)->Pin(view);
  }
  return Napi::Number::New(env, static_cast<double>(LoanTable::Process().Add(std::move(loan))));
}

// borrow(id)
Napi::Value Borrow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::optional<Loan> loan = TakeLoan(info[0]);
  if (!loan.has_value()) throw Napi::TypeError::New(env, "expected the id of a loan that nobody has borrowed");
  void* const data = loan->data;
  const std::size_t size = loan->size;
  // NULL with a length ends the process; an ordinary buffer does for nothing.
  if (size == 0) return Napi::ArrayBuffer::New(env, 0);
  auto held = std::make_unique<Loan>(*std::move(loan));
  const auto buffer = Napi::ArrayBuffer::New(
      env, data, size, [](Napi::Env, void*, Loan* loan) { delete loan; }, held.get());
  held.release();  // NOLINT(bugprone-unused-return-value): the buffer's finalizer owns it now
  return buffer;
}

// reclaim(id)
Napi::Value Reclaim(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), TakeLoan(info[0]).has_value());
}

}  // namespace

void ExportLoans(Napi::Env env, Napi::Object exports) {
  exports.Set("lend", Napi::Function::New<Lend>(env, "lend"));
  exports.Set("borrow", Napi::Function::New<Borrow>(env, "borrow"));
  exports.Set("reclaim", Napi::Function::New<Reclaim>(env, "reclaim"));
}

}  // namespace aiges
