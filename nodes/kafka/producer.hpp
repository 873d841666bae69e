// Writes the records of all Kafka sinks of a plan: idempotent, acknowledged by all replicas, each
// record delivered or told to have failed.
//
// One thread at a time owns the client, so that order is kept: the producer's own, or one that has
// a few records to write and finds nothing before them. Where records come one by one, waking
// another thread costs more than all else; so the writer hears their delivery reports too, as long
// as it comes back for them (serve), and the producer's thread looks after what is left. Values are
// not copied unless they are small: their owner waits for the listener.
//
// When a broker refuses a record for what it is, the whole request fails, and with it the order of
// its partition. Everything of the same attempt at reading (WriteTerms::transaction) that is not
// delivered is discarded then, and what is of the next one is written by a new client.
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
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
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
  void write(std::size_t topic, std::span<const OutputRecord> records, const WriteTerms& terms,
             DeliveryListener& listener) noexcept;

  /// Any thread that comes back for more, with no lock of its own: hears of deliveries if what was
  /// last written was enqueued by its writer, and no thread owns the client.
  void serve() noexcept;
  /// Whoever serves is about to wait: from now on the producer's thread hears of deliveries.
  void listen() noexcept;

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
    WriteTerms terms = {};
    DeliveryListener* listener = nullptr;
  };

  /// A job whose records are under way.
  struct Write {
    std::size_t slot = 0;  // in deliveries_
    DeliveryListener* listener = nullptr;
    std::size_t topic = 0;
    WriteTerms terms = {};
    std::size_t remaining = 0;
    std::optional<std::string> failure;  // of the first record that failed
    bool retracted = false;              // some record is discarded
    std::string refusal;                 // why some were refused
    std::vector<std::size_t> refused;    // those that are known to be the reason
    /// Those that may be, in this partition: index, partition.
    std::vector<std::pair<std::size_t, std::int32_t>> suspects;
  };

  /// What a kind of producer adds to the client's properties.
  virtual void configure(ClientConfiguration& configuration) const { (void)configuration; }
  /// The client is made; the thread has not begun.
  [[nodiscard]] virtual std::expected<void, Failure> ready() { return {}; }
  // By who owns the client:
  virtual void take(const Job& job);
  /// Whether the thread that writes may enqueue it too: no more is to be done than that.
  [[nodiscard]] virtual bool is_plain_write(const Job& job) const;
  // By the producer's thread:
  /// After all that was taken.
  virtual void work(bool closing);
  /// Whether a record that was given up for this is discarded, and not failed.
  [[nodiscard]] virtual bool retracts(const Write& write, rd_kafka_resp_err_t code);

  void produce(const Job& job);
  void discard(const Job& job);
  void log_refusal(const Write& write, rd_kafka_resp_err_t code);
  /// Delivery reports were served: tells what is discarded.
  void reports_heard();
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

  // What a message carries to its report: which write it belongs to, and which record of it it is.
  static constexpr unsigned index_bits = 32;
  static constexpr std::uintptr_t index_mask = 0xffff'ffff;
  static_assert(sizeof(void*) == sizeof(std::uint64_t));
  [[nodiscard]] static void* tag(std::size_t slot, std::size_t index) noexcept {
    return reinterpret_cast<void*>(slot << index_bits | index);
  }

  [[nodiscard]] std::expected<void, Failure> look_up();  // fills `largest_`
  [[nodiscard]] std::expected<void, Failure> make();
  [[nodiscard]] std::expected<void, Failure> connect();
  [[nodiscard]] std::expected<std::vector<TopicHandle>, Failure> make_topics(
      rd_kafka_t* client) const;
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);

  void run() noexcept;
  void wait_for_work(bool renewing);
  /// Whether the thread may leave hearing of deliveries to who serves.
  [[nodiscard]] bool may_trust();
  /// Takes the client if no thread owns it and nothing waits for the producer's.
  [[nodiscard]] bool take_over() noexcept;
  /// Gives it back; wakes the producer's thread for what others do not do. `direct`: what was last
  /// written was enqueued by its writer.
  void hand_back(bool direct) noexcept;
  /// Enqueues a job if nothing is before it, and no thread owns the client.
  [[nodiscard]] bool write_directly(const Job& job) noexcept;
  /// Whether librdkafka has copied the values, beside the keys.
  bool produce_range(const Job& job, std::size_t first, std::size_t last, Write& delivery);
  void produce_singly(const Job& job, Write& delivery);
  bool produce_plain(const Job& job, std::size_t first, std::size_t last, Write& delivery);
  void produce_one(const Job& job, std::size_t index, Write& delivery);
  void reported(Write& delivery, rd_kafka_resp_err_t code, std::size_t index,
                std::int32_t partition);
  void suspect(Write& delivery, rd_kafka_resp_err_t code, std::size_t index,
               std::int32_t partition);
  void tell(Write& delivery);
  [[nodiscard]] bool follows_from_refusal(rd_kafka_resp_err_t code) const;
  [[nodiscard]] bool must_give_up();

  std::vector<ProducedTopic> topics_;
  Delivery delivery_;
  const KafkaSettings& cluster_;
  const RunContext& context_;
  std::vector<std::size_t> largest_;
  Properties limits_;                   // that follow from what topics take
  std::atomic<std::size_t> untold_{0};  // writes
  ClientHandle client_;
  std::vector<TopicHandle> handles_;
  // Eventfds that wake the thread:
  int wakeup_ = -1;    // there is something to do
  int reported_ = -1;  // librdkafka has something to tell; not waited for while writers hear it

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_;   // under the mutex, as what follows
  bool owned_ = false;      // the client is, and all that is named below
  bool direct_ = false;     // what was last written was enqueued by its writer, and is not much
  bool attentive_ = false;  // whoever serves came back soon
  bool trusted_ = false;    // the thread does not listen, for others do
  std::chrono::steady_clock::time_point served_at_;
  bool closing_ = false;
  bool give_up_ = false;
  bool finished_ = false;
  std::size_t given_up_ = 0;  // records

  // The owner's own.
  std::vector<Job> taken_;
  std::vector<rd_kafka_message_t> messages_;
  std::deque<Write> deliveries_;  // stable addresses
  std::vector<Write*> free_;
  std::size_t under_way_ = 0;  // deliveries
  // Of the reports that are being heard:
  std::vector<Write*> suspected_;
  std::vector<Write*> retracted_;
  std::set<std::pair<std::size_t, std::int32_t>> told_apart_;  // topic, partition
  // At least once:
  std::uint64_t attempt_ = 0;       // what is of an earlier one is discarded
  bool renewing_ = false;           // once nothing is under way, the client is made anew
  bool purging_ = false;            // because something was refused: what is queued is not written
  bool refusal_told_ = false;       // in the log
  bool careful_ = false;            // the client has one request under way at a time
  std::deque<Job> waiting_;         // for the new client
  std::optional<Failure> failure_;  // no client can be made

  std::chrono::milliseconds trust_{0};  // the thread's: so long it leaves hearing to others
  std::thread thread_;
};

}  // namespace kaspar::nodes::kafka
