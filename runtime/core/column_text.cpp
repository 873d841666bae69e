#include "runtime/core/column_text.hpp"

#include <cmath>

#include "runtime/core/value_text.hpp"

namespace kaspar {
namespace {

template <class Float>
void append_float(std::string& out, Float value) {
  if (std::isfinite(value)) return append_number(out, value);
  out += std::isnan(value) ? "\"nan\"" : value < 0 ? "\"-inf\"" : "\"inf\"";
}

void append_element(std::string& out, const ColumnBuffer& column, std::size_t row, std::size_t i) {
  switch (column.type.scalar) {
    case ScalarType::Bool:
      out += column.row<bool>(row)[i] ? "true" : "false";
      break;
    case ScalarType::I64:
      append_number(out, column.row<std::int64_t>(row)[i]);
      break;
    case ScalarType::F32:
      append_float(out, column.row<float>(row)[i]);
      break;
    case ScalarType::F64:
      append_float(out, column.row<double>(row)[i]);
      break;
    case ScalarType::String:
    case ScalarType::Bytes:
      append_bytes_json(out, column.row<std::string_view>(row)[i]);
      break;
    case ScalarType::Timestamp:
      out += '"';
      append_timestamp(out, column.row<std::int64_t>(row)[i]);
      out += '"';
      break;
    case ScalarType::Duration:
      out += '"';
      append_duration(out, column.row<std::int64_t>(row)[i]);
      out += '"';
      break;
  }
}

}  // namespace

void append_bytes_json(std::string& out, std::string_view bytes) {
  std::string text;
  append_bytes(text, bytes);
  append_json_string(out, text);
}

void append_column_json(std::string& out, const ColumnBuffer& column, std::size_t row) {
  if (column.is_null(row)) {
    out += "null";
    return;
  }
  const bool vector = column.type.is_vector();
  if (vector) out += '[';
  for (std::size_t i = 0; i < column.type.elements(); ++i) {
    if (i != 0) out += ',';
    append_element(out, column, row, i);
  }
  if (vector) out += ']';
}

}  // namespace kaspar
