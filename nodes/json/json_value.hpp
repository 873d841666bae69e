// Turns a JSON value into one of the language's types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "runtime/core/batch.hpp"
#include "runtime/core/type.hpp"

namespace kaspar::nodes::json {

enum class ValueError : std::uint8_t { None, WrongKind, OutOfRange };

/// Writes a scalar to `to`, an element of a column of that type. Nothing is coerced: an i64 takes a
/// number written without fraction and exponent, floats take any number, a timestamp RFC 3339 or
/// milliseconds, a duration `"5s"` or milliseconds. Strings are copied to `text`.
[[nodiscard]] ValueError read_scalar(simdjson::dom::element value, ScalarType type, std::byte* to,
                                     TextArena& text) noexcept;

/// What stands there, for messages: "`12.5`", "an array of 3".
[[nodiscard]] std::string described(simdjson::dom::element value);

}  // namespace kaspar::nodes::json
