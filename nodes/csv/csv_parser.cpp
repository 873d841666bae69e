#include "nodes/csv/csv_parser.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "nodes/csv/csv_scan.hpp"
#include "nodes/csv/csv_value.hpp"
#include "runtime/core/excerpt.hpp"

namespace kaspar::nodes::csv {
namespace {

/// "field 3 (`x[2]`)": fields from 1 as people count, elements from 0 as the language does.
std::string field_name(std::size_t field, std::string_view column, const Type& type,
                       std::size_t element) {
  if (!type.is_vector()) return fmt::format("field {} (`{}`)", field + 1, column);
  return fmt::format("field {} (`{}[{}]`)", field + 1, column, element);
}

struct FieldPlace {
  std::size_t field = 0;  // from 0
  std::string_view column;
  const Type& type;
  std::size_t element = 0;

  [[nodiscard]] std::string name() const { return field_name(field, column, type, element); }
};

void fail_null(Batch& batch, Row row, const FieldPlace& place) {
  std::string message = fmt::format("{} is empty", place.name());
  if (place.type.optional) message += " where others of the vector are not";
  batch.fail(row, DiagnosticCode::K0905, std::move(message));
}

void fail_value(Batch& batch, Row row, const FieldPlace& place, ValueError error,
                std::string_view text) {
  batch.fail(
      row, DiagnosticCode::K0902,
      fmt::format("{} {}: {}", place.name(),
                  error == ValueError::OutOfRange
                      ? fmt::format("is out of the range of `{}`", to_string(place.type.scalar))
                      : fmt::format("is no `{}`", to_string(place.type.scalar)),
                  excerpt(text)));
}

/// Whether the field counts as null for this type.
bool is_null(const Field& field, const Type& type) noexcept {
  if (type.is_text()) {
    return field.text.empty() && !(field.quoted && type.scalar == ScalarType::String);
  }
  return trimmed(field.text).empty();
}

template <class T>
ValueError store(std::string_view text, void* element) noexcept {
  return read_value(trimmed(text), *static_cast<T*>(element));
}

ValueError read_element(std::string_view text, ScalarType type, std::byte* element) noexcept {
  switch (type) {
    case ScalarType::Bool:
      return store<bool>(text, element);
    case ScalarType::I64:
      return store<std::int64_t>(text, element);
    case ScalarType::F32:
      return store<float>(text, element);
    case ScalarType::F64:
      return store<double>(text, element);
    case ScalarType::Timestamp:
      return read_timestamp(trimmed(text), *reinterpret_cast<std::int64_t*>(element));
    case ScalarType::Duration:
      return read_duration(trimmed(text), *reinterpret_cast<std::int64_t*>(element));
    case ScalarType::String:
      if (!simdjson::validate_utf8(text.data(), text.size())) return ValueError::Malformed;
      [[fallthrough]];
    case ScalarType::Bytes:
      *reinterpret_cast<std::string_view*>(element) = text;
      break;
  }
  return ValueError::None;
}

/// Reads the fields of one column. `next_field` gives them in order. False: the row has failed.
template <class NextField>
bool read_column(Batch& batch, Row row, const ColumnBuffer& column, std::string_view name,
                 std::size_t first_field, NextField&& next_field) {
  const Type& type = column.type;
  const std::size_t elements = type.elements();
  const std::size_t size = element_size(type.scalar);
  std::byte* element = column.data + std::size_t{row} * elements * size;
  std::size_t nulls = 0;
  std::size_t first_null = 0;
  for (std::size_t i = 0; i < elements; ++i, element += size) {
    const Field field = next_field();
    const FieldPlace place{first_field + i, name, type, i};
    if (is_null(field, type)) {
      if (!type.optional) return fail_null(batch, row, place), false;
      if (nulls++ == 0) first_null = i;
      std::memset(element, 0, size);
      continue;
    }
    const ValueError error = read_element(field.text, type.scalar, element);
    if (error != ValueError::None) {
      return fail_value(batch, row, place, error, field.text), false;
    }
  }
  if (column.valid != nullptr) {
    if (nulls != 0 && nulls != elements) {
      fail_null(batch, row, {first_field + first_null, name, type, first_null});
      return false;
    }
    column.valid[row] = nulls == 0 ? 1 : 0;
  }
  return true;
}

std::string_view describe(Layout layout) noexcept {
  switch (layout) {
    case Layout::OpenQuote:
      return "begins with a quote that never ends";
    case Layout::TextAfterQuote:
      return "goes on after its closing quote";
    case Layout::QuoteInside:
      return "has a quote inside but does not begin with one";
    case Layout::SeveralLines:
      return "has a line break outside quotes";
    case Layout::Sound:
      break;
  }
  return "";
}

}  // namespace

CsvParser::CsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter, Path path)
    : schema_(schema), fields_(schema.field_count()), delimiter_(delimiter), path_(path) {
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    targets_.push_back({writes[i], schema_.columns[i].type, schema_.columns[i].name});
  }
}

