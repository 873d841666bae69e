#include "nodes/output/output_encoder.hpp"

#include <cmath>

#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::output {
namespace {

template <class T>
const T& element(const Cell& cell, std::size_t index) noexcept {
  return static_cast<const T*>(cell.data)[index];
}

template <class T>
Encoding append_float(std::string& out, T value) {
  if (!std::isfinite(value)) return Encoding::NotFinite;
  append_number(out, value);
  return Encoding::Ok;
}

/// For a text of some tens of bytes, which are not allocated for each.
std::string& empty_text() {
  static thread_local std::string text;
  text.clear();
  return text;
}

/// `append_string` writes what is text in this format.
template <class AppendString>
Encoding append_element(std::string& out, const Cell& cell, std::size_t index,
                        AppendString append_string) {
  switch (cell.type.scalar) {
    case ScalarType::Bool:
      out += element<bool>(cell, index) ? "true" : "false";
      break;
    case ScalarType::I64:
      append_number(out, element<std::int64_t>(cell, index));
      break;
    case ScalarType::F32:
      return append_float(out, element<float>(cell, index));
    case ScalarType::F64:
      return append_float(out, element<double>(cell, index));
    case ScalarType::String:
      append_string(out, element<std::string_view>(cell, index));
      break;
    case ScalarType::Bytes: {
      const std::string_view bytes = element<std::string_view>(cell, index);
      if (is_utf8(bytes)) {
        append_string(out, bytes);
      } else {
        std::string encoded;
        append_bytes(encoded, bytes);
        append_string(out, encoded);
      }
      break;
    }
    case ScalarType::Timestamp: {
      std::string& text = empty_text();
      append_timestamp(text, element<std::int64_t>(cell, index));
      append_string(out, text);
      break;
    }
    case ScalarType::Duration: {
      std::string& text = empty_text();
      append_duration(text, element<std::int64_t>(cell, index));
      append_string(out, text);
      break;
    }
  }
  return Encoding::Ok;
}

template <class AppendString>
Encoding append_elements(std::string& out, const Cell& cell, AppendString append_string) {
  for (std::size_t i = 0; i < cell.type.elements(); ++i) {
    if (i != 0) out += ',';
    const Encoding result = append_element(out, cell, i, append_string);
    if (result != Encoding::Ok) return result;
  }
  return Encoding::Ok;
}

Cell literal_cell(const Expression& expression, CellStorage& storage) {
  Cell cell{.type = expression.type};
  const Value& value = expression.literal;
  if (const auto* text = value.get<std::string>()) {
    storage.text = *text;
    cell.data = &storage.text;
  } else if (const auto* flag = value.get<bool>(); flag != nullptr) {
    cell.data = flag;
  } else if (const auto* span = value.get<std::chrono::milliseconds>()) {
    storage.integer = span->count();
    cell.data = &storage.integer;
  } else if (value.get<std::int64_t>() != nullptr || value.get<double>() != nullptr) {
    const auto* integer = value.get<std::int64_t>();
    storage.number = integer != nullptr ? static_cast<double>(*integer) : *value.get<double>();
    storage.integer = integer != nullptr ? *integer : 0;
    storage.single = static_cast<float>(storage.number);
    if (cell.type.scalar == ScalarType::F32) {
      cell.data = &storage.single;
    } else if (cell.type.scalar == ScalarType::F64) {
      cell.data = &storage.number;
    } else {
      cell.data = &storage.integer;
    }
  } else {
    cell.null = true;  // the literal `null`
  }
  return cell;
}

Cell meta_cell(const Batch& batch, Row row, const Expression& expression, CellStorage& storage) {
  const Record& record = batch.record(row);
  const auto& spans = batch.records().spans;
  const PartitionSpan* span = record.span < spans.size() ? &spans[record.span] : nullptr;
  Cell cell{.type = expression.type};
  const auto set_text = [&](ScalarType scalar, std::string_view text, bool null) {
    cell.type = {.scalar = scalar, .optional = null};
    storage.text = text;
    cell.data = &storage.text;
    cell.null = null;
  };
  const auto set_integer = [&](ScalarType scalar, std::int64_t value, bool null) {
    cell.type = {.scalar = scalar, .optional = null};
    storage.integer = value;
    cell.data = &storage.integer;
    cell.null = null;
  };
  switch (expression.meta) {
    case MetaField::Key:
      set_text(ScalarType::Bytes, record.key, !record.has_key);
      break;
    case MetaField::Value:
      set_text(ScalarType::Bytes, record.value, !record.has_value);
      break;
    case MetaField::Topic:
      set_text(ScalarType::String, span != nullptr ? span->topic : std::string_view{}, false);
      break;
    case MetaField::Partition:
      set_integer(ScalarType::I64, span != nullptr ? span->partition : 0, false);
      break;
    case MetaField::Offset:
      set_integer(ScalarType::I64, record.offset, false);
      break;
    case MetaField::Timestamp:
      set_integer(ScalarType::Timestamp, record.timestamp,
                  expression.type.optional && record.timestamp < 0);
      break;
    case MetaField::Header: {
      storage.headers.clear();
      if (batch.records().storage) batch.records().storage->headers(row, storage.headers);
      set_text(ScalarType::Bytes, {}, true);
      // Of several headers of one name the last counts, as for other Kafka clients.
      for (const Header& header : storage.headers) {
        if (header.name == expression.header) {
          set_text(ScalarType::Bytes, header.value, !header.has_value);
        }
      }
      break;
    }
  }
  return cell;
}

}  // namespace

Cell read_cell(const Batch& batch, Row row, const Expression& expression, CellStorage& storage) {
  switch (expression.kind) {
    case Expression::Kind::Literal:
      return literal_cell(expression, storage);
    case Expression::Kind::Meta:
      return meta_cell(batch, row, expression, storage);
    default:
      break;  // a column: stages read leaves only
  }
  const ColumnBuffer& column = batch.column(expression.slot);
  return {.type = column.type,
          .data = column.data + row * column.type.elements() * element_size(column.type.scalar),
          .null = column.is_null(row)};
}

Encoding append_text(std::string& out, const Cell& cell) {
  return append_elements(out, cell, [](std::string& to, std::string_view text) { to += text; });
}

Encoding append_json(std::string& out, const Cell& cell) {
  if (cell.null) {
    out += "null";
    return Encoding::Ok;
  }
  if (cell.type.is_vector()) out += '[';
  const Encoding result = append_elements(out, cell, append_json_string);
  if (cell.type.is_vector()) out += ']';
  return result;
}

Encoding append_csv(std::string& out, const Cell& cell) {
  if (cell.null) {
    out.append(cell.type.elements() - 1, ',');
    return Encoding::Ok;
  }
  return append_elements(out, cell, append_csv_string);
}

}  // namespace kaspar::nodes::output
