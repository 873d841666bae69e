// How the memory budget of a run is split.
#pragma once

#include <algorithm>
#include <cstddef>

namespace kaspar {

/// Shares in bytes.
struct MemorySplit {
  std::size_t program = 0;      // the process before it has records: code, clients, threads
  std::size_t fetch = 0;        // records that were fetched from Kafka and not read yet
  std::size_t batches = 0;      // batches at work, until their delivery is acknowledged
  std::size_t best_effort = 0;  // rows that wait for best-effort branches below a fork
  std::size_t models = 0;       // their weights, and what each thread runs them in
  std::size_t producers = 0;    // their queues
};

/// What a process takes beside what it holds records in: 23 MiB when it is idle, and what
/// allocators keep and 64 partitions take once it is not.
inline constexpr std::size_t program_memory = std::size_t{32} << 20;

/// Records move in what the program and models leave of the budget, a sixteenth of it at least:
/// batches take half of that, best-effort branches a quarter of their half if there are any, fetch
/// queues a quarter. Below 64 MiB the program is counted as half.
[[nodiscard]] inline MemorySplit split_memory(std::size_t budget, std::size_t models,
                                              bool best_effort_branches) {
  const std::size_t program = std::min(program_memory, budget / 2);
  const std::size_t left =
      std::max(budget - program - std::min(budget - program, models), budget / 16);
  MemorySplit split{.program = program,
                    .fetch = left / 4,
                    .batches = std::max<std::size_t>(1, left / 2),
                    .models = models};
  split.producers = left - std::min(left, split.fetch + split.batches);
  if (best_effort_branches) {
    split.best_effort = split.batches / 4;
    split.batches -= split.best_effort;
  }
  return split;
}

}  // namespace kaspar
