// The event log of a run on standard error: JSON lines for machines, plain lines for a terminal.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/core/event_log.hpp"

namespace kaspar::observe {

enum class LogFormat : std::uint8_t {
  Automatic,  // Human where standard error is a terminal, else Json
  Json,       // {"time":"…","level":"info","event":"…","message":"…",fields…}
  Human,
};

/// A log that leaves out what is below `least`. Control characters are escaped in both formats,
/// and bytes that are no UTF-8 are replaced: whatever a record holds, a line stays one line.
[[nodiscard]] std::unique_ptr<EventLog> make_event_log(LogLevel least = LogLevel::Info,
                                                       LogFormat format = LogFormat::Automatic);

}  // namespace kaspar::observe
