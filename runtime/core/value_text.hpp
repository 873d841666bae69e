// How values are written: numbers in the shortest form that reads back, times, escapes, base64.
// Everything appends to a string whose memory the caller reuses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kaspar {

void append_number(std::string& out, std::int64_t value);
/// The shortest decimal form that reads back as the same float or double. The value is finite.
void append_number(std::string& out, float value);
void append_number(std::string& out, double value);

/// RFC 3339 in UTC, with milliseconds where there are any: `2009-02-13T23:31:30.123Z`.
void append_timestamp(std::string& out, std::int64_t milliseconds);
/// As in the language, in the largest unit that divides it: `90s`.
void append_duration(std::string& out, std::int64_t milliseconds);

[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;
/// The bytes where they are UTF-8, else `base64:` and their base64 form (RFC 4648).
void append_bytes(std::string& out, std::string_view bytes);

/// The text in quotes, escaped as JSON demands (RFC 8259). The text is UTF-8.
void append_json_string(std::string& out, std::string_view text);
/// The text as a CSV field (RFC 4180): in quotes where it holds a quote, a comma, a line break, or
/// is empty but not null.
void append_csv_string(std::string& out, std::string_view text);

}  // namespace kaspar
