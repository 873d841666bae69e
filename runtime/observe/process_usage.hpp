// What this process takes of the machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kaspar::observe {

struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;  // of all threads, user and system
  std::uint64_t open_files = 0;
  std::uint64_t most_files = 0;
  std::uint64_t threads = 0;
};

/// What is not known is 0.
[[nodiscard]] ProcessUsage process_usage();

}  // namespace kaspar::observe
