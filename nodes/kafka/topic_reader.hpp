// A plain consumer for clients: all partitions of some topics, outside any group.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// The views live while the record is handled.
struct TopicRecord {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

/// One thread at a time.
class TopicReader {
 public:
  /// Connects, checks that the topics exist, and begins at the first record or after the last one.
  /// Settings and log outlive the reader.
  [[nodiscard]] static std::expected<std::unique_ptr<TopicReader>, Failure> open(
      const KafkaSettings& settings, const std::vector<std::string>& topics, bool from_beginning,
      EventLog& log);
  TopicReader(const TopicReader&) = delete;
  TopicReader& operator=(const TopicReader&) = delete;
  ~TopicReader();

  /// Hands over what has arrived, at most `most` records, waiting for the first one only; how many
  /// there were. It fails where records were deleted before they could be read.
  [[nodiscard]] std::expected<std::size_t, Failure> read(
      const std::function<void(const TopicRecord&)>& handle, std::size_t most,
      std::chrono::milliseconds wait);

  /// Whether everything that the topics hold at this moment was handed over.
  [[nodiscard]] std::expected<bool, Failure> at_end();

 private:
  struct State;
  explicit TopicReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kaspar::nodes::kafka
