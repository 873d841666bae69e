#include "nodes/expression/frame.hpp"

#include <fmt/format.h>

#include <cmath>

#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::expression {
namespace {

template <class T>
std::string number_text(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text;
  append_number(text, value);
  return text;
}

}  // namespace

std::string excerpt(std::string_view text) {
  constexpr std::size_t shown = 40;
  const bool cut = text.size() > shown;
  if (cut) {
    std::size_t end = shown;
    while (end > shown - 4 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end);
  }
  std::string result = "\"";
  const bool readable = is_utf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !readable)) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  result += cut ? "…\"" : "\"";
  return result;
}

std::string Frame::describe(Input input, std::size_t row) const {
  if (valid(input) != nullptr && valid(input)[row] == 0) return "null";
  if (input.type.is_vector()) return to_string(input.type);
  std::string text_of;
  switch (input.type.scalar) {
    case ScalarType::Bool:
      return values<bool>(input)[row] ? "true" : "false";
    case ScalarType::I64:
      append_number(text_of, values<std::int64_t>(input)[row]);
      break;
    case ScalarType::F32:
      return number_text(values<float>(input)[row]);
    case ScalarType::F64:
      return number_text(values<double>(input)[row]);
    case ScalarType::String:
    case ScalarType::Bytes:
      return excerpt(values<std::string_view>(input)[row]);
    case ScalarType::Timestamp:
      append_timestamp(text_of, values<std::int64_t>(input)[row]);
      break;
    case ScalarType::Duration:
      append_duration(text_of, values<std::int64_t>(input)[row]);
      break;
  }
  return text_of;
}

}  // namespace kaspar::nodes::expression
