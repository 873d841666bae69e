// A column's value as people and programs read it, for those who look on (tap, trace).
#pragma once

#include <cstddef>
#include <string>

#include "runtime/core/batch.hpp"

namespace kaspar {

/// The row's value as JSON: `null`, numbers in their shortest form (what is not finite as a string:
/// "nan", "inf"), times as RFC 3339, durations as in the language, bytes that are no UTF-8 as
/// "base64:…", vectors as arrays.
void append_column_json(std::string& out, const ColumnBuffer& column, std::size_t row);

/// Bytes as a JSON string: as they are where they are UTF-8, else "base64:…".
void append_bytes_json(std::string& out, std::string_view bytes);

}  // namespace kaspar
