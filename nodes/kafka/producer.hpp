// Writes the records of all Kafka sinks of a plan: idempotent, acknowledged by all replicas, each
// record delivered or told to have failed.
//
// One thread owns the client: it alone enqueues, so that order is kept, and it alone hears delivery
// reports. Values are not copied unless they are small: their owner waits for the listener.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "nodes/kafka/client.hpp"
#include "nodes/kafka/topic_creation.hpp"
#include "runtime/core/batch.hpp"
#include "runtime/core/run_settings.hpp"
#include "runtime/core/sink.hpp"

namespace kaspar::nodes::kafka {

struct ProducedTopic {
  std::string name;
  std::string compression = "none";
  std::string partitioner = "murmur2";
  std::optional<TopicCreation> create;  // where it does not exist
};

/// Whether what is not delivered ends the run.
enum class Delivery : std::uint8_t {
  Reliable,    // tried again for ever
  BestEffort,  // given up after half a minute; the listener hears of it
};

class Producer : private ClientEvents {
 public:
  /// The cluster is one of the context's settings.
  Producer(std::vector<ProducedTopic> topics, Delivery delivery, const KafkaSettings& cluster,
           const RunContext& context);
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  virtual ~Producer();

  /// Connects, checks or creates every topic. Best effort goes on without its cluster or a topic,
  /// and says so. Further calls do nothing.
  [[nodiscard]] std::expected<void, Failure> open();

  /// The largest record of a topic (its index in `topics`), in bytes of key, value and headers.
  [[nodiscard]] std::size_t largest_record(std::size_t topic) const noexcept {
    return largest_[topic];
  }

  /// Any thread; calls for one topic keep their order. Never blocks.
  void write(std::size_t topic, std::span<const OutputRecord> records, std::uint64_t transaction,
             DeliveryListener& listener) noexcept;

  /// No sink writes any more: waits for what is under way. Further calls do nothing.
  [[nodiscard]] virtual std::expected<void, Failure> finish(std::chrono::milliseconds within) {
    return close(within);
  }

  /// No more writes follow. Waits for what is under way, then gives it up. Further calls do
  /// nothing.
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds within);

 protected:
  struct Job {
    std::size_t topic = 0;
    std::span<const OutputRecord> records;
    std::uint64_t transaction = 0;
    DeliveryListener* listener = nullptr;
  };

  /// What a kind of producer adds to the client's properties.
  virtual void configure(ClientConfiguration& configuration) const { (void)configuration; }
  /// The client is made; the thread has not begun.
  [[nodiscard]] virtual std::expected<void, Failure> ready() { return {}; }
  // By the producer's thread:
  virtual void take(const Job& job) { produce(job); }
  /// After all that was taken.
  virtual void work(bool closing) { (void)closing; }
  /// Whether a record that was given up for this is discarded, and not failed.
  [[nodiscard]] virtual bool retracts(rd_kafka_resp_err_t code) { return (void)code, false; }

  void produce(const Job& job);
  /// A listener was told.
  void told() noexcept;
  [[nodiscard]] bool wait_until_told(std::chrono::milliseconds within);
  /// Gives up what is under way, and makes a client like the present one.
  [[nodiscard]] std::expected<void, Failure> reconnect();
  void wake() noexcept;
  using ClientEvents::fatal;
  [[nodiscard]] rd_kafka_t* client() const noexcept { return client_.get(); }
  [[nodiscard]] const RunContext& context() const noexcept { return context_; }
  [[nodiscard]] const KafkaSettings& cluster() const noexcept { return cluster_; }

 private:
  friend ClientEvents;

  /// A job whose records are under way.
  struct Write {
    DeliveryListener* listener = nullptr;
    std::size_t topic = 0;
    std::size_t remaining = 0;
    std::optional<std::string> refusal;  // of the first record that failed
    bool retracted = false;              // some record is discarded
  };

  [[nodiscard]] std::expected<void, Failure> look_up();  // fills `largest_`
  [[nodiscard]] std::expected<void, Failure> make();
  [[nodiscard]] std::expected<void, Failure> connect();
  [[nodiscard]] std::expected<void, Failure> make_topics();
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);

  void run() noexcept;
  void wait_for_work(int milliseconds);
  /// Whether librdkafka has copied the values, beside the keys.
  bool produce_plain(const Job& job, std::size_t first, std::size_t last, Write& delivery);
  void produce_one(const Job& job, const OutputRecord& record, Write& delivery);
  void reported(Write& delivery, rd_kafka_resp_err_t code);

  std::vector<ProducedTopic> topics_;
  Delivery delivery_;
  const KafkaSettings& cluster_;
  const RunContext& context_;
  std::vector<std::size_t> largest_;
  Properties limits_;                   // that follow from what topics take
  std::atomic<std::size_t> untold_{0};  // writes
  ClientHandle client_;
  std::vector<TopicHandle> handles_;
  int wakeup_ = -1;  // an eventfd: jobs and librdkafka's events wake the thread alike

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;  // under the mutex, as what follows
  bool closing_ = false;
  bool give_up_ = false;
  bool finished_ = false;
  std::size_t given_up_ = 0;  // records

  // The thread's own.
  std::vector<Job> taken_;
  std::vector<rd_kafka_message_t> messages_;
  std::deque<Write> deliveries_;  // stable addresses
  std::vector<Write*> free_;
  std::size_t under_way_ = 0;  // deliveries

  std::thread thread_;
};

}  // namespace kaspar::nodes::kafka
