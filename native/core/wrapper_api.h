// SPDX-License-Identifier: Apache-2.0
// The entry points of one engine library. A table per library and no process globals: several engines live side by
// side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aiges/wrapper.h"
#include "result.h"
#include "shared_library.h"

namespace aiges {

// The capability groups that wrapper.h describes. A group counts when all of its functions are there.
enum class Group { kAlways, kOnce, kAsync, kStream, kResources, kControl, kDebug };

struct WrapperApi {
  decltype(&wrapperInit) init = nullptr;
  decltype(&wrapperFini) fini = nullptr;
  decltype(&wrapperError) error = nullptr;
  decltype(&wrapperVersion) version = nullptr;
  decltype(&wrapperExec) exec = nullptr;
  decltype(&wrapperExecFree) exec_free = nullptr;
  decltype(&wrapperExecAsync) exec_async = nullptr;
  decltype(&wrapperCreate) create = nullptr;
  decltype(&wrapperWrite) write = nullptr;
  decltype(&wrapperRead) read = nullptr;
  decltype(&wrapperDestroy) destroy = nullptr;
  decltype(&wrapperLoadRes) load_res = nullptr;
  decltype(&wrapperUnloadRes) unload_res = nullptr;
  decltype(&wrapperSetCtrl) set_ctrl = nullptr;
  decltype(&wrapperDebugInfo) debug_info = nullptr;

  // The groups found in part, each as a phrase for people: "stream (lacks wrapperRead)". Their functions are not used.
  std::vector<std::string> incomplete;

  bool Has(Group group) const;

  // Resolves every group. Refuses a library that lacks the always group, all three of once, async and stream, or
  // the group that `required` asks for; the text names every missing symbol.
  static Result<WrapperApi> Resolve(const SharedLibrary& library, std::optional<Group> required);

  // Text of an engine's error code, copied at once; an engine that gives NULL gives "".
  std::string ErrorText(int code) const;
};

}  // namespace aiges
