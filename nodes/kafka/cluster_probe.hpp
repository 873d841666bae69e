// What a cluster says of topics. Never creates a topic by looking at it. A client of its own, for
// a question asked by a consumer waits until its fetch request is answered.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/kafka/client.hpp"

namespace kaspar::nodes::kafka {

/// What a broker takes where nothing was configured: Kafka's own default of `max.message.bytes`.
inline constexpr std::size_t default_max_message_bytes = 1'048'588;

/// What a record's framing and its batch's header take at most, of what a topic accepts.
inline constexpr std::size_t record_framing = 1'024;

/// The largest record, in bytes of key, value and headers, of a topic that takes batches of so
/// many.
[[nodiscard]] constexpr std::size_t largest_record_within(std::size_t message_bytes) noexcept {
  const std::size_t least_room = message_bytes / 8;
  return message_bytes - (record_framing < least_room ? record_framing : least_room);
}

/// Offsets of the first record of a partition, and after the last one.
struct Watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

struct TopicState {
  int partitions = 0;
  std::vector<std::int32_t> leaderless;
};

/// What an authorizer grants.
struct Operations {
  bool read = false;
  bool write = false;
};

/// One thread at a time. Settings and log outlive it; `connect_timeout` bounds each question.
class ClusterProbe {
 public:
  ClusterProbe(const KafkaSettings& settings, EventLog& log) : settings_(settings), events_(log) {}

  /// Waits until a broker answers, at most KafkaSettings::connect_timeout.
  [[nodiscard]] std::expected<void, Failure> connect();

  /// Gives the connection up; nothing can be asked any more.
  void disconnect() { client_.reset(); }

  /// Whether the cluster is an EmbeddedBroker, of this process or another. After connect().
  [[nodiscard]] bool embedded() const noexcept { return embedded_; }

  /// Number of partitions; nothing where there is no such topic.
  [[nodiscard]] std::expected<std::optional<int>, Failure> partitions(const std::string& topic);

  /// Number of partitions of a topic that must be there. Brokers hear of a topic a little after it
  /// was created, so it is asked for again for a while. `advice` is the way out.
  [[nodiscard]] std::expected<int, Failure> existing(const std::string& topic,
                                                     std::string_view advice);

  /// The same, with the partitions that have no leader.
  [[nodiscard]] std::expected<std::optional<TopicState>, Failure> topic(const std::string& name);

  /// What the user may do with the topic, or with the group; nothing where the cluster or
  /// librdkafka (before 2.3) does not tell.
  [[nodiscard]] std::optional<Operations> topic_operations(const std::string& topic);
  [[nodiscard]] std::optional<Operations> group_operations(const std::string& group);

  /// Whether create() would be granted and succeed; creates nothing. An EmbeddedBroker is not
  /// asked.
  [[nodiscard]] std::expected<void, Failure> may_create(const std::string& topic, int partitions,
                                                        int replication);

  /// Creates a topic and waits until it is served. That it exists already is no failure.
  [[nodiscard]] std::expected<void, Failure> create(const std::string& topic, int partitions,
                                                    int replication);

  [[nodiscard]] std::expected<Watermarks, Failure> watermarks(const std::string& topic,
                                                              std::int32_t partition);

  /// The largest batch of records that the topic takes; Kafka's default where the broker does not
  /// tell.
  [[nodiscard]] std::size_t max_message_bytes(const std::string& topic);

 private:
  [[nodiscard]] std::expected<void, Failure> ask_to_create(const std::string& topic, int partitions,
                                                           int replication, bool validate_only);
  [[nodiscard]] int timeout() const { return static_cast<int>(settings_.connect_timeout.count()); }

  const KafkaSettings& settings_;
  ClientEvents events_;
  ClientHandle client_;
  bool embedded_ = false;
};

/// The failure of a topic that is read or written and does not exist.
[[nodiscard]] Failure missing_topic(std::string_view topic, std::string_view brokers,
                                    std::string_view help);

}  // namespace kaspar::nodes::kafka
