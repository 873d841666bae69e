#include "nodes/json/json_value.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "runtime/core/excerpt.hpp"
#include "runtime/core/timestamp.hpp"

namespace kaspar::nodes::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

template <class T>
ValueError store(std::byte* to, T value) noexcept {
  *reinterpret_cast<T*>(to) = value;
  return ValueError::None;
}

ValueError read_whole(element value, std::byte* to) noexcept {
  if (value.type() == element_type::INT64) return store(to, value.get_int64().value_unsafe());
  if (value.type() == element_type::UINT64) return ValueError::OutOfRange;  // or it were an INT64
  return ValueError::WrongKind;
}

ValueError read_double(element value, double& number) noexcept {
  switch (value.type()) {
    case element_type::INT64:
      number = static_cast<double>(value.get_int64().value_unsafe());
      return ValueError::None;
    case element_type::UINT64:
      number = static_cast<double>(value.get_uint64().value_unsafe());
      return ValueError::None;
    case element_type::DOUBLE:
      number = value.get_double().value_unsafe();
      return std::isfinite(number) ? ValueError::None : ValueError::OutOfRange;
    default:
      return ValueError::WrongKind;
  }
}

/// Text by `parse`, or milliseconds.
template <class Parse>
ValueError read_time(element value, std::byte* to, Parse parse) noexcept {
  if (value.type() != element_type::STRING) return read_whole(value, to);
  const auto read = parse(value.get_string().value_unsafe());
  if (read) return store(to, *read);
  return read.error() == TimestampError::OutOfRange ? ValueError::OutOfRange
                                                    : ValueError::WrongKind;
}

}  // namespace

ValueError read_scalar(element value, ScalarType type, std::byte* to, TextArena& text) noexcept {
  double number = 0;
  switch (type) {
    case ScalarType::Bool:
      if (value.type() != element_type::BOOL) return ValueError::WrongKind;
      return store(to, value.get_bool().value_unsafe());
    case ScalarType::I64:
      return read_whole(value, to);
    case ScalarType::F64:
      if (const ValueError error = read_double(value, number); error != ValueError::None)
        return error;
      return store(to, number);
    case ScalarType::F32: {
      if (const ValueError error = read_double(value, number); error != ValueError::None)
        return error;
      const auto single = static_cast<float>(number);
      return std::isfinite(single) ? store(to, single) : ValueError::OutOfRange;
    }
    case ScalarType::String:
    case ScalarType::Bytes:
      if (value.type() != element_type::STRING) return ValueError::WrongKind;
      return store(to, text.copy(value.get_string().value_unsafe()));
    case ScalarType::Timestamp:
      return read_time(value, to, parse_rfc3339);
    case ScalarType::Duration:
      return read_time(value, to, parse_duration);
  }
  return ValueError::WrongKind;
}

std::string described(element value) {
  switch (value.type()) {
    case element_type::ARRAY:
      return fmt::format("an array of {}", value.get_array().value_unsafe().size());
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "the string " + excerpt(value.get_string().value_unsafe());
    case element_type::NULL_VALUE:
      return "null";
    default:
      return excerpt(simdjson::minify(value));
  }
}

}  // namespace kaspar::nodes::json
