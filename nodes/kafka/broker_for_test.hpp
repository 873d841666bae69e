// What the tests of Kafka sources and sinks share: an embedded broker with topics, and what they
// hear.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/kafka/embedded_broker.hpp"
#include "nodes/kafka/kafka_source.hpp"
#include "nodes/kafka/topic_writer.hpp"
#include "runtime/core/event_log.hpp"
#include "runtime/core/sink.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes::kafka {

using namespace std::chrono_literals;

/// Keeps what happened, to be shown where a test fails.
class KeptLog final : public EventLog {
 public:
  void write(LogLevel level, std::string_view event, std::string_view message,
             std::initializer_list<LogField> fields) noexcept override {
    const std::lock_guard lock(mutex_);
    text_ += level >= LogLevel::Warning ? "! " : "  ";
    text_.append(event).append(": ").append(message);
    for (const LogField& field : fields) text_.append(" ").append(field.name) += "=" + field.value;
    text_ += '\n';
  }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

/// A broker with the topics `in` and `out` of two partitions, and settings that lead to it.
struct World {
  World() {
    auto started = EmbeddedBroker::start();
    REQUIRE(started.has_value());
    broker.emplace(std::move(*started));
    REQUIRE(broker->create_topic("in", 2).has_value());
    REQUIRE(broker->create_topic("out", 2).has_value());
    settings.kafka.brokers = broker->address();
    settings.commit_interval = 10ms;
  }

  void write(int first, int count) {
    auto writer = TopicWriter::open(settings.kafka, "in", log, nullptr);
    REQUIRE(writer.has_value());
    for (int i = first; i < first + count; ++i) {
      REQUIRE((*writer)->write(std::to_string(i), "value " + std::to_string(i)).has_value());
    }
    REQUIRE((*writer)->flush(30s).has_value());
  }

  std::unique_ptr<KafkaSource> source(StartOffset start = {}) {
    return std::make_unique<KafkaSource>("group",
                                         std::vector<Subscription>{{.topic = "in", .start = start}},
                                         settings.kafka, context);
  }

  KeptLog log;
  std::optional<EmbeddedBroker> broker;
  RunSettings settings;
  RunContext context{.settings = settings, .log = log};
};

/// The embedded broker of an old librdkafka makes every topic that is asked for.
inline constexpr bool makes_topics = RD_KAFKA_VERSION < 0x020300ff;

using Batches = std::vector<std::unique_ptr<RecordBatch>>;

inline constexpr ReadLimits some{.records = 64, .bytes = 1u << 20, .wait = 50ms};

/// Reads until that many records have come, and keeps their batches.
inline void read(KafkaSource& source, std::size_t count, Batches& batches) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  std::size_t records = 0;
  for (const auto& batch : batches) records += batch->records.size();
  while (records < count) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    auto batch = std::make_unique<RecordBatch>();
    const ReadStatus status = source.read(*batch, some);
    REQUIRE(status != ReadStatus::Failed);
    if (status != ReadStatus::Records) continue;
    records += batch->records.size();
    batches.push_back(std::move(batch));
  }
}

inline std::multiset<std::string> keys(const Batches& batches) {
  std::multiset<std::string> found;
  for (const auto& batch : batches) {
    for (const Record& record : batch->records) found.emplace(record.key);
  }
  return found;
}

class Heard final : public DeliveryListener {
 public:
  void delivered() noexcept override { ++delivered_; }
  void failed(Failure failure) noexcept override {
    ++failed_;
    why_ = failure.message;
  }
  void discarded() noexcept override { ++discarded_; }
  void refused(std::span<const std::size_t> records, std::string_view why) noexcept override {
    why_ = why;
    refused_ = {records.begin(), records.end()};
    ++refusals_;
  }
  std::atomic<int> delivered_{0};
  std::atomic<int> discarded_{0};
  std::atomic<int> failed_{0};
  std::atomic<int> refusals_{0};
  std::vector<std::size_t> refused_;
  std::string why_;
};

}  // namespace kaspar::nodes::kafka
