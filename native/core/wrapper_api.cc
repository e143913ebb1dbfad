// SPDX-License-Identifier: Apache-2.0
#include "wrapper_api.h"

#include <string_view>

namespace aiges {
namespace {

struct GroupReport {
  Group group;
  std::string_view name;
  int found = 0;
  std::vector<std::string_view> missing;

  bool complete() const { return missing.empty(); }
};

template <typename Fn>
void Look(const SharedLibrary& library, const char* name, Fn& slot, GroupReport& report) {
  slot = library.Symbol<Fn>(name);
  if (slot != nullptr) {
    ++report.found;
  } else {
    report.missing.emplace_back(name);
  }
}

std::string Join(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

// "once needs wrapperExec, wrapperExecFree"
std::string Needs(const GroupReport& report) { return std::string(report.name) + " needs " + Join(report.missing); }

}  // namespace

bool WrapperApi::Has(Group group) const {
  switch (group) {
    case Group::kAlways: return init != nullptr;
    case Group::kOnce: return exec != nullptr;
    case Group::kAsync: return exec_async != nullptr;
    case Group::kStream: return create != nullptr;
    case Group::kResources: return load_res != nullptr;
    case Group::kControl: return set_ctrl != nullptr;
    case Group::kDebug: return debug_info != nullptr;
  }
  return false;
}

Result<WrapperApi> WrapperApi::Resolve(const SharedLibrary& library, std::optional<Group> required) {
  WrapperApi api;
  GroupReport always{Group::kAlways, "always", 0, {}};
  GroupReport once{Group::kOnce, "once", 0, {}};
  GroupReport async{Group::kAsync, "async", 0, {}};
  GroupReport stream{Group::kStream, "stream", 0, {}};
  GroupReport resources{Group::kResources, "resources", 0, {}};
  GroupReport control{Group::kControl, "control", 0, {}};
  GroupReport debug{Group::kDebug, "debug", 0, {}};

  Look(library, "wrapperInit", api.init, always);
  Look(library, "wrapperFini", api.fini, always);
  Look(library, "wrapperError", api.error, always);
  Look(library, "wrapperVersion", api.version, always);
  Look(library, "wrapperExec", api.exec, once);
  Look(library, "wrapperExecFree", api.exec_free, once);
  Look(library, "wrapperExecAsync", api.exec_async, async);
  Look(library, "wrapperCreate", api.create, stream);
  Look(library, "wrapperWrite", api.write, stream);
  Look(library, "wrapperRead", api.read, stream);
  Look(library, "wrapperDestroy", api.destroy, stream);
  Look(library, "wrapperLoadRes", api.load_res, resources);
  Look(library, "wrapperUnloadRes", api.unload_res, resources);
  Look(library, "wrapperSetCtrl", api.set_ctrl, control);
  Look(library, "wrapperDebugInfo", api.debug_info, debug);

  std::string needed;
  auto need = [&needed](const std::string& phrase) { needed += needed.empty() ? phrase : "; " + phrase; };
  if (!always.complete()) need("every engine needs " + Join(always.missing));
  if (required.has_value()) {
    for (const GroupReport* report : {&once, &async, &stream}) {
      if (report->group == *required && !report->complete()) need(Needs(*report));
    }
  } else if (!once.complete() && !async.complete() && !stream.complete()) {
    need("one way to call it is needed: " + Needs(once) + ", or " + Needs(async) + ", or " + Needs(stream));
  }
  for (const GroupReport* report : {&once, &async, &stream, &resources, &control, &debug}) {
    if (report->complete() || report->found == 0) continue;
    api.incomplete.push_back(std::string(report->name) + " (lacks " + Join(report->missing) + ")");
  }
  if (!needed.empty()) {
    std::string text = "engine " + library.path() + " lacks entry points: " + needed;
    if (!api.incomplete.empty()) {
      const std::vector<std::string_view> phrases(api.incomplete.begin(), api.incomplete.end());
      text += "; found in part: " + Join(phrases);
    }
    text += "; are they declared extern \"C\" with default visibility and the exact signatures of aiges/wrapper.h?";
    return Status{Code::kSymbolMissing, "dlsym", 0, std::move(text)};
  }

  // Half a group is none: nobody may find a function whose counterpart is missing.
  if (!once.complete()) api.exec = nullptr, api.exec_free = nullptr;
  if (!stream.complete()) api.create = nullptr, api.write = nullptr, api.read = nullptr, api.destroy = nullptr;
  if (!resources.complete()) api.load_res = nullptr, api.unload_res = nullptr;
  return api;
}

std::string WrapperApi::ErrorText(int code) const {
  const char* text = error(code);
  return text != nullptr ? text : "";
}

}  // namespace aiges
