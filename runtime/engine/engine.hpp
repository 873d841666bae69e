// Runs a plan: sources are read by a thread each, batches go through a oneTBB flow graph, results
// and dead letters reach their sinks in the order of reading, and a batch is acknowledged to its
// source once all of it is delivered, filtered, dropped by policy or dead-lettered.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/run_settings.hpp"
#include "runtime/core/run_snapshot.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/core/source.hpp"
#include "runtime/engine/tap.hpp"

namespace kaspar::engine {

struct StageCount {
  std::string word;
  std::uint64_t records_in = 0;
  std::uint64_t errors = 0;
};

/// Of one ChainPlan.
struct ChainCount {
  std::vector<StageCount> stages;     // as in the plan
  std::uint64_t records_written = 0;  // delivered to the chain's sink
  // Of a best-effort chain:
  std::uint64_t best_effort_failed = 0;   // rows that failed in it, or in its sink
  std::uint64_t best_effort_dropped = 0;  // rows for which there was no room, or no time in the end
};

struct RunReport {
  ExitStatus status = ExitStatus::Fine;
  std::optional<Failure> failure;  // set where status is not Fine
  std::uint64_t records_read = 0;
  std::uint64_t records_written = 0;     // delivered, without dead letters
  std::uint64_t dead_letters = 0;        // delivered
  std::uint64_t dropped = 0;             // failed rows that the file says to drop
  std::uint64_t best_effort_failed = 0;  // sums of the chains' counts
  std::uint64_t best_effort_dropped = 0;
  std::map<DiagnosticCode, std::uint64_t> errors;  // failed rows, whatever became of them
  std::vector<ChainCount> chains;                  // as in the plan
  bool drained = false;                            // every batch read was acknowledged
  std::size_t batches_held = 0;  // credits that have not come back: 0 unless a sink keeps silent
  std::size_t bytes_held = 0;
};

/// Endpoints to use in place of those of the plan, by their index there (for eval and for tests).
struct Endpoints {
  std::map<std::size_t, std::unique_ptr<Source>> sources;
  std::map<std::size_t, std::unique_ptr<Sink>> sinks;
};

/// One run of one plan. The plan and the context outlive it. Endpoints that no chain uses are
/// neither made nor opened.
class Engine {
 public:
  Engine(const Plan& plan, const RunContext& context, Endpoints endpoints = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// Makes operators, sources and sinks and opens those, sinks first. Call once, before run().
  [[nodiscard]] std::expected<void, Failure> open();

  /// Runs until every source ends, the record limit is reached, something fails or
  /// request_stop(); then drains, closes sinks and sources, and tells what happened. Once.
  [[nodiscard]] RunReport run();

  /// Stops reading and drains within RunSettings::shutdown_deadline. Any thread, any time; not
  /// from a signal handler itself.
  void request_stop() noexcept;

  /// How it goes. Any thread, any time.
  [[nodiscard]] RunSnapshot snapshot() const;
  /// A sample of what passes a point, from now on until the returned tap is let go of. Nothing
  /// before open(). It must not outlive the engine.
  [[nodiscard]] std::shared_ptr<Tap> tap(const TapPoint& point);
  /// Sources find out what only brokers know, for the next snapshot; may wait so long for each.
  /// `groups`: also who else is in their groups. One thread at a time, any time.
  void look_around(std::chrono::milliseconds within, bool groups);

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

}  // namespace kaspar::engine
