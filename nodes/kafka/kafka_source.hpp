// Reads the topics of all Kafka sources of a plan as one member of a consumer group.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nodes/kafka/cluster_probe.hpp"
#include "nodes/kafka/consumer.hpp"
#include "nodes/kafka/group_view.hpp"
#include "nodes/kafka/message_storage.hpp"
#include "nodes/kafka/offset_tracker.hpp"
#include "nodes/kafka/partition_ends.hpp"
#include "nodes/kafka/transaction.hpp"
#include "runtime/core/observable_source.hpp"
#include "runtime/core/run_settings.hpp"
#include "runtime/core/source.hpp"

namespace kaspar::nodes::kafka {

class KafkaSource final : public Source, public ObservableSource {
 public:
  /// The cluster is one of the context's settings. `producer`: what is written of the records, and
  /// with it in transactions the offsets; nullptr: the source commits offsets of what was
  /// acknowledged.
  KafkaSource(std::string group, std::vector<Subscription> subscriptions,
              const KafkaSettings& cluster, const RunContext& context,
              std::shared_ptr<TransactionalProducer> producer = nullptr);
  ~KafkaSource() override;

  [[nodiscard]] std::expected<void, Failure> open() override;
  [[nodiscard]] ReadStatus read(RecordBatch& batch, const ReadLimits& limits) noexcept override;
  void serve(std::chrono::milliseconds wait) noexcept override;
  void acknowledge(const RecordBatch& batch) noexcept override;
  void discard(const RecordBatch& batch, bool found) noexcept override;
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds within) override;
  void describe(SourceSnapshot& snapshot) const override;
  void look_around(std::chrono::milliseconds within, bool group) override;
  [[nodiscard]] const Failure& failure() const noexcept override { return failure_; }

 private:
  /// A message that was fetched and did not fit the batch, or belongs to another endpoint.
  struct Waiting {
    MessageHandle message;
    std::uint32_t index = 0;  // in the tracker
    std::uint64_t epoch = 0;
  };

  /// First in, first out. It keeps its memory, which a deque takes and gives back block by block.
  class Waiters {
   public:
    [[nodiscard]] bool empty() const noexcept { return next_ == all_.size(); }
    [[nodiscard]] Waiting& front() noexcept { return all_[next_]; }
    void push_back(Waiting waiting) { all_.push_back(std::move(waiting)); }
    void pop_front() noexcept {
      all_[next_].message.reset();
      if (++next_ == all_.size()) clear();
    }
    void clear() noexcept {
      all_.clear();
      next_ = 0;
    }

   private:
    std::vector<Waiting> all_;
    std::size_t next_ = 0;
  };

  [[nodiscard]] bool failed();
  /// Whether records may be read now; what has to be read again is sought before.
  [[nodiscard]] bool ready();
  /// Nothing that was read may be discarded any more.
  [[nodiscard]] bool settled() const;
  void fetch(const ReadLimits& limits);
  void sort_in(MessageHandle message);
  void fill(RecordBatch& batch, const ReadLimits& limits);
  void append(RecordBatch& batch, Waiting waiting);
  [[nodiscard]] std::uint32_t index_of(const rd_kafka_message_t& message);

  const KafkaSettings& cluster_;
  const RunContext& context_;
  OffsetTracker tracker_;
  std::unique_ptr<Transaction> transaction_;  // of exactly once
  Consumer consumer_;
  GroupView view_;
  ClusterProbe probe_;
  PartitionEnds ends_;
  Waiters waiting_;
  std::vector<rd_kafka_message_t*> fetched_;
  bool few_fetched_ = false;            // the last time
  std::vector<std::uint32_t> span_of_;  // by tracker index: place in the batch being filled, + 1
  std::size_t record_bytes_ = 512;      // of a typical record, follows what is read
  std::size_t next_careful_ = 0;        // records of the next batch, with care
  const rd_kafka_topic_t* last_topic_ = nullptr;
  std::int32_t last_partition_ = -1;
  std::uint32_t last_index_ = 0;
  Failure failure_;
};

}  // namespace kaspar::nodes::kafka
