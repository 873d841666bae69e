#include "nodes/csv/named_csv_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "nodes/csv/csv_column.hpp"
#include "nodes/csv/csv_scan.hpp"
#include "runtime/core/excerpt.hpp"

namespace kaspar::nodes::csv {
namespace {

/// The names of a column's elements.
void add_names(const Column& column, std::vector<std::string>& names) {
  if (!column.type.is_vector()) {
    names.push_back(column.origin);
    return;
  }
  const std::string_view first = column.origin;
  std::size_t digits = first.size();
  while (digits > 0 && first[digits - 1] >= '0' && first[digits - 1] <= '9') --digits;
  std::uint64_t number = 0;
  std::from_chars(first.data() + digits, first.data() + first.size(), number);
  const std::size_t width = first.size() - digits;
  const bool padded = width > 1 && first[digits] == '0';
  for (std::size_t i = 0; i < column.type.width; ++i) {
    names.push_back(fmt::format("{}{:0{}}", first.substr(0, digits), number + i,
                                padded ? width : std::size_t{1}));
  }
}

}  // namespace

struct NamedCsvParser::State final : OperatorState {
  std::optional<std::string> header;   // what the rest was made of
  std::vector<std::size_t> positions;  // the field of every element
  std::size_t fields = 0;              // of the header
  std::string problem;                 // why no row can be read; empty: they can
  std::vector<Field> row;              // scratch
  TextArena text;                      // of the header
};

NamedCsvParser::NamedCsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter)
    : schema_(schema), writes_(writes.begin(), writes.end()), delimiter_(delimiter) {
  for (const Column& column : schema_.columns) add_names(column, names_);
}

std::unique_ptr<OperatorState> NamedCsvParser::make_state() const {
  return std::make_unique<State>();
}

void NamedCsvParser::process(Batch& batch, OperatorState* state) const noexcept {
  auto& own = static_cast<State&>(*state);
  if (own.header != batch.records().header) read_header(batch.records().header, own);
  for (const Row row : batch.alive()) read_row(batch, row, own);
}

void NamedCsvParser::read_header(std::string_view header, State& state) const {
  state.header = header;
  state.positions.clear();
  state.problem.clear();
  state.text.clear();
  const std::string_view line = without_line_end(header);
  const Scan found = scan(line, delimiter_);
  if (found.layout != Layout::Sound) {
    state.problem = fmt::format("the quotes of field {} of the header are broken", found.fields);
    return;
  }
  state.fields = found.fields;
  std::map<std::string_view, std::size_t> places;
  FieldReader reader(line, delimiter_, state.text);
  for (std::size_t i = 0; i < found.fields; ++i) places.try_emplace(reader.next().text, i);
  for (const std::string& name : names_) {
    const auto place = places.find(name);
    if (place == places.end()) {
      state.problem = fmt::format("the header has no column {}", excerpt(name));
      return;
    }
    state.positions.push_back(place->second);
  }
}

void NamedCsvParser::read_row(Batch& batch, Row row, State& state) const {
  const Record& source = batch.record(row);
  if (!source.has_value) return batch.fail(row, DiagnosticCode::K0905, "the record has no value");
  if (!state.problem.empty()) return batch.fail(row, DiagnosticCode::K0901, state.problem);
  const std::string_view record = without_line_end(source.value);
  const Scan found = scan(record, delimiter_);
  if (found.layout != Layout::Sound) return fail_layout(batch, row, found);
  if (found.fields != state.fields) {
    return batch.fail(row, DiagnosticCode::K0901,
                      fmt::format("the row has {} field{}, the header {}", found.fields,
                                  found.fields == 1 ? "" : "s", state.fields));
  }
  FieldReader reader(record, delimiter_, batch.text());
  state.row.clear();
  for (std::size_t i = 0; i < found.fields; ++i) state.row.push_back(reader.next());
  std::size_t element = 0;
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    const Column& column = schema_.columns[i];
    const auto place = [&](std::size_t of) { return state.positions[element + of]; };
    if (!read_column(batch, row, batch.column(writes_[i]), column.name, place,
                     [&](std::size_t of) { return state.row[place(of)]; })) {
      return;
    }
    element += column.type.elements();
  }
}

}  // namespace kaspar::nodes::csv
