#include "runtime/cli/record_name.hpp"

#include <charconv>

namespace kaspar::cli {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stop == end && number >= 0;
}

}  // namespace

std::optional<RecordName> parse_record_name(std::string_view text) {
  const std::size_t last = text.rfind(':');
  if (last == std::string_view::npos || last == 0) return std::nullopt;
  const std::size_t first = text.rfind(':', last - 1);
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  RecordName name{.topic = std::string{text.substr(0, first)}};
  if (!read_number(text.substr(first + 1, last - first - 1), name.partition) ||
      !read_number(text.substr(last + 1), name.offset)) {
    return std::nullopt;
  }
  return name;
}

}  // namespace kaspar::cli
