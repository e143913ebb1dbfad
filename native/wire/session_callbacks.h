// SPDX-License-Identifier: Apache-2.0
// The way from nghttp2's C callbacks to the connection that they are about.
#pragma once

#include <memory>

#include "nghttp2_api.h"
#include "options.h"

namespace aiges::wire {

// One set for all sessions of a server.
class SessionSetup {
 public:
  // Throws std::bad_alloc.
  explicit SessionSetup(const Nghttp2& api);

  const nghttp2_session_callbacks* callbacks() const { return callbacks_.get(); }
  const nghttp2_option* options() const { return options_.get(); }

 private:
  struct Delete {
    const Nghttp2* api;
    void operator()(nghttp2_session_callbacks* callbacks) const { api->session_callbacks_del(callbacks); }
    void operator()(nghttp2_option* options) const { api->option_del(options); }
  };
  std::unique_ptr<nghttp2_session_callbacks, Delete> callbacks_;
  std::unique_ptr<nghttp2_option, Delete> options_;
};

}  // namespace aiges::wire
