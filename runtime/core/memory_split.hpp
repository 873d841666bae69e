// How the memory budget of a run is split.
#pragma once

#include <algorithm>
#include <cstddef>

namespace kaspar {

/// Shares in bytes.
struct MemorySplit {
  std::size_t fetch = 0;        // records that were fetched from Kafka and not read yet
  std::size_t batches = 0;      // batches at work, until their delivery is acknowledged
  std::size_t best_effort = 0;  // rows that wait for best-effort branches below a fork
  std::size_t rest = 0;         // producers' queues and models
};

/// Batches take half of the budget, best-effort branches a quarter of that if there are any, fetch
/// queues a quarter of the whole.
[[nodiscard]] inline MemorySplit split_memory(std::size_t budget, bool best_effort_branches) {
  MemorySplit split{.fetch = budget / 4, .batches = std::max<std::size_t>(1, budget / 2)};
  split.rest = budget - std::min(budget, split.fetch + split.batches);
  if (best_effort_branches) {
    split.best_effort = split.batches / 4;
    split.batches -= split.best_effort;
  }
  return split;
}

}  // namespace kaspar
