// Everything that is shown of a run at one moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/run_snapshot.hpp"
#include "runtime/observe/pipeline_graph.hpp"
#include "runtime/observe/process_usage.hpp"

namespace kaspar::observe {

/// What does not change while it runs.
struct RunFacts {
  std::string name;  // of the pipeline: its file's, without folder and ending
  std::string file;
  std::string text;  // of the file
  std::string version;
  std::string libraries;
  std::string instance;
  std::string brokers;
  bool tap = false;
  std::chrono::system_clock::time_point started = std::chrono::system_clock::now();
};

/// Over the last seconds, as many as there are.
struct RecentRates {
  double seconds = 0;
  double read = 0;  // records a second
  double written = 0;
  double failed = 0;
  LatencyCounts batches;
  LatencyCounts end_to_end;
};

struct RunView {
  const RunFacts* facts = nullptr;
  const PipelineGraph* graph = nullptr;
  RunSnapshot now;
  RecentRates recent;
  ProcessUsage process;
  std::chrono::system_clock::time_point time;
  bool live = true;
  bool ready = false;
};

struct ModelView {
  std::string name;
  std::string path;
  std::string sha256;
  std::uint64_t bytes = 0;      // of the file
  std::uint64_t memory = 0;     // of its weights
  std::size_t golden_rows = 0;  // 0: none were given
  double golden_deviation = 0;  // the largest
};
[[nodiscard]] std::vector<ModelView> models_of(const Plan& plan);

/// `starting`, `running`, `stalled`, `unreachable` (no broker answers), `draining`.
[[nodiscard]] std::string_view state_of(const RunSnapshot& now) noexcept;

[[nodiscard]] std::uint64_t total_read(const RunSnapshot& now) noexcept;
[[nodiscard]] std::uint64_t total_written(const RunSnapshot& now) noexcept;  // no dead letters
[[nodiscard]] std::uint64_t total_failed(const RunSnapshot& now) noexcept;
/// Of all partitions whose lag is known; -1: of none.
[[nodiscard]] std::int64_t total_lag(const RunSnapshot& now) noexcept;

}  // namespace kaspar::observe
