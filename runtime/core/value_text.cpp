#include "runtime/core/value_text.hpp"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <chrono>
#include <iterator>

#include <fmt/format.h>

namespace kaspar {
namespace {

template <class T>
void append_chars(std::string& out, T value) {
  std::array<char, 32> text;  // the longest shortest double has 24
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::size_t i = 0;
  const auto at = [&](std::size_t index) {
    return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
  };
  for (; i < bytes.size(); i += 3) {
    const unsigned group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += digits[group >> 18 & 63U];
    out += digits[group >> 12 & 63U];
    out += i + 1 < bytes.size() ? digits[group >> 6 & 63U] : '=';
    out += i + 2 < bytes.size() ? digits[group & 63U] : '=';
  }
}

}  // namespace

void append_number(std::string& out, std::int64_t value) { append_chars(out, value); }
void append_number(std::string& out, float value) { append_chars(out, value); }
void append_number(std::string& out, double value) { append_chars(out, value); }

void append_timestamp(std::string& out, std::int64_t milliseconds) {
  using namespace std::chrono;
  // Years beyond 0000–9999 have no RFC 3339 form; an integer reads back as well.
  constexpr std::int64_t first = -62'167'219'200'000;
  constexpr std::int64_t last = 253'402'300'799'999;
  if (milliseconds < first || milliseconds > last) return append_number(out, milliseconds);
  const sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{milliseconds}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count());
  if (clock.subseconds().count() != 0) {
    fmt::format_to(std::back_inserter(out), ".{:03}", clock.subseconds().count());
  }
  out += 'Z';
}

void append_duration(std::string& out, std::int64_t milliseconds) {
  struct Unit {
    std::int64_t size;
    std::string_view name;
  };
  static constexpr std::array<Unit, 3> units{{{3'600'000, "h"}, {60'000, "m"}, {1'000, "s"}}};
  for (const Unit& unit : units) {
    if (milliseconds != 0 && milliseconds % unit.size == 0) {
      append_number(out, milliseconds / unit.size);
      out += unit.name;
      return;
    }
  }
  append_number(out, milliseconds);
  out += "ms";
}

bool is_utf8(std::string_view bytes) noexcept {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

void append_bytes(std::string& out, std::string_view bytes) {
  if (is_utf8(bytes)) {
    out += bytes;
  } else {
    out += "base64:";
    append_base64(out, bytes);
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_csv_string(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of("\",\r\n") == text.npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

}  // namespace kaspar
