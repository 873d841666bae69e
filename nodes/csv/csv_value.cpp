#include "nodes/csv/csv_value.hpp"

#include <fast_float/fast_float.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

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

template <class T>
struct Exact;
template <>
struct Exact<float> {
  static constexpr std::uint64_t mantissa = std::uint64_t{1} << 24;
  static constexpr std::array<float, 11> powers{1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
                                                1e6F, 1e7F, 1e8F, 1e9F, 1e10F};
};
template <>
struct Exact<double> {
  static constexpr std::uint64_t mantissa = std::uint64_t{1} << 53;
  static constexpr std::array<double, 23> powers{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
};

template <class T>
bool read_plain_float(const char*& next, const char* end, char delimiter, T& value) noexcept {
  constexpr std::ptrdiff_t max_digits = 19;  // all that surely fit 64 bits
  const char* p = next;
  const bool negative = p != end && *p == '-';
  if (negative) ++p;
  std::uint64_t mantissa = 0;
  const char* const integer = p;
  while (p != end && is_digit(*p))
    mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p++ - '0');
  std::ptrdiff_t digits = p - integer;
  if (digits == 0) return false;
  std::ptrdiff_t decimals = 0;
  if (p != end && *p == '.') {
    const char* const fraction = ++p;
    while (p != end && is_digit(*p)) {
      mantissa = mantissa * 10 + static_cast<std::uint64_t>(*p++ - '0');
    }
    decimals = p - fraction;
    if (decimals == 0) return false;
    digits += decimals;
  }
  if (digits > max_digits || mantissa > Exact<T>::mantissa ||
      decimals >= static_cast<std::ptrdiff_t>(Exact<T>::powers.size()) ||
      (p != end && *p != delimiter)) {
    return false;
  }
  const T read = static_cast<T>(mantissa) / Exact<T>::powers[static_cast<std::size_t>(decimals)];
  value = negative ? -read : read;
  next = p;
  return true;
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

bool read_plain(const char*& next, const char* end, char delimiter, float& value) noexcept {
  return read_plain_float(next, end, delimiter, value);
}
bool read_plain(const char*& next, const char* end, char delimiter, double& value) noexcept {
  return read_plain_float(next, end, delimiter, value);
}

}  // namespace kaspar::nodes::csv
