// SPDX-License-Identifier: Apache-2.0
#include "affinity.h"

#include <dirent.h>
#include <sched.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>

namespace aiges {
namespace {

// More than any machine has; a list with larger numbers is a mistake and would make the mask huge.
constexpr int kMostCpus = 65536;

Status Failed(std::string text) { return Status{Code::kUnsupported, "sched_setaffinity", 0, std::move(text)}; }

class CpuMask {
 public:
  explicit CpuMask(int cpus) : size_(CPU_ALLOC_SIZE(cpus)), set_(CPU_ALLOC(cpus), &FreeSet) {
    if (set_ != nullptr) CPU_ZERO_S(size_, set_.get());
  }
  bool ok() const { return set_ != nullptr; }
  void Add(int cpu) { CPU_SET_S(cpu, size_, set_.get()); }
  // 0, or the error.
  int Apply(pid_t thread) const { return sched_setaffinity(thread, size_, set_.get()) == 0 ? 0 : errno; }

 private:
  static void FreeSet(cpu_set_t* set) { CPU_FREE(set); }
  std::size_t size_;
  std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set_;
};

bool ListThreads(std::set<pid_t>* threads) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir("/proc/self/task"), &closedir);
  if (dir == nullptr) return false;
  while (const dirent* entry = readdir(dir.get())) {
    const long id = std::strtol(entry->d_name, nullptr, 10);
    if (id > 0) threads->insert(static_cast<pid_t>(id));
  }
  return true;
}

}  // namespace

Status BindToCpus(const std::vector<int>& cpus) {
  if (cpus.empty()) return Failed("no CPUs are named");
  for (const int cpu : cpus) {
    if (cpu < 0 || cpu >= kMostCpus) return Failed("there is no CPU " + std::to_string(cpu));
  }
  CpuMask mask(*std::max_element(cpus.begin(), cpus.end()) + 1);
  if (!mask.ok()) return Failed("no memory left");
  for (const int cpu : cpus) mask.Add(cpu);

  // A thread that is not bound yet may start another one meanwhile: look until there is nothing new.
  std::set<pid_t> bound;
  for (bool found = true; found;) {
    found = false;
    std::set<pid_t> threads;
    if (!ListThreads(&threads))
      return Failed("the threads of the process cannot be listed: " + std::string(std::strerror(errno)));
    for (const pid_t thread : threads) {
      if (!bound.insert(thread).second) continue;
      found = true;
      const int error = mask.Apply(thread);
      // ESRCH: it has ended.
      if (error == 0 || error == ESRCH) continue;
      if (error == EINVAL) return Failed("this process may use none of these CPUs");
      return Failed(error == EPERM ? "not permitted" : std::strerror(error));
    }
  }
  return {};
}

}  // namespace aiges
