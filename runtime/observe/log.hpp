// The event log of a run on standard error: JSON lines for machines, plain lines for a terminal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/core/event_log.hpp"

namespace kaspar::observe {

enum class LogFormat : std::uint8_t {
  Automatic,  // Human where standard error is a terminal, else Json
  Json,       // {"time":"…","level":"info","event":"…","pipeline":"…","message":"…",fields…}
  Human,
};

/// Warnings and errors that repeat themselves word for word are told once in ten seconds, and then
/// how many more there were (`repeated`).
class Log : public EventLog {
 public:
  /// One line that is shown below all others, until the next one takes its place; empty: none. For
  /// the human format on a terminal; else it does nothing.
  virtual void show_progress(std::string_view line) = 0;
  [[nodiscard]] virtual bool shows_progress() const noexcept = 0;
  /// Tells of what was repeated and is due. Call it now and then.
  virtual void tell_repeated() = 0;
};

/// A log that leaves out what is below `least`. Control characters are escaped in both formats,
/// and bytes that are no UTF-8 are replaced: whatever a record holds, a line stays one line.
/// `pipeline`: stands in every JSON line; empty: does not.
[[nodiscard]] std::unique_ptr<Log> make_event_log(LogLevel least = LogLevel::Info,
                                                  LogFormat format = LogFormat::Automatic,
                                                  std::string pipeline = {});

}  // namespace kaspar::observe
