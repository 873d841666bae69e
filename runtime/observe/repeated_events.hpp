// Which events of a log only repeat what was just told.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/event_log.hpp"

namespace kaspar::observe {

/// One thread at a time. It remembers a bounded number of events.
class RepeatedEvents {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds window{10};
  static constexpr std::size_t most = 256;

  struct Repeated {
    LogLevel level = LogLevel::Warning;
    std::string event;
    std::string message;
    std::vector<std::pair<std::string, std::string>> fields;
    std::uint64_t count = 0;  // of those that were not told
  };

  /// Whether the event is to be told; otherwise it is counted.
  [[nodiscard]] bool tells(LogLevel level, std::string_view event, std::string_view message,
                           std::initializer_list<LogField> fields, Clock::time_point now);
  /// What was counted and whose window is over by now, or all.
  [[nodiscard]] std::vector<Repeated> due(Clock::time_point now, bool all = false);

 private:
  struct Known {
    Repeated repeated;
    Clock::time_point told;
  };
  std::map<std::string, Known> known_;
};

}  // namespace kaspar::observe
