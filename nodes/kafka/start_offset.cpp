#include "nodes/kafka/start_offset.hpp"

#include <charconv>

#include "runtime/core/timestamp.hpp"

namespace kaspar::nodes::kafka {

std::optional<StartOffset> parse_start_offset(std::string_view text) noexcept {
  if (text == "earliest") return StartOffset{};
  if (text == "latest") return StartOffset{.kind = StartOffset::Kind::Latest};
  StartOffset start{.kind = StartOffset::Kind::Timestamp};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, start.timestamp);
  if (error == std::errc{} && stop == end && start.timestamp >= 0) return start;
  const auto timestamp = parse_rfc3339(text);
  if (!timestamp) return std::nullopt;
  start.timestamp = *timestamp;
  return start;
}

}  // namespace kaspar::nodes::kafka
