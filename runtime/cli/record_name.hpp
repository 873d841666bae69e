// A record as the command line names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kaspar::cli {

struct RecordName {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

/// `topic:partition:offset`; nothing where it is something else.
[[nodiscard]] std::optional<RecordName> parse_record_name(std::string_view text);

}  // namespace kaspar::cli
