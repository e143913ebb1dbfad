// SPDX-License-Identifier: Apache-2.0
// Which CPUs this process runs on.
#pragma once

#include <vector>

#include "result.h"

namespace aiges {

// Keeps every thread of the process on these CPUs, and with them the threads that they will start. CPUs that the
// process may not use, or that the machine does not have, are left out by the system; fails when none is left.
Status BindToCpus(const std::vector<int>& cpus);

}  // namespace aiges
