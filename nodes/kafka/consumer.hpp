// A member of a consumer group: subscribes, follows the group's assignments, commits what is done.
//
// Partitions are forwarded to one queue of its own, which is read by the source; polling the client
// serves rebalances and events only. So one limit bounds the messages of all partitions together,
// and nothing has to be paused. One thread calls everything.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/kafka/client.hpp"
#include "nodes/kafka/offset_tracker.hpp"
#include "nodes/kafka/start_offset.hpp"
#include "nodes/kafka/transaction.hpp"

namespace kaspar::nodes::kafka {

struct Subscription {
  std::string topic;
  StartOffset start;         // where no offset is committed
  std::size_t endpoint = 0;  // index into Plan::sources
  int partitions = 0;
};

/// A partition that this member reads.
struct Assignment {
  std::uint64_t epoch = 0;
  std::size_t subscription = 0;
  std::int64_t position = -1;  // the next offset; -1: not known before the first record
  bool reached_end = false;    // its end was seen at least once
  bool fetched = false;        // something of it was fetched
  // What is read again because a sink refused a record, up to these offsets:
  std::int64_t batches_until = -1;  // Caution::Batch
  std::int64_t records_until = -1;  // Caution::Record
};

class Consumer final : private ClientEvents {
 public:
  using Clock = std::chrono::steady_clock;

  /// The tracker, the transaction, the cluster, the settings and the log outlive it. `transaction`:
  /// offsets are committed by it; nullptr: by the consumer itself.
  Consumer(std::string group, std::vector<Subscription> subscriptions, OffsetTracker& tracker,
           Transaction* transaction, const KafkaSettings& cluster, const RunContext& context)
      : ClientEvents(context.log),
        group_(std::move(group)),
        subscriptions_(std::move(subscriptions)),
        tracker_(tracker),
        transaction_(transaction),
        cluster_(cluster),
        settings_(context.settings) {}
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  ~Consumer();

  /// What the cluster says of each subscription's topic, in their order.
  void set_partition_counts(const std::vector<int>& counts) {
    for (std::size_t i = 0; i < counts.size(); ++i) subscriptions_[i].partitions = counts[i];
  }

  /// Joins the group. `embedded`: of an embedded broker.
  [[nodiscard]] std::expected<void, Failure> open(bool embedded);

  /// Serves rebalances and events, waiting for one at most so long, and commits when it is due.
  /// Without waiting, and without transactions, it looks for them every few milliseconds only.
  void serve(std::chrono::milliseconds wait);

  /// Messages of all assigned partitions.
  [[nodiscard]] rd_kafka_queue_t* messages() const noexcept { return messages_.get(); }
  [[nodiscard]] rd_kafka_t* client() const noexcept { return client_.get(); }

  /// By the tracker's index; nothing where the partition is not assigned.
  [[nodiscard]] std::vector<std::optional<Assignment>>& assignments() noexcept {
    return assignments_;
  }
  [[nodiscard]] const std::vector<Subscription>& subscriptions() const noexcept {
    return subscriptions_;
  }
  [[nodiscard]] std::optional<std::size_t> subscription_of(std::string_view topic) const noexcept;

  /// An error that came in place of a message: what cannot be recovered from becomes failure().
  void handle_error(rd_kafka_resp_err_t code, std::string_view what);

  /// At least once: goes back to what is not delivered of all that is in flight, of which a sink
  /// discarded something. What fails is tried again by the next call.
  void rewind_discarded();
  /// What was refused is known: it need not be looked for. Any thread.
  void refusal_found() noexcept { found_ = true; }
  /// How the last batch was read, or a rewind came after it.
  [[nodiscard]] bool careful() const noexcept { return caution_ != Caution::None; }
  /// How the next batch is to be read and written. Where the last one was read with care, it is
  /// settled.
  [[nodiscard]] Caution caution() noexcept;
  /// At least once: raised when something is read again.
  [[nodiscard]] std::uint64_t attempt() const noexcept { return attempt_; }

  [[nodiscard]] const std::optional<Failure>& failure();

  // Any thread:
  /// What the group assigned has been told once, be it nothing.
  [[nodiscard]] bool assigned_once() const noexcept { return assigned_once_; }
  [[nodiscard]] std::uint64_t rebalances() const noexcept { return rebalances_; }
  [[nodiscard]] const std::string& group() const noexcept { return group_; }
  using ClientEvents::all_down;

  /// Commits what is done and leaves the group. The client lives on until this object ends, which
  /// messages must not survive.
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds within);

 private:
  friend ClientEvents;

  static void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t* partitions, void* opaque);
  static void on_commit(rd_kafka_t*, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t* offsets, void* opaque);

  void assign(rd_kafka_topic_partition_list_t& partitions);
  void revoke(rd_kafka_topic_partition_list_t& partitions);
  /// Everything read of the partitions is done with and committed. Whether it is.
  [[nodiscard]] bool settle(const rd_kafka_topic_partition_list_t& partitions);
  /// After an aborted transaction: all that is assigned is read again from what is committed.
  void rewind();
  /// The partition is read again because something that was read of it was refused.
  void take_care(Assignment& assignment) const noexcept;
  void commit_if_due();
  /// Commits what is done, again until it succeeds or the deadline is over. Serves rebalances
  /// meanwhile, unless it is called by one.
  [[nodiscard]] bool commit_until(Clock::time_point deadline, bool in_rebalance);
  bool take_commit_result(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t* offsets);
  void leave(Clock::time_point deadline);
  /// Whether a rebalance may be answered, which waits for the client.
  [[nodiscard]] bool may_answer() noexcept;

  std::string group_;
  std::vector<Subscription> subscriptions_;
  OffsetTracker& tracker_;
  Transaction* transaction_;
  const KafkaSettings& cluster_;
  const RunSettings& settings_;
  ClientHandle client_;
  QueueHandle messages_;
  std::vector<std::optional<Assignment>> assignments_;
  std::optional<Failure> failure_;
  Caution caution_ = Caution::None;
  std::atomic<bool> found_{false};  // since the last rewind
  std::uint64_t attempt_ = 1;
  Clock::time_point last_poll_{};                 // for events
  Clock::time_point last_commit_ = Clock::now();  // asked for
  Clock::time_point close_by_ = Clock::time_point::max();
  bool strict_ = false;  // an offset that is out of range is an error
  bool committing_ = false;
  bool left_ = false;      // the group, or it was tried
  bool answered_ = false;  // a rebalance, since it leaves
  std::atomic<bool> assigned_once_{false};
  std::atomic<std::uint64_t> rebalances_{0};
};

}  // namespace kaspar::nodes::kafka
