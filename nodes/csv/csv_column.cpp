#include "nodes/csv/csv_column.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include "runtime/core/excerpt.hpp"

namespace kaspar::nodes::csv {
namespace {

/// "field 3 (`x[2]`)": fields from 1 as people count, elements from 0 as the language does.
std::string field_name(std::size_t field, std::string_view column, const Type& type,
                       std::size_t element) {
  if (!type.is_vector()) return fmt::format("field {} (`{}`)", field + 1, column);
  return fmt::format("field {} (`{}[{}]`)", field + 1, column, element);
}

std::string name_of(const FieldPlace& place) {
  return field_name(place.field, place.column, place.type, place.element);
}

template <class T>
ValueError store(std::string_view text, void* element) noexcept {
  return read_value(trimmed(text), *static_cast<T*>(element));
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

void fail_null(Batch& batch, Row row, const FieldPlace& place) {
  std::string message = fmt::format("{} is empty", name_of(place));
  if (place.type.optional) message += " where others of the vector are not";
  batch.fail(row, DiagnosticCode::K0905, std::move(message));
}

void fail_value(Batch& batch, Row row, const FieldPlace& place, ValueError error,
                std::string_view text) {
  batch.fail(
      row, DiagnosticCode::K0902,
      fmt::format("{} {}: {}", name_of(place),
                  error == ValueError::OutOfRange
                      ? fmt::format("is out of the range of `{}`", to_string(place.type.scalar))
                      : fmt::format("is no `{}`", to_string(place.type.scalar)),
                  excerpt(text)));
}

void fail_layout(Batch& batch, Row row, const Scan& found) {
  batch.fail(row, DiagnosticCode::K0903,
             fmt::format("field {} {}", found.fields, describe(found.layout)));
}

bool is_null(const Field& field, const Type& type) noexcept {
  if (type.is_text()) {
    return field.text.empty() && !(field.quoted && type.scalar == ScalarType::String);
  }
  return trimmed(field.text).empty();
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

}  // namespace kaspar::nodes::csv
