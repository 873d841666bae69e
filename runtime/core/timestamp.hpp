// Points in time as text.
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

}  // namespace kaspar
