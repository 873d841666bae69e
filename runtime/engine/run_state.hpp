// What the parts of a run share: credits, counters, and how the run ends.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/core/diagnostic_code.hpp"
#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"
#include "runtime/core/run_snapshot.hpp"
#include "runtime/engine/credits.hpp"
#include "runtime/engine/error_rows.hpp"
#include "runtime/engine/refusals.hpp"

namespace kaspar::engine {

using Clock = std::chrono::steady_clock;

struct RunState {
  RunState(const RunContext& run_context, std::size_t batches, std::size_t bytes)
      : context(run_context),
        credits(batches, bytes),
        max_batches(batches),
        unread(run_context.settings.record_limit.value_or(UINT64_MAX)) {}

  const RunContext& context;
  Credits credits;
  const std::size_t max_batches;

  std::atomic<std::uint64_t> records_read{0};
  std::atomic<std::uint64_t> dead_letters{0};
  std::atomic<std::uint64_t> dropped{0};
  std::array<std::atomic<std::uint64_t>, diagnostic_codes> errors{};
  std::atomic<std::uint64_t> unread;  // records that may still be claimed under the limit

  Refusals refusals;

  // For those who look on:
  LatencyHistogram batch_times;
  LatencyHistogram end_to_end_times;
  ErrorRows recent_errors;
  std::atomic<bool> opened{false};
  std::atomic<bool> stalled{false};  // as the log was told

  std::atomic<bool> stopping{false};   // read no more
  std::atomic<bool> abandoned{false};  // the deadline is over: what is not written stays unwritten
  std::atomic<bool> best_effort_abandoned{false};
  std::atomic<bool> closing{false};  // sources are to close

  std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex:
  std::optional<Failure> failure;               // the first one
  std::optional<Clock::time_point> stopped_at;  // by request or failure; the deadline counts on
  std::size_t reading = 0;                      // drivers that still read
  std::size_t flights = 0;                      // batches read and not finished
  std::uint64_t finished = 0;                   // batches that were
  std::size_t detached = 0;                     // flights of best-effort branches with a queue
  bool lost = false;                            // a batch was given up
  bool graph_done = false;
  bool best_effort_done = false;

  void stop() noexcept {
    const std::lock_guard lock(mutex);
    stopping = true;
    if (!stopped_at) stopped_at = Clock::now();
    changed.notify_all();
  }

  void fail(Failure why) noexcept {
    bool first = false;
    {
      const std::lock_guard lock(mutex);
      first = !failure;
      if (first) failure = std::move(why);
    }
    stop();
    if (first) {
      const std::lock_guard lock(mutex);
      context.log.write(LogLevel::Error, "run_failed", failure->message);
    }
  }
};

}  // namespace kaspar::engine
