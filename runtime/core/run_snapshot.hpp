// What a run looks like at one moment: the engine fills it in, runtime/observe shows it. Counts
// only grow; what a thing is called and how all hangs together says the plan.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"
#include "runtime/core/latency_histogram.hpp"
#include "runtime/core/memory_split.hpp"

namespace kaspar {

/// Records of one stage. Those that are neither filtered nor failed have passed.
struct StageSnapshot {
  std::uint64_t records_in = 0;
  std::uint64_t filtered = 0;
  std::uint64_t failed = 0;
  std::chrono::nanoseconds busy{0};  // time of threads
};

/// As Plan::chains.
struct ChainSnapshot {
  std::vector<StageSnapshot> stages;
  std::uint64_t waiting = 0;      // records in front of its first stage
  std::uint64_t unconfirmed = 0;  // records handed to sinks, which have not told yet
  std::uint64_t written = 0;      // delivered to its sink
  std::uint64_t best_effort_failed = 0;
  std::uint64_t best_effort_dropped = 0;
};

/// As Plan::sinks.
struct SinkSnapshot {
  std::uint64_t records = 0;       // delivered, without dead letters
  std::uint64_t dead_letters = 0;  // delivered
  std::uint64_t unconfirmed = 0;
};

/// A partition that this process reads. Offsets are -1 where they are not known.
struct PartitionSnapshot {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t read = -1;       // the next to be read
  std::int64_t committed = -1;  // the next to be read by whoever takes over
  std::int64_t end = -1;        // after the last one that the broker has for readers

  /// Records that are not committed yet; -1: not known.
  [[nodiscard]] std::int64_t lag() const noexcept {
    const std::int64_t from = committed >= 0 ? committed : read;
    if (end < 0 || from < 0) return -1;
    return end > from ? end - from : 0;
  }
};

/// A process of the consumer group.
struct MemberSnapshot {
  std::string id;
  std::string client;
  std::string host;
  bool self = false;
  std::vector<std::pair<std::string, std::int32_t>> partitions;
};

/// What sources tell of themselves.
struct SourceSnapshot {
  bool assigned = true;  // what it is to read has been told to it, be it nothing
  std::string group;     // empty: it has none
  std::vector<PartitionSnapshot> partitions;
  std::vector<MemberSnapshot> members;  // empty: not known
  LatencyCounts commits;
  std::uint64_t commit_failures = 0;
  std::uint64_t rebalances = 0;
  std::size_t brokers = 0;   // of its cluster; 0: not known
  bool unreachable = false;  // no broker answered last
};

/// A row that failed; never what it holds.
struct ErrorRow {
  std::chrono::system_clock::time_point time;
  DiagnosticCode code = DiagnosticCode::K0902;
  std::size_t chain = 0;  // index into Plan::chains
  std::size_t stage = 0;  // of the chain
  std::string topic;      // empty: the source has none
  std::int32_t partition = 0;
  std::int64_t offset = -1;
};

inline constexpr std::size_t diagnostic_codes = 0
#define KASPAR_DIAGNOSTIC(code, title) +1
#include "runtime/core/diagnostic_code.def"
#undef KASPAR_DIAGNOSTIC
    ;

struct RunSnapshot {
  bool opened = false;    // sinks and sources are connected
  bool draining = false;  // no more is read
  bool stalled = false;   // the log said so last
  std::size_t threads = 0;
  std::vector<std::uint64_t> records_read;  // by Plan::sources
  std::vector<ChainSnapshot> chains;
  std::vector<SinkSnapshot> sinks;
  std::vector<SourceSnapshot> sources;                   // as many as there are Source objects
  std::array<std::uint64_t, diagnostic_codes> errors{};  // failed rows, by code
  std::uint64_t dead_letters = 0;
  std::uint64_t dropped = 0;     // failed rows that the file says to drop
  LatencyCounts batches;         // from a batch's read to its acknowledgement
  LatencyCounts end_to_end;      // from a record's timestamp to that
  std::vector<ErrorRow> recent;  // the last error rows, the newest first

  std::size_t batches_in_flight = 0;
  std::size_t bytes_in_flight = 0;
  std::size_t memory_budget = 0;
  MemorySplit memory;

  // Whether it goes on. What waits for brokers is no sign of its contrary.
  std::uint64_t computing = 0;              // chains' work on batches that has begun and not ended
  std::uint64_t computed = 0;               // that has ended
  std::chrono::nanoseconds driver_idle{0};  // since the slowest reading thread was seen
};

}  // namespace kaspar
