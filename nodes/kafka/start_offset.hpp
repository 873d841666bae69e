// Where to begin in a partition of which the group has committed nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kaspar::nodes::kafka {

struct StartOffset {
  enum class Kind : std::uint8_t { Earliest, Latest, Timestamp };
  Kind kind = Kind::Earliest;
  std::int64_t timestamp = 0;  // milliseconds since 1970 UTC: the first record not before it
};

/// `earliest`, `latest`, an RFC 3339 timestamp or milliseconds since 1970 UTC.
[[nodiscard]] std::optional<StartOffset> parse_start_offset(std::string_view text) noexcept;

}  // namespace kaspar::nodes::kafka
