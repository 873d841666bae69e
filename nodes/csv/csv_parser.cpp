#include "nodes/csv/csv_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "nodes/csv/csv_column.hpp"
#include "nodes/csv/csv_number.hpp"
#include "nodes/csv/csv_scan.hpp"
#include "nodes/csv/csv_value.hpp"

namespace kaspar::nodes::csv {
namespace {

/// A field among the fields that end there.
std::string_view field_of(std::string_view record, std::span<const std::uint32_t> ends,
                          std::size_t field) noexcept {
  const std::size_t begin = field == 0 ? 0 : std::size_t{ends[field - 1]} + 1;
  return record.substr(begin, ends[field] - begin);
}

}  // namespace

struct CsvParser::State final : OperatorState {
  std::vector<std::uint32_t> ends;  // scratch
};

CsvParser::CsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter, Path path)
    : schema_(schema), fields_(schema.field_count()), delimiter_(delimiter), path_(path) {
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    targets_.push_back({writes[i], schema_.columns[i].type, schema_.columns[i].name});
  }
}

std::unique_ptr<OperatorState> CsvParser::make_state() const {
  auto state = std::make_unique<State>();
  state->ends.resize(fields_ + spare_ends);
  return state;
}

void CsvParser::process(Batch& batch, OperatorState* state) const noexcept {
  auto& own = static_cast<State&>(*state);
  for (const Row row : batch.alive()) read_row(batch, row, own);
}

void CsvParser::fail_count(Batch& batch, Row row, std::size_t found) const {
  batch.fail(row, DiagnosticCode::K0901,
             fmt::format("the row has {} field{}, the schema `{}` takes {}", found,
                         found == 1 ? "" : "s", schema_.name, fields_));
}

void CsvParser::read_row(Batch& batch, Row row, State& state) const {
  const Record& source = batch.record(row);
  if (!source.has_value) {
    return batch.fail(row, DiagnosticCode::K0905, "the record has no value");
  }
  const std::string_view record = without_line_end(source.value);
  if (path_ == Path::Fast) {
    const FieldEnds found = find_ends(record, delimiter_, state.ends);
    if (found.plain && found.fields != fields_) return fail_count(batch, row, found.fields);
    if (found.plain) return read_unquoted(batch, row, record, {state.ends.data(), fields_});
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

void CsvParser::read_unquoted(Batch& batch, Row row, std::string_view record,
                              std::span<const std::uint32_t> ends) const {
  std::size_t field = 0;
  for (const Target& target : targets_) {
    bool fine = false;
    if (target.type.scalar == ScalarType::F32 && !target.type.optional) {
      fine = read_floats<float>(batch, row, target, record, ends, field);
    } else if (target.type.scalar == ScalarType::F64 && !target.type.optional) {
      fine = read_floats<double>(batch, row, target, record, ends, field);
    } else {
      fine = read_column(
          batch, row, batch.column(target.slot), target.name,
          [field](std::size_t i) { return field + i; },
          [&](std::size_t i) { return Field{.text = field_of(record, ends, field + i)}; });
    }
    if (!fine) return;
    field += target.type.elements();
  }
}

template <class T>
bool CsvParser::read_floats(Batch& batch, Row row, const Target& target, std::string_view record,
                            std::span<const std::uint32_t> ends, std::size_t first) const {
  T* const values = batch.column(target.slot).row<T>(row);
  const std::size_t elements = target.type.elements();
  std::size_t begin = first == 0 ? 0 : std::size_t{ends[first - 1]} + 1;
  for (std::size_t i = 0; i < elements; ++i) {
    const std::size_t end = ends[first + i];
    if (!read_short_number(record.data() + begin, record.data() + end, end, values[i])) {
      const Field field{.text = record.substr(begin, end - begin)};
      const FieldPlace place{first + i, target.name, target.type, i};
      if (is_null(field, target.type)) return fail_null(batch, row, place), false;
      const ValueError error = read_value(trimmed(field.text), values[i]);
      if (error != ValueError::None) {
        return fail_value(batch, row, place, error, field.text), false;
      }
    }
    begin = end + 1;
  }
  return true;
}

}  // namespace kaspar::nodes::csv
