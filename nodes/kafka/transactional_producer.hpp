// A producer whose records become visible with the offsets of what they were made of, or not at
// all.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "nodes/kafka/producer.hpp"
#include "nodes/kafka/transaction_calls.hpp"

namespace kaspar::nodes::kafka {

/// Its thread makes all transaction calls. Records carry the number of their transaction: those of
/// the next one wait until the present one is committed, those of aborted ones are discarded.
///
/// Once something of a transaction fails, nothing more is produced, and what comes is discarded,
/// until recover() has ended it.
class TransactionalProducer final : public Producer {
 public:
  /// `id` is the transactional id: of all live producers with the same one, the youngest works.
  TransactionalProducer(std::vector<ProducedTopic> topics, std::string id,
                        const KafkaSettings& cluster, const RunContext& context);
  ~TransactionalProducer() override;

  /// What a commit makes visible: every record of the transaction was delivered.
  struct Commit {
    std::uint64_t number = 0;
    PartitionList offsets;
    GroupMetadata metadata;
  };
  struct Report {
    enum class Kind : std::uint8_t { Committed, Recovered, Failed };
    Kind kind = Kind::Committed;
    std::uint64_t number = 0;  // that was committed, or that is next
    Failure failure = {};      // of Failed: the producer is of no use any more
  };

  // The following are called by the thread that drives transactions; none blocks.

  /// `told` is called by the producer's thread after each report and each trouble. Before open().
  void on_news(std::function<void()> told) { told_ = std::move(told); }
  /// Ends in a report, or in trouble().
  void commit(Commit request);
  /// Aborts what is open, whatever its state, and discards all that belongs to a transaction before
  /// `next`. Ends in a report, however long brokers are away.
  void recover(std::uint64_t next);
  [[nodiscard]] std::optional<Report> take_report();
  /// Why the open transaction cannot be committed.
  struct Trouble {
    std::string why;
    bool refused = false;  // a record, which has to be found
  };
  [[nodiscard]] std::optional<Trouble> trouble() const;

  /// Gives up what is open, and closes before long.
  void end();

  /// Waits until everything written is told to its listener.
  [[nodiscard]] std::expected<void, Failure> finish(std::chrono::milliseconds within) override;

 private:
  void configure(ClientConfiguration& configuration) const override;
  [[nodiscard]] std::expected<void, Failure> ready() override;
  void take(const Job& job) override;
  /// A commit may hold the client for long.
  [[nodiscard]] bool is_plain_write(const Job&) const override { return false; }
  void work(bool closing) override;
  [[nodiscard]] bool retracts(const Write& write, rd_kafka_resp_err_t code) override;

  [[nodiscard]] TransactionPatience within(std::chrono::milliseconds time) const;
  void give_up(std::string why, bool refused = false);
  /// By what a call that failed says.
  void end(const TransactionResult& result);
  void discard_held();
  void make_commit(Commit& request);
  void make_recovery(std::uint64_t next);
  [[nodiscard]] bool renew();
  [[nodiscard]] bool settle_predecessor();
  void report(Report report);
  void fail(const TransactionResult& result);

  const std::string id_;
  std::chrono::milliseconds timeout_;
  std::function<void()> told_;
  std::atomic<bool> ending_{false};

  mutable std::mutex requests_;
  // Under this mutex:
  std::optional<Commit> commit_;
  std::optional<std::uint64_t> recover_;
  std::vector<Report> reports_;
  std::optional<Trouble> trouble_;

  // The thread's own.
  std::deque<Job> held_;         // of the next transaction
  std::uint64_t producing_ = 1;  // the transaction whose records are produced
  bool begun_ = false;           // it is, for librdkafka
  bool failed_ = false;          // nothing is produced
  bool refused_ = false;         // for a record that was refused
  bool lost_ = false;            // the client cannot end its transaction
  bool new_ = false;             // the client has not ended its predecessor's
  bool dead_ = false;            // reported as Failed
};

}  // namespace kaspar::nodes::kafka
