// How one event reads, in each format of the log.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "runtime/core/event_log.hpp"

namespace kaspar::observe {

using LogTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// {"time":"2024-05-01T10:00:00.000Z","level":"info","event":"…","pipeline":"…","message":"…",fields…}
/// An empty `pipeline` is left out.
[[nodiscard]] std::string json_line(LogTime time, LogLevel level, std::string_view event,
                                    std::string_view pipeline, std::string_view message,
                                    std::span<const LogField> fields);

/// 10:00:00.000 info  message (name=value, …)
[[nodiscard]] std::string human_line(LogTime time, LogLevel level, std::string_view event,
                                     std::string_view message, std::span<const LogField> fields,
                                     bool coloured = false);

}  // namespace kaspar::observe
