// How many CPUs this process may use.
#pragma once

#include <cstddef>

namespace kaspar::engine {

/// The CPUs of the affinity mask, at most the cgroup's (v2 or v1) quota rounded up; at least 1.
[[nodiscard]] std::size_t available_cpus();

}  // namespace kaspar::engine
