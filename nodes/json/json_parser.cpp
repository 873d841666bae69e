#include "nodes/json/json_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "nodes/json/json_numbers.hpp"
#include "nodes/json/json_value.hpp"
#include "runtime/core/excerpt.hpp"

namespace kaspar::nodes::json {

using simdjson::dom::element;

struct JsonParser::State final : OperatorState {
  explicit State(std::size_t columns) : found(columns) {}

  /// The document of this text, which lives until the next one.
  simdjson::simdjson_result<element> parse(std::string_view text) {
    const std::size_t padded = text.size() + simdjson::SIMDJSON_PADDING;
    if (buffer.size() < padded) buffer.resize(std::max(padded, 2 * buffer.size()));
    std::memcpy(buffer.data(), text.data(), text.size());
    std::memset(buffer.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
    return parser.parse(buffer.data(), text.size(), false);
  }

  /// What stands there, for messages.
  [[nodiscard]] std::string shown(element value) const {
    const bool too_large =
        replaced && value.is_object() && value.get_object().value_unsafe().size() == 0;
    return too_large ? "a number that no `f64` holds" : described(value);
  }

  simdjson::dom::parser parser;
  std::vector<char> buffer;
  std::string in_range;   // a document whose numbers were brought into range
  bool replaced = false;  // it is the one that was parsed
  std::vector<Found> found;
};

JsonParser::JsonParser(const Schema& schema, std::span<const Slot> writes)
    : schema_(schema), writes_(writes.begin(), writes.end()), fields_(schema) {}

std::unique_ptr<OperatorState> JsonParser::make_state() const {
  return std::make_unique<State>(schema_.columns.size());
}

void JsonParser::process(Batch& batch, OperatorState* state) const noexcept {
  for (const Row row : batch.alive()) read_row(batch, row, static_cast<State&>(*state));
}

void JsonParser::read_row(Batch& batch, Row row, State& state) const {
  const Record& record = batch.record(row);
  if (!record.has_value) {
    batch.fail(row, DiagnosticCode::K0905, "the record has no value");
    return;
  }
  auto document = state.parse(record.value);
  state.replaced =
      document.error() == simdjson::NUMBER_ERROR && within_range(record.value, state.in_range);
  if (state.replaced) document = state.parse(state.in_range);
  if (document.error() != simdjson::SUCCESS) {
    batch.fail(row, DiagnosticCode::K0903,
               fmt::format("this is no JSON ({}): {}", simdjson::error_message(document.error()),
                           excerpt(record.value)));
    return;
  }
  const element whole = document.value_unsafe();
  if (!whole.is_object()) {
    batch.fail(row, DiagnosticCode::K0903,
               fmt::format("the record is no JSON object, but {}", described(whole)));
    return;
  }
  fields_.find(whole.get_object().value_unsafe(), state.found);
  for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
    if (!read_column(batch, row, i, state)) return;
  }
}

bool JsonParser::read_column(Batch& batch, Row row, std::size_t column, const State& state) const {
  const Found& found = state.found[column];
  const Type& type = schema_.columns[column].type;
  const ColumnBuffer& buffer = batch.column(writes_[column]);
  if (found.kind == Found::Kind::NoObject) {
    batch.fail(row, DiagnosticCode::K0902,
               fmt::format("`{}` leads through {}, which is no object", fields_.path(column),
                           state.shown(found.value)));
    return false;
  }
  if (found.kind == Found::Kind::Missing) {
    if (type.optional) {
      buffer.valid[row] = 0;
      return true;
    }
    batch.fail(row, DiagnosticCode::K0905,
               fmt::format("`{}` is missing or null", fields_.path(column)));
    return false;
  }
  if (type.optional) buffer.valid[row] = 1;
  if (type.is_vector()) return read_vector(batch, row, column, state);
  std::byte* const to = buffer.data + row * element_size(type.scalar);
  const ValueError error = read_scalar(found.value, type.scalar, to, batch.text());
  if (error == ValueError::None) return true;
  batch.fail(row, DiagnosticCode::K0902,
             fmt::format("`{}` is {} `{}`: {}", fields_.path(column),
                         error == ValueError::OutOfRange ? "out of the range of" : "no",
                         to_string(type.scalar), state.shown(found.value)));
  return false;
}

bool JsonParser::read_vector(Batch& batch, Row row, std::size_t column, const State& state) const {
  const element value = state.found[column].value;
  const Type& type = schema_.columns[column].type;
  const std::string& path = fields_.path(column);
  if (!value.is_array()) {
    batch.fail(row, DiagnosticCode::K0902,
               fmt::format("`{}` is no array: {}", path, state.shown(value)));
    return false;
  }
  const simdjson::dom::array array = value.get_array().value_unsafe();
  std::size_t count = 0;  // size() is cut off at 2^24
  const std::size_t size = element_size(type.scalar);
  std::byte* const to = batch.column(writes_[column]).data + row * type.width * size;
  for (const element item : array) {
    if (count == type.width) {
      ++count;
      break;
    }
    const ValueError error = item.is_null()
                                 ? ValueError::WrongKind
                                 : read_scalar(item, type.scalar, to + count * size, batch.text());
    if (error != ValueError::None) {
      batch.fail(row, item.is_null() ? DiagnosticCode::K0905 : DiagnosticCode::K0902,
                 fmt::format("`{}[{}]` is {} `{}`: {}", path, count,
                             error == ValueError::OutOfRange ? "out of the range of" : "no",
                             to_string(type.scalar), state.shown(item)));
      return false;
    }
    ++count;
  }
  if (count == type.width) return true;
  batch.fail(row, DiagnosticCode::K0901,
             fmt::format("`{}` has {}{} elements, and the vector {}", path,
                         count > type.width ? "more than " : "",
                         count > type.width ? count - 1 : count, type.width));
  return false;
}

}  // namespace kaspar::nodes::json
