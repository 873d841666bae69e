// Where a running pipeline tells what happens to it; runtime/observe writes it out.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace kaspar {

enum class LogLevel : std::uint8_t { Debug, Info, Warning, Error };

struct LogField {
  std::string_view name;
  std::string value;
};

/// Thread-safe. Never call it per record.
class EventLog {
 public:
  virtual ~EventLog() = default;
  /// `event` is a short stable name ("partitions_assigned"), `message` a sentence for people.
  virtual void write(LogLevel level, std::string_view event, std::string_view message,
                     std::initializer_list<LogField> fields = {}) noexcept = 0;
};

}  // namespace kaspar
