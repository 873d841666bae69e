#include "runtime/core/timestamp.hpp"

#include <charconv>

#include <chrono>
#include <cstddef>

namespace kaspar {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Takes exactly `count` digits off the front.
bool take_digits(std::string_view& text, std::size_t count, int& value) noexcept {
  if (text.size() < count) return false;
  value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, char wanted) noexcept {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::expected<std::int64_t, TimestampError> parse_rfc3339(std::string_view text) noexcept {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year) || !take(text, '-') || !take_digits(text, 2, month) ||
      !take(text, '-') || !take_digits(text, 2, day)) {
    return std::unexpected(TimestampError::Malformed);
  }
  if (!take(text, 'T') && !take(text, 't') && !take(text, ' '))
    return std::unexpected(TimestampError::Malformed);
  if (!take_digits(text, 2, hour) || !take(text, ':') || !take_digits(text, 2, minute) ||
      !take(text, ':') || !take_digits(text, 2, second)) {
    return std::unexpected(TimestampError::Malformed);
  }
  std::int64_t milliseconds = 0;
  if (take(text, '.')) {
    if (text.empty() || !is_digit(text.front())) return std::unexpected(TimestampError::Malformed);
    for (std::int64_t unit = 100; !text.empty() && is_digit(text.front()); unit /= 10) {
      milliseconds += unit * (text.front() - '0');
      text.remove_prefix(1);
    }
  }
  int zone_minutes = 0;
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool west = text.starts_with('-');
    if (!west && !text.starts_with('+')) return std::unexpected(TimestampError::Malformed);
    text.remove_prefix(1);
    int zone_hour = 0, zone_minute = 0;
    if (!take_digits(text, 2, zone_hour) || !take(text, ':') ||
        !take_digits(text, 2, zone_minute)) {
      return std::unexpected(TimestampError::Malformed);
    }
    if (zone_hour > 23 || zone_minute > 59) return std::unexpected(TimestampError::OutOfRange);
    zone_minutes = (zone_hour * 60 + zone_minute) * (west ? -1 : 1);
  }
  if (!text.empty()) return std::unexpected(TimestampError::Malformed);
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  // A second 60 is a leap second, which counts as the next minute's first.
  if (!date.ok() || hour > 23 || minute > 59 || second > 60)
    return std::unexpected(TimestampError::OutOfRange);
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t minutes = days * 1440 + hour * 60 + minute - zone_minutes;
  return (minutes * 60 + second) * 1000 + milliseconds;
}

std::expected<std::int64_t, TimestampError> parse_duration(std::string_view text) noexcept {
  std::size_t suffix = 1;
  std::int64_t unit = 0;
  if (text.ends_with("ms")) {
    unit = 1;
    suffix = 2;
  } else if (text.ends_with('s')) {
    unit = 1'000;
  } else if (text.ends_with('m')) {
    unit = 60'000;
  } else if (text.ends_with('h')) {
    unit = 3'600'000;
  } else {
    return std::unexpected(TimestampError::Malformed);
  }
  text.remove_suffix(suffix);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::unexpected(TimestampError::Malformed);
  }
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument) {
    return std::unexpected(TimestampError::Malformed);
  }
  std::int64_t product = 0;
  if (error != std::errc{} || __builtin_mul_overflow(count, unit, &product)) {
    return std::unexpected(TimestampError::OutOfRange);
  }
  return product;
}

}  // namespace kaspar
