// A plain producer for clients and feeds: one record after another to one topic.
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

#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// Idempotent, acknowledged by all in-sync replicas, partitions as the Java client's; outages are
/// waited out. One thread at a time.
class TopicWriter {
 public:
  /// Called by write() and flush() for each record delivered, in the order of a partition.
  using Delivered =
      std::function<void(std::optional<std::string_view> key, std::string_view value)>;

  /// Connects and checks that the topic exists. Settings and log outlive the writer.
  [[nodiscard]] static std::expected<std::unique_ptr<TopicWriter>, Failure> open(
      const KafkaSettings& settings, const std::string& topic, EventLog& log, Delivered delivered);
  TopicWriter(const TopicWriter&) = delete;
  TopicWriter& operator=(const TopicWriter&) = delete;
  /// What was not delivered by then is given up.
  ~TopicWriter();

  /// Copies the record and sends it; waits while much is under way. A failure is final: of this
  /// record or of an earlier one.
  [[nodiscard]] std::expected<void, Failure> write(std::optional<std::string_view> key,
                                                   std::string_view value);

  /// Waits until everything is delivered, at most so long.
  [[nodiscard]] std::expected<void, Failure> flush(std::chrono::milliseconds within);
  /// Records written and not yet delivered.
  [[nodiscard]] std::size_t under_way() const;

 private:
  struct State;
  explicit TopicWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kaspar::nodes::kafka
