// SPDX-License-Identifier: Apache-2.0
#include "loan_wrap.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "counters.h"
#include "js_thread.h"
#include "shared_memory.h"

namespace aiges {
namespace {

// Memory that stays as it is while `owner` lives.
struct Loan {
  std::byte* data = nullptr;
  std::size_t size = 0;
  std::shared_ptr<void> owner;
  std::uint32_t lender = 0;  // number of the thread
  Gauge gauge{counters().loans};
};

// Bytes that this thread has borrowed. Shared, because the last owner of a loan may be an engine's thread.
using Account = std::shared_ptr<std::atomic<std::size_t>>;

Account& AccountOfThread() {
  thread_local Account account = std::make_shared<std::atomic<std::size_t>>(0);
  return account;
}

struct BorrowedLoan {
  explicit BorrowedLoan(Loan l) : loan(std::move(l)) { *account += loan.size; }
  ~BorrowedLoan() { *account -= loan.size; }
  BorrowedLoan(const BorrowedLoan&) = delete;
  BorrowedLoan& operator=(const BorrowedLoan&) = delete;

  const Loan loan;
  const Account account = AccountOfThread();
};

// What has been lent and not been borrowed yet. One per process: lender and borrower are different environments.
class LoanTable {
 public:
  static LoanTable& Process() {
    // Never destroyed: threads of engines and workers may still return loans while the process runs its exit handlers.
    static LoanTable& table = *new LoanTable;
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

  void DropAllOf(std::uint32_t lender) {
    std::vector<Loan> dropped;  // goes after the lock
    const std::lock_guard lock(mutex_);
    for (auto each = loans_.begin(); each != loans_.end();) {
      if (each->second.lender != lender) {
        ++each;
        continue;
      }
      dropped.push_back(std::move(each->second));
      each = loans_.erase(each);
    }
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

std::uint32_t ReadThread(const Napi::Value& thread) {
  if (!thread.IsNumber()) throw Napi::TypeError::New(thread.Env(), "expected a number for thread");
  return thread.As<Napi::Number>().Uint32Value();
}

// lend(data, thread)
Napi::Value Lend(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(env, "expected a Uint8Array for data");
  }
  auto view = info[0].As<Napi::Uint8Array>();
  const auto js = JsThread::Of(env);
  Loan loan;
  loan.data = reinterpret_cast<std::byte*>(view.Data());
  loan.size = view.ByteLength();
  loan.lender = ReadThread(info[1]);
  loan.owner = OwnerOf(view.ArrayBuffer());
  if (loan.owner == nullptr) {
    if (!js->memory_outlives_calls() || !view.ArrayBuffer().IsArrayBuffer()) return env.Null();
    loan.owner = js->Pin(view);
  }
  return Napi::Number::New(env, static_cast<double>(LoanTable::Process().Add(std::move(loan))));
}

// borrow(id)
Napi::Value Borrow(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::optional<Loan> loan = TakeLoan(info[0]);
  if (!loan.has_value()) throw Napi::TypeError::New(env, "expected the id of a loan that nobody has borrowed");
  const std::byte* const data = loan->data;
  const std::size_t size = loan->size;
  // NULL with a length ends the process; an ordinary buffer does for nothing.
  if (size == 0) return Napi::ArrayBuffer::New(env, 0);
  return ShareMemory(env, data, size, std::make_shared<BorrowedLoan>(*std::move(loan)));
}

// borrowedBytes()
Napi::Value BorrowedBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(AccountOfThread()->load()));
}

// letGo(buffer)
void LetGoOf(const Napi::CallbackInfo& info) {
  if (!info[0].IsArrayBuffer()) throw Napi::TypeError::New(info.Env(), "expected an ArrayBuffer for buffer");
  auto buffer = info[0].As<Napi::ArrayBuffer>();
  LetGo(buffer);
  if (!buffer.IsDetached()) buffer.Detach();
}

// reclaimAll(thread)
void ReclaimAll(const Napi::CallbackInfo& info) { LoanTable::Process().DropAllOf(ReadThread(info[0])); }

// reclaim(id)
Napi::Value Reclaim(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), TakeLoan(info[0]).has_value());
}

}  // namespace

void ExportLoans(Napi::Env env, Napi::Object exports) {
  exports.Set("lend", Napi::Function::New<Lend>(env, "lend"));
  exports.Set("borrow", Napi::Function::New<Borrow>(env, "borrow"));
  exports.Set("borrowedBytes", Napi::Function::New<BorrowedBytes>(env, "borrowedBytes"));
  exports.Set("letGo", Napi::Function::New<LetGoOf>(env, "letGo"));
  exports.Set("reclaimAll", Napi::Function::New<ReclaimAll>(env, "reclaimAll"));
  exports.Set("reclaim", Napi::Function::New<Reclaim>(env, "reclaim"));
}

}  // namespace aiges
