// A record as a line for people (`topic = … key = … value = …`) and for programs (JSON).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kaspar::cli {

/// What `produce`, `consume` and `run --embedded` print of a record.
struct PrintedRecord {
  std::string_view topic;
  std::optional<std::string_view> key;    // absent: null
  std::optional<std::string_view> value;  // absent: null
};

/// "topic = T key = K value = V", without a line end. Control characters are escaped as \n, \t,
/// \xNN, so that a record stays one line; a null key or value is `null`.
[[nodiscard]] std::string record_line(const PrintedRecord& record);

/// {"topic":"T","key":"K","value":"V"} on one line. Bytes that are no UTF-8 are written as
/// "base64:…", null as null.
[[nodiscard]] std::string record_json(const PrintedRecord& record);

/// The key of the `row`-th record that is fed from a clock that starts at `start` (seconds since
/// 1970 UTC) and goes on by one second a row: "22-11-2026 10:00:00".
[[nodiscard]] std::string clock_key(std::int64_t start, std::uint64_t row);

}  // namespace kaspar::cli
