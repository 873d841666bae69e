#include "nodes/json/json_numbers.hpp"

#include <charconv>
#include <cstdint>

#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Bytes of the number at the start of the text, 0 if there is none (RFC 8259, section 6).
std::size_t number_length(std::string_view text, bool& whole) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - from;
  };
  if (text.starts_with('-')) ++at;
  const bool zero = at < text.size() && text[at] == '0';
  const std::size_t integer = digits();
  if (integer == 0 || (zero && integer > 1)) return 0;
  whole = true;
  if (at < text.size() && text[at] == '.') {
    whole = false;
    ++at;
    if (digits() == 0) return 0;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    whole = false;
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return 0;
  }
  return at;
}

/// What takes the number's place; empty: it may stay.
std::string replacement(std::string_view number, bool whole) {
  const char* const end = number.data() + number.size();
  if (whole) {
    std::int64_t small = 0;
    std::uint64_t large = 0;
    if (std::from_chars(number.data(), end, small).ec == std::errc{} ||
        std::from_chars(number.data(), end, large).ec == std::errc{}) {
      return {};
    }
  }
  double value = 0;
  const auto read = std::from_chars(number.data(), end, value);
  if (read.ec == std::errc::result_out_of_range) {
    // Too small is 0, as everywhere; from_chars does not say which of both it is.
    const std::size_t exponent = number.find_first_of("eE");
    const bool tiny = exponent != std::string_view::npos && number[exponent + 1] == '-';
    return tiny ? "0.0" : "{}";
  }
  if (!whole) return {};
  std::string text;
  append_number(text, value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

bool within_range(std::string_view text, std::string& out) {
  out.clear();
  bool changed = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      std::size_t end = at + 1;
      while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2U : 1U;
      end = end < text.size() ? end + 1 : text.size();
      out.append(text.substr(at, end - at));
      at = end;
      continue;
    }
    bool whole = false;
    const std::size_t length = c == '-' || is_digit(c) ? number_length(text.substr(at), whole) : 0;
    if (length == 0) {
      out += c;
      ++at;
      continue;
    }
    const std::string_view number = text.substr(at, length);
    const std::string other = replacement(number, whole);
    changed = changed || !other.empty();
    out.append(other.empty() ? number : std::string_view{other});
    at += length;
  }
  return changed;
}

}  // namespace kaspar::nodes::json
