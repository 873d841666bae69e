// Exactly once, as the thread sees it that reads: which transaction a batch belongs to, when one is
// committed, and what happens when it cannot be.
//
//   open     its number is stamped on batches that are read
//   closed   once its time is over: the next one is open. As soon as everything read under it is
//            acknowledged, the offsets go out with it and it is committed. The next one computes
//            meanwhile; the producer holds its records back.
//   aborted  with the open one after it: nobody sees their records, and every partition is rewound
//            to its last committed offset
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "nodes/kafka/offset_tracker.hpp"
#include "nodes/kafka/transactional_producer.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// For librdkafka.
[[nodiscard]] PartitionList offset_list(const std::vector<PartitionOffset>& offsets);

/// One thread calls everything but acknowledge().
class Transaction {
 public:
  using Clock = std::chrono::steady_clock;

  /// The tracker and the context outlive it. Before the producer is opened.
  Transaction(std::shared_ptr<TransactionalProducer> producer, OffsetTracker& tracker,
              const RunContext& context);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  /// Nothing is open any more: see end().
  ~Transaction();

  /// Of a batch of so many records that was read.
  [[nodiscard]] std::uint64_t stamp(std::size_t records);
  /// A batch with that stamp is acknowledged, and the tracker knows it. Any thread.
  void acknowledge(std::uint64_t number) noexcept;

  /// Does what is due; does not wait. `consumer`: its group's metadata go with a commit.
  void serve(rd_kafka_t* consumer);
  /// Commits all that was read, waiting until it is acknowledged; aborts it if that takes too long.
  /// Whether all is committed.
  [[nodiscard]] bool settle(rd_kafka_t* consumer, Clock::time_point deadline) {
    return settle(consumer, deadline, Rebalances::Wait);
  }
  /// The same when the run ends and no acknowledgement follows any more; rebalances are served. Of
  /// a run that was asked to end, what a rebalance has aborted by then is as good as unread:
  /// whoever takes over reads it.
  [[nodiscard]] bool settle_finally(rd_kafka_t* consumer, Clock::time_point deadline);
  /// Aborts what is open, and waits until it is.
  void abort(std::string_view why, Clock::time_point deadline);
  /// Ends the producer. What is not committed never will be.
  void end();

  /// Whether partitions have to be rewound before anything is read: something was aborted.
  [[nodiscard]] bool must_rewind() const noexcept { return phase_ == Phase::Aborted; }
  /// Whether because a topic refused a record, which has to be found. Until rewound().
  [[nodiscard]] bool refused() const noexcept { return refused_; }
  void rewound() noexcept;
  /// The open transaction is closed before its time.
  void hasten() noexcept;
  /// Whether records may be read.
  [[nodiscard]] bool readable() const noexcept { return phase_ == Phase::Running && !failure_; }
  /// Whether everything that was read is committed.
  [[nodiscard]] bool settled() const;
  /// How long reading may wait for records.
  [[nodiscard]] std::chrono::milliseconds patience(std::chrono::milliseconds most) const;
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }

 private:
  enum class Phase : std::uint8_t { Running, Aborting, Aborted };

  enum class Rebalances : std::uint8_t { Wait, AreServed };

  [[nodiscard]] bool settle(rd_kafka_t* consumer, Clock::time_point deadline,
                            Rebalances rebalances);
  void take_reports();
  void give_up(std::string_view why, bool refused = false);
  void commit_closed(rd_kafka_t* consumer);
  [[nodiscard]] bool due() const;
  [[nodiscard]] std::size_t unacknowledged(std::uint64_t number) const;
  [[nodiscard]] bool all_acknowledged() const;
  void wait(Clock::time_point until);
  void news() noexcept;

  std::shared_ptr<TransactionalProducer> producer_;
  OffsetTracker& tracker_;
  const RunContext& context_;
  Phase phase_ = Phase::Running;
  std::uint64_t open_ = 1;
  std::size_t open_records_ = 0;
  Clock::time_point opened_ = Clock::now();
  std::optional<std::uint64_t> closed_;
  std::vector<PartitionOffset> committing_;  // with the closed one; empty: not asked for yet
  bool asked_ = false;
  Clock::time_point asked_at_;
  bool refused_ = false;
  std::optional<Failure> failure_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex:
  std::map<std::uint64_t, std::size_t> batches_;  // unacknowledged, by transaction
  bool news_ = false;
};

}  // namespace kaspar::nodes::kafka
