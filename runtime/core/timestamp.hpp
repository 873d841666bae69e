// Points in time and durations as text.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

namespace kaspar {

enum class TimestampError : std::uint8_t { Malformed, OutOfRange };

/// RFC 3339, with a space allowed for the T; milliseconds since 1970 UTC. A finer fraction is cut
/// off.
[[nodiscard]] std::expected<std::int64_t, TimestampError> parse_rfc3339(
    std::string_view text) noexcept;

/// As the language writes it, with an optional sign: `250ms 5s 10m 1h`; milliseconds.
[[nodiscard]] std::expected<std::int64_t, TimestampError> parse_duration(
    std::string_view text) noexcept;

}  // namespace kaspar
