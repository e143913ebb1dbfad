// SPDX-License-Identifier: Apache-2.0
#include "shared_library.h"

#include <dlfcn.h>
#include <elf.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

namespace aiges {
namespace {

#if defined(__x86_64__)
constexpr unsigned kOwnMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kOwnMachine = EM_AARCH64;
#else
#error "the plugin ABI is pinned for x86-64 and arm64 only"
#endif

std::string MachineName(unsigned machine) {
  switch (machine) {
    case EM_X86_64: return "x86-64";
    case EM_AARCH64: return "arm64";
    case EM_386: return "32-bit x86";
    case EM_ARM: return "32-bit ARM";
    default: return "machine type " + std::to_string(machine);
  }
}

// What is wrong with the file itself. The dynamic linker reports most of this as "No such file or directory".
std::optional<std::string> FileFault(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const std::string reason = std::generic_category().message(errno);
    return "cannot open engine " + path + ": " + reason + "; build the engine or correct the path";
  }
  std::array<char, 20> head{};
  file.read(head.data(), head.size());
  if (file.gcount() < static_cast<std::streamsize>(head.size()) || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) {
    return "engine " + path + " is not a shared library (no ELF header); name the .so file that was built";
  }
  std::uint16_t machine = 0;  // both machines that pass are little-endian, as this one is
  std::memcpy(&machine, head.data() + 18, sizeof machine);
  if (machine != kOwnMachine) {
    return "engine " + path + " is built for " + MachineName(machine) + ", this process is " +
           MachineName(kOwnMachine) + "; build the engine for this machine";
  }
  return std::nullopt;
}

// What to do about a message of the dynamic linker.
std::string_view Advice(std::string_view error) {
  if (error.find("undefined symbol") != std::string_view::npos) {
    return "; link the engine with the library that defines it";
  }
  if (error.find("cannot open shared object file") != std::string_view::npos) {
    return "; install the library it needs or add its folder to LD_LIBRARY_PATH";
  }
  return "";
}

}  // namespace

void SharedLibrary::Close::operator()(void* handle) const { dlclose(handle); }

Result<SharedLibrary> SharedLibrary::Open(const std::string& path) {
  if (auto fault = FileFault(path)) return Status{Code::kLoadFailed, "dlopen", 0, std::move(*fault)};
  // RTLD_NOW: an unresolved symbol fails here, with its name, and not in the middle of a request.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* reason = dlerror();
    std::string error = reason != nullptr ? reason : "unknown reason";
    std::string text = "cannot load engine " + path + ": " + error;
    text += Advice(error);
    return Status{Code::kLoadFailed, "dlopen", 0, std::move(text)};
  }
  return SharedLibrary(path, handle);
}

void* SharedLibrary::Find(const char* name) const { return dlsym(handle_.get(), name); }

}  // namespace aiges
