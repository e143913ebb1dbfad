// SPDX-License-Identifier: Apache-2.0
// A dynamic library that is open for as long as its owner lives.
#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include "result.h"

namespace aiges {

class SharedLibrary {
 public:
  // Closing never unmaps the code: engines start threads and bring runtimes (CUDA, Go, ONNX) that cannot be unloaded,
  // and a stack in a report must still find its symbols.
  // On failure the text names the path, the fault and what to do about it, in one line.
  static Result<SharedLibrary> Open(const std::string& path);

  const std::string& path() const { return path_; }

  // The function of that name, or nullptr. Its C signature is the caller's word: a library does not record it.
  template <typename Fn>
  Fn Symbol(const char* name) const {
    static_assert(std::is_pointer_v<Fn> && std::is_function_v<std::remove_pointer_t<Fn>>, "ask for a function pointer");
    return reinterpret_cast<Fn>(Find(name));
  }

 private:
  struct Close {
    void operator()(void* handle) const;
  };
  SharedLibrary(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}
  void* Find(const char* name) const;

  std::string path_;
  std::unique_ptr<void, Close> handle_;
};

}  // namespace aiges
