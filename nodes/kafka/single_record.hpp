// One record of a topic by its offset, and where another one would go: for looking at what a
// pipeline does, outside any group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

struct SingleRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;  // milliseconds since 1970 UTC; -1: none
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

/// Fetches records. One thread at a time; settings and log outlive it.
class RecordFetcher {
 public:
  /// Connects. `committed`: what transactions did not commit is not seen.
  [[nodiscard]] static std::expected<std::unique_ptr<RecordFetcher>, Failure> open(
      const KafkaSettings& settings, bool committed, EventLog& log);
  RecordFetcher(const RecordFetcher&) = delete;
  RecordFetcher& operator=(const RecordFetcher&) = delete;
  ~RecordFetcher();

  /// The record with that offset. A failure where there is none: the topic, the partition or the
  /// offset does not exist, it was deleted or compacted away, or it is a transaction's marker.
  [[nodiscard]] std::expected<SingleRecord, Failure> fetch(const std::string& topic,
                                                           std::int32_t partition,
                                                           std::int64_t offset);

 private:
  struct State;
  explicit RecordFetcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What a sink's topic takes.
struct TopicRoom {
  std::int32_t partitions = 0;
  std::size_t largest_record = 0;  // in bytes of key, value and headers
};

/// What brokers say of a topic; nothing where none answers in time or there is no such topic.
/// Creates nothing.
[[nodiscard]] std::optional<TopicRoom> room_of_topic(const KafkaSettings& settings,
                                                     const std::string& topic, EventLog& log);

/// Where a record with this key goes, by the name of a partitioner as sinks have it; nothing where
/// that is left to chance.
[[nodiscard]] std::optional<std::int32_t> partition_for(std::string_view partitioner,
                                                        std::optional<std::string_view> key,
                                                        std::int32_t partitions);

}  // namespace kaspar::nodes::kafka
