#include "nodes/csv/csv_parser.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "nodes/csv/csv_column.hpp"
#include "nodes/csv/csv_scan.hpp"
#include "nodes/csv/csv_value.hpp"

namespace kaspar::nodes::csv {
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
    return fail_layout(batch, row, found);
  }
  if (found.fields != fields_) return fail_count(batch, row, found.fields);
  FieldReader reader(record, delimiter_, batch.text());
  std::size_t field = 0;
  for (const Target& target : targets_) {
    if (!read_column(
            batch, row, batch.column(target.slot), target.name,
            [field](std::size_t i) { return field + i; },
            [&reader](std::size_t) { return reader.next(); })) {
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
      fine = read_column(
          batch, row, batch.column(target.slot), target.name,
          [field](std::size_t i) { return field + i; },
          [&](std::size_t) {
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