void CsvParser::process(Batch& batch, OperatorState*) const noexcept {
  for (const Row row : batch.alive()) read_row(batch, row);
}

void CsvParser::fail_count(Batch& batch, Row row, std::size_t found) const {
  batch.fail(row, DiagnosticCode::K0901,
             fmt::format("the row has {} field{}, the schema `{}` takes {}", found,
                         found == 1 ? "" : "s", schema_.name, fields_));
}

void CsvParser::read_row(Batch& batch, Row row) const {
  const Record& source = batch.record(row);
  if (!source.has_value) {
    return batch.fail(row, DiagnosticCode::K0905, "the record has no value");
  }
  const std::string_view record = without_line_end(source.value);
  if (path_ == Path::Fast && record.find('"') == record.npos && record.find('\n') == record.npos) {
    return read_unquoted(batch, row, record);
  }
  const Scan found = scan(record, delimiter_);
  if (found.layout != Layout::Sound) {
    return batch.fail(row, DiagnosticCode::K0903,
                      fmt::format("field {} {}", found.fields, describe(found.layout)));
  }
  if (found.fields != fields_) return fail_count(batch, row, found.fields);
  FieldReader reader(record, delimiter_, batch.text());
  std::size_t field = 0;
  for (const Target& target : targets_) {
    if (!read_column(batch, row, batch.column(target.slot), target.name, field,
                     [&reader] { return reader.next(); })) {
      return;
    }
    field += target.type.elements();
  }
}

void CsvParser::read_unquoted(Batch& batch, Row row, std::string_view record) const {
  const auto found =
      1 + static_cast<std::size_t>(std::count(record.begin(), record.end(), delimiter_));
  if (found != fields_) return fail_count(batch, row, found);
  const char* next = record.data();
  const char* const end = next + record.size();
  std::size_t field = 0;
  for (const Target& target : targets_) {
    bool fine = false;
    if (target.type.scalar == ScalarType::F32 && !target.type.optional) {
      fine = read_unquoted_floats<float>(batch, row, target, field, next, end);
    } else if (target.type.scalar == ScalarType::F64 && !target.type.optional) {
      fine = read_unquoted_floats<double>(batch, row, target, field, next, end);
    } else {
      fine = read_column(batch, row, batch.column(target.slot), target.name, field, [&] {
        const char* const stop = std::find(next, end, delimiter_);
        const Field text{.text = {next, static_cast<std::size_t>(stop - next)}};
        next = stop == end ? end : stop + 1;
        return text;
      });
    }
    if (!fine) return;
    field += target.type.elements();
  }
}

template <class T>
bool CsvParser::read_unquoted_floats(Batch& batch, Row row, const Target& target,
                                     std::size_t first_field, const char*& next,
                                     const char* end) const {
  T* const values = batch.column(target.slot).row<T>(row);
  const std::size_t elements = target.type.elements();
  for (std::size_t i = 0; i < elements; ++i) {
    if (!read_plain(next, end, delimiter_, values[i])) {
      const char* const stop = std::find(next, end, delimiter_);
      const Field field{.text = {next, static_cast<std::size_t>(stop - next)}};
      const FieldPlace place{first_field + i, target.name, target.type, i};
      if (is_null(field, target.type)) return fail_null(batch, row, place), false;
      const ValueError error = read_value(trimmed(field.text), values[i]);
      if (error != ValueError::None) {
        return fail_value(batch, row, place, error, field.text), false;
      }
      next = stop;
    }
    if (next != end) ++next;  // the delimiter
  }
  return true;
}

}  // namespace kaspar::nodes::csv
