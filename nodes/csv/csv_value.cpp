#include "nodes/csv/csv_value.hpp"

#include <fast_float/fast_float.h>

#include <charconv>
#include <cmath>

#include "runtime/core/timestamp.hpp"

namespace kaspar::nodes::csv {
namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_word(std::string_view text, std::string_view word) noexcept {
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != word[i]) return false;
  }
  return true;
}

template <class T>
ValueError read_float(std::string_view text, T& value) noexcept {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) return ValueError::Malformed;
  }
  T read = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = fast_float::from_chars(text.data(), end, read);
  if (stop != end || text.empty() || error == std::errc::invalid_argument) {
    return ValueError::Malformed;
  }
  if (std::isinf(read)) {
    const char first = lower(text.front() == '-' ? text[1] : text.front());
    if (first != 'i') return ValueError::OutOfRange;
  }
  value = read;
  return ValueError::None;
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

ValueError read_value(std::string_view text, bool& value) noexcept {
  if (text == "1" || equals_word(text, "true")) {
    value = true;
  } else if (text == "0" || equals_word(text, "false")) {
    value = false;
  } else {
    return ValueError::Malformed;
  }
  return ValueError::None;
}

ValueError read_value(std::string_view text, std::int64_t& value) noexcept {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return ValueError::Malformed;
  }
  std::int64_t read = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, read);
  if (error == std::errc::invalid_argument || stop != end) return ValueError::Malformed;
  if (error != std::errc{}) return ValueError::OutOfRange;
  value = read;
  return ValueError::None;
}

ValueError read_value(std::string_view text, float& value) noexcept {
  return read_float(text, value);
}
ValueError read_value(std::string_view text, double& value) noexcept {
  return read_float(text, value);
}

ValueError read_timestamp(std::string_view text, std::int64_t& value) noexcept {
  const ValueError as_integer = read_value(text, value);
  if (as_integer != ValueError::Malformed) return as_integer;

  const auto read = parse_rfc3339(text);
  if (!read) {
    return read.error() == TimestampError::Malformed ? ValueError::Malformed
                                                     : ValueError::OutOfRange;
  }
  value = *read;
  return ValueError::None;
}

ValueError read_duration(std::string_view text, std::int64_t& value) noexcept {
  const auto read = parse_duration(text);
  if (!read) {
    return read.error() == TimestampError::OutOfRange ? ValueError::OutOfRange
                                                      : ValueError::Malformed;
  }
  value = *read;
  return ValueError::None;
}

}  // namespace kaspar::nodes::csv
