#include "runtime/engine/memory_limit.hpp"

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace kaspar::engine {

std::optional<std::size_t> memory_limit() {
  // This process's own cgroup, as seen from inside a container: mounted at /sys/fs/cgroup.
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    if (!(file >> bytes)) continue;  // "max", or the other version of cgroups
    // Version 1 has a huge number where there is no limit.
    const auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    if (bytes < machine) return bytes;
  }
  return std::nullopt;
}

}  // namespace kaspar::engine
