// Turns the text of a field into a value of the language's types.
#pragma once

#include <cstdint>
#include <string_view>

namespace kaspar::nodes::csv {

enum class ValueError : std::uint8_t { None, Malformed, OutOfRange };

/// The text without the spaces and tabs around it.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

// Each takes trimmed text and leaves `value` alone unless it answers None.

/// `true`, `false` in any case, `1`, `0`.
[[nodiscard]] ValueError read_value(std::string_view text, bool& value) noexcept;
/// Decimal digits with an optional sign.
[[nodiscard]] ValueError read_value(std::string_view text, std::int64_t& value) noexcept;
/// Decimal or scientific notation with an optional sign, `nan` and `inf`; the nearest float. What
/// is too small becomes 0, what is too large is OutOfRange.
[[nodiscard]] ValueError read_value(std::string_view text, float& value) noexcept;
[[nodiscard]] ValueError read_value(std::string_view text, double& value) noexcept;
/// RFC 3339 (a space may stand for the T), or an integer; milliseconds since 1970 UTC. A finer
/// fraction is cut off.
[[nodiscard]] ValueError read_timestamp(std::string_view text, std::int64_t& value) noexcept;
/// As in the language: `250ms 5s 10m 1h`, with an optional minus; milliseconds.
[[nodiscard]] ValueError read_duration(std::string_view text, std::int64_t& value) noexcept;

}  // namespace kaspar::nodes::csv
