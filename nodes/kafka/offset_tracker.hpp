// Which records of each partition are done with: batches finish in any order, and only an offset
// before which everything is done may be committed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/run_snapshot.hpp"

namespace kaspar::nodes::kafka {

struct PartitionOffset {
  std::string_view topic;  // lives as long as the tracker
  std::int32_t partition = 0;
  std::uint32_t index = 0;   // of the partition in the tracker
  std::int64_t offset = -1;  // the next to be read by whoever takes over
};

/// How commits of offsets, or of transactions, went. Any thread.
struct CommitStatistics {
  LatencyHistogram times;  // of those that succeeded
  std::atomic<std::uint64_t> failures{0};
};

/// All partitions that were ever assigned. A partition's epoch is raised whenever it is assigned,
/// revoked or rewound; what belongs to an older epoch is ignored. Thread-safe.
class OffsetTracker {
 public:
  /// The partition's place here, the same for ever.
  [[nodiscard]] std::uint32_t index_of(std::string_view topic, std::int32_t partition);
  [[nodiscard]] std::string_view topic(std::uint32_t index) const;
  [[nodiscard]] std::int32_t partition(std::uint32_t index) const;

  /// Begins anew, with nothing in flight; returns the new epoch.
  std::uint64_t assign(std::uint32_t index);
  /// What is known of every partition that is assigned; their ends are not.
  [[nodiscard]] std::vector<PartitionSnapshot> partitions() const;
  /// The group's offset of a partition that nothing was committed of since it was assigned.
  void found_committed(std::uint32_t index, std::int64_t offset);
  /// Forgets what is in flight.
  void revoke(std::uint32_t index);

  /// The offsets first..last (inclusive) go out in a batch. Spans of a partition come in order.
  void begin(std::uint32_t index, std::uint64_t epoch, std::int64_t first, std::int64_t last);
  /// No record is left before `end`: offsets that hold none (transaction markers) are done.
  void skip_to(std::uint32_t index, std::int64_t end);
  /// The span that began at `first` is done.
  void finish(std::uint32_t index, std::uint64_t epoch, std::int64_t first) noexcept;

  /// Something of the present epoch was discarded by a sink: it will not be finished.
  void discard(std::uint32_t index, std::uint64_t epoch) noexcept;
  /// Whether some partition has to be read again for that.
  [[nodiscard]] bool must_rewind() const;
  /// The first offset that is in flight; -1: none is.
  [[nodiscard]] std::int64_t first_in_flight(std::uint32_t index) const;
  /// Begins anew at an offset before which all is done; returns the new epoch.
  std::uint64_t rewind(std::uint32_t index);
  /// Whether nothing of any partition is in flight.
  [[nodiscard]] bool idle() const;

  /// Watermarks above what is known to be committed.
  [[nodiscard]] std::vector<PartitionOffset> uncommitted() const;
  /// The broker has taken this offset.
  void committed(std::uint32_t index, std::int64_t offset);

  [[nodiscard]] CommitStatistics& commits() noexcept { return commits_; }
  [[nodiscard]] const CommitStatistics& commits() const noexcept { return commits_; }

  /// Waits until nothing of the partition is in flight; false: too late, or it was discarded.
  [[nodiscard]] bool wait_idle(std::uint32_t index,
                               std::chrono::steady_clock::time_point deadline) const;

 private:
  struct Span {
    std::int64_t first = 0;
    std::int64_t last = 0;
    bool done = false;
  };
  struct Partition {
    std::string topic;
    std::int32_t partition = 0;
    std::uint64_t epoch = 0;
    std::int64_t watermark = -1;  // -1: nothing is done in this epoch
    std::int64_t committed = -1;
    std::int64_t found = -1;  // what was committed when it was assigned, for those who look on
    bool assigned = false;
    bool discarded = false;  // something in flight
    std::deque<Span> spans;  // in flight, or done and waiting for an earlier one
  };

  struct Finished {
    std::uint32_t index = 0;
    std::uint64_t epoch = 0;
    std::int64_t first = 0;
  };

  static void advance(Partition& partition);
  void end_span(const Finished& finished) noexcept;

  mutable std::mutex mutex_;
  mutable std::condition_variable finished_;
  std::deque<Partition> partitions_;  // stable addresses
  CommitStatistics commits_;
  std::optional<Finished> late_;  // a fault: told when the same offset goes out again
};

}  // namespace kaspar::nodes::kafka
