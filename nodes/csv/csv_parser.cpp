#include "nodes/csv/csv_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "nodes/csv/csv_column.hpp"
#include "nodes/csv/csv_number.hpp"
#include "nodes/csv/csv_scan.hpp"
#include "nodes/csv/csv_value.hpp"

namespace kaspar::nodes::csv {
namespace {

bool is_float(const Type& type) noexcept {
  return type.scalar == ScalarType::F32 || type.scalar == ScalarType::F64;
}

/// What was received was written by another CPU, or has left the cache. Of a long record only the
/// begin: the rest is read in order, which the CPU foresees.
constexpr std::size_t rows_ahead = 2;
constexpr std::size_t prefetched_bytes = 1024;

void prefetch(std::string_view text) noexcept {
  constexpr std::size_t cache_line = 64;
  const std::size_t into_line = reinterpret_cast<std::uintptr_t>(text.data()) % cache_line;
  const char* const line = text.data() - into_line;
  const std::size_t size = into_line + std::min(text.size(), prefetched_bytes);
  for (std::size_t at = 0; at < size; at += cache_line) __builtin_prefetch(line + at);
}

template <class T>
std::uint64_t read(const NumberKernels& kernels, const FieldEnds& found, std::size_t first,
                   std::size_t count, T* values) noexcept {
  const auto kernel = [&] {
    if constexpr (std::is_same_v<T, float>) return kernels.read_f32;
    if constexpr (std::is_same_v<T, double>) return kernels.read_f64;
  }();
  return kernel(found.ends + first, found.tails + first, count, values);
}

}  // namespace

struct CsvParser::State final : OperatorState {
  explicit State(std::size_t fields)
      : ends(1 + fields + spare_fields),
        tails(fields + spare_fields),
        numbers(fields * sizeof(double)),
        found{.ends = ends.data(), .tails = tails.data(), .room = tails.size()} {}

  [[nodiscard]] std::string_view field(std::string_view record, std::size_t field) const noexcept {
    const std::uint32_t begin = ends[field] + 1;
    return record.substr(begin, ends[field + 1] - begin);
  }
  template <class T>
  [[nodiscard]] T* scratch() noexcept {
    return reinterpret_cast<T*>(numbers.data());
  }

  std::vector<std::uint32_t> ends;
  std::vector<std::uint64_t> tails;
  std::vector<std::byte> numbers;  // f32 or f64, of columns that share a run
  FieldEnds found;
};

CsvParser::CsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter,
                     const NumberKernels* kernels)
    : schema_(schema), fields_(schema.field_count()), delimiter_(delimiter), kernels_(kernels) {
  std::size_t field = 0;
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    const Type& type = schema_.columns[i].type;
    const bool joins = i != 0 && is_float(type) && type.scalar == targets_.back().type.scalar;
    if (!joins) runs_.push_back({.first = i, .last = i, .field = field});
    ++runs_.back().last;
    runs_.back().fields += type.elements();
    field += type.elements();
    targets_.push_back({writes[i], type, schema_.columns[i].name});
    target_of_.insert(target_of_.end(), type.elements(), static_cast<std::uint32_t>(i));
  }
}

std::unique_ptr<OperatorState> CsvParser::make_state() const {
  return std::make_unique<State>(fields_);
}

void CsvParser::process(Batch& batch, OperatorState* state) const noexcept {
  auto& own = static_cast<State&>(*state);
  const std::span<const Row> alive = batch.alive();
  for (std::size_t i = 0; i < alive.size(); ++i) {
    if (i + rows_ahead < alive.size()) prefetch(batch.record(alive[i + rows_ahead]).value);
    read_row(batch, alive[i], own);
  }
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
  if (kernels_ != nullptr) {
    const Split found = kernels_->split(record.data(), record.size(), delimiter_, state.found);
    if (found.plain && found.fields != fields_) return fail_count(batch, row, found.fields);
    if (found.plain && read_unquoted(batch, row, record, state)) return;
  }
  read_fields(batch, row, record);
}

void CsvParser::read_fields(Batch& batch, Row row, std::string_view record) const {
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

bool CsvParser::read_unquoted(Batch& batch, Row row, std::string_view record, State& state) const {
  for (const Run& run : runs_) {
    const Target& target = targets_[run.first];
    if (target.type.scalar == ScalarType::F32) {
      if (!read_numbers<float>(batch, row, run, record, state)) return false;
    } else if (target.type.scalar == ScalarType::F64) {
      if (!read_numbers<double>(batch, row, run, record, state)) return false;
    } else if (!read_column(
                   batch, row, batch.column(target.slot), target.name,
                   [&run](std::size_t i) { return run.field + i; },
                   [&](std::size_t i) {
                     return Field{.text = state.field(record, run.field + i)};
                   })) {
      return true;  // the row has failed
    }
  }
  return true;
}

template <class T>
bool CsvParser::read_numbers(Batch& batch, Row row, const Run& run, std::string_view record,
                             State& state) const {
  const bool alone = run.last - run.first == 1;
  T* const values = alone ? batch.column(targets_[run.first].slot).row<T>(row) : state.scratch<T>();
  for (std::size_t i = run.first; i < run.last; ++i) {
    const ColumnBuffer& column = batch.column(targets_[i].slot);
    if (column.valid != nullptr) column.valid[row] = 1;
  }
  for (std::size_t i = 0; i < run.fields; i += most_numbers) {
    const std::size_t count = std::min(most_numbers, run.fields - i);
    std::uint64_t left = read(*kernels_, state.found, run.field + i, count, values + i);
    for (; left != 0; left &= left - 1) {
      const std::size_t field = i + static_cast<std::size_t>(std::countr_zero(left));
      if (!read_left(batch, row, run.field + field, record, state, values[field])) return false;
    }
  }
  if (alone) return true;
  const T* next = values;
  for (std::size_t i = run.first; i < run.last; ++i) {
    const std::size_t elements = targets_[i].type.elements();
    std::copy_n(next, elements, batch.column(targets_[i].slot).row<T>(row));
    next += elements;
  }
  return true;
}

template <class T>
bool CsvParser::read_left(Batch& batch, Row row, std::size_t field, std::string_view record,
                          const State& state, T& value) const {
  const std::string_view text = state.field(record, field);
  const char* const end = text.data() + text.size();
  if (read_short_number(text.data(), end, static_cast<std::size_t>(end - record.data()), value)) {
    return true;
  }
  const std::string_view number = trimmed(text);
  if (!number.empty()) return read_value(number, value) == ValueError::None;
  const Target& target = targets_[target_of_[field]];
  if (!target.type.optional || target.type.is_vector()) return false;
  value = 0;
  batch.column(target.slot).valid[row] = 0;
  return true;
}

}  // namespace kaspar::nodes::csv
