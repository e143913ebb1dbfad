// SPDX-License-Identifier: Apache-2.0
// The one place that includes napi.h, so that its settings (see CMakeLists.txt) are the same everywhere.
#pragma once

#if !defined(NAPI_VERSION) || !defined(NAPI_CPP_EXCEPTIONS)
#error "build with NAPI_VERSION and NAPI_CPP_EXCEPTIONS"
#endif

#include <napi.h>
