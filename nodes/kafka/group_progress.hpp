// How far a consumer group is, seen from outside.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// One thread at a time.
class GroupProgress {
 public:
  /// Settings and log outlive it.
  [[nodiscard]] static std::expected<std::unique_ptr<GroupProgress>, Failure> open(
      const KafkaSettings& settings, const std::string& group, const std::string& topic,
      EventLog& log);
  GroupProgress(const GroupProgress&) = delete;
  GroupProgress& operator=(const GroupProgress&) = delete;
  ~GroupProgress();

  /// Whether the group has committed everything that the topic holds at this moment.
  [[nodiscard]] std::expected<bool, Failure> at_end();

 private:
  struct State;
  explicit GroupProgress(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kaspar::nodes::kafka
