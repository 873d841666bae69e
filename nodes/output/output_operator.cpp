#include "nodes/output/output_operator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "nodes/output/output_encoder.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::output {
namespace {

struct Scratch final : OperatorState {
  std::string text;
  CellStorage storage;
  std::vector<Header> headers;
};

enum class Made : std::uint8_t { Value, Null, NotFinite };

/// Of a column of text, or the key: most keys and values are such. Nothing: it is something else.
std::optional<Made> find_text(const Batch& batch, Row row, const Expression& expression,
                              std::string_view& text) {
  bool there = false;
  if (expression.kind == Expression::Kind::Column) {
    const ColumnBuffer& column = batch.column(expression.slot);
    if (!column.type.is_text() || column.type.is_vector()) return std::nullopt;
    there = !column.is_null(row);
    if (there) text = column.values<std::string_view>()[row];
  } else if (expression.kind == Expression::Kind::Meta && expression.meta == MetaField::Key) {
    there = batch.record(row).has_key;
    if (there) text = batch.record(row).key;
  } else {
    return std::nullopt;
  }
  return there ? Made::Value : Made::Null;
}

/// A scalar or vector as text; what is text already is not copied.
Made make_text(Batch& batch, Row row, const Expression& expression, Scratch& scratch,
               std::string_view& text) {
  if (const auto found = find_text(batch, row, expression, text)) return *found;
  const Cell cell = read_cell(batch, row, expression, scratch.storage);
  if (cell.null) return Made::Null;
  if (cell.type.is_text() && !cell.type.is_vector()) {
    text = *static_cast<const std::string_view*>(cell.data);
    return Made::Value;
  }
  scratch.text.clear();
  if (append_text(scratch.text, cell) != Encoding::Ok) return Made::NotFinite;
  text = batch.text().copy(scratch.text);
  return Made::Value;
}

void fail_not_finite(Batch& batch, Row row, std::string_view what) {
  batch.fail(row, DiagnosticCode::K0904, fmt::format("`{}` is not finite", what));
}

/// Appends all fields; answers the one that is not finite, if any.
const OutputField* append_fields(const OutputLayout& layout, const Batch& batch, Row row,
                                 Scratch& scratch) {
  std::string& out = scratch.text;
  for (const OutputField& field : layout.fields) {
    out += field.before;
    const Cell cell = read_cell(batch, row, field.expression, scratch.storage);
    const Encoding result =
        layout.format == Format::Json ? append_json(out, cell) : append_csv(out, cell);
    if (result != Encoding::Ok) return &field;
  }
  out += layout.after;
  return nullptr;
}

/// False: the row has failed.
bool make_value(const OutputLayout& layout, Batch& batch, Row row, Scratch& scratch,
                OutputRecord& record) {
  if (layout.format == Format::Text && layout.fields.size() == 1) {
    const OutputField& field = layout.fields.front();
    const Made made = make_text(batch, row, field.expression, scratch, record.value);
    if (made == Made::NotFinite) return fail_not_finite(batch, row, field.expression.text), false;
    record.has_value = made == Made::Value;
    return true;
  }
  scratch.text.clear();
  if (const OutputField* bad = append_fields(layout, batch, row, scratch)) {
    return fail_not_finite(batch, row, bad->expression.text), false;
  }
  record.value = batch.text().copy(scratch.text);
  return true;
}

bool make_headers(const OutputLayout& layout, Batch& batch, Row row, Scratch& scratch,
                  OutputRecord& record) {
  scratch.headers.clear();
  if (layout.pass_headers && batch.records().storage) {
    batch.records().storage->headers(row, scratch.headers);
    // A header written by the stage replaces those of the same name that came with the record.
    std::erase_if(scratch.headers, [&](const Header& passed) {
      return std::ranges::any_of(layout.headers,
                                 [&](const OutputHeader& own) { return own.name == passed.name; });
    });
  }
  for (const OutputHeader& own : layout.headers) {
    Header header{.name = own.name};
    const Made made = make_text(batch, row, own.expression, scratch, header.value);
    if (made == Made::NotFinite) return fail_not_finite(batch, row, own.expression.text), false;
    header.has_value = made == Made::Value;
    scratch.headers.push_back(header);
  }
  if (scratch.headers.empty()) return true;
  const std::size_t count = scratch.headers.size();
  char* room = batch.text().allocate(count * sizeof(Header) + alignof(Header) - 1);
  const auto address = reinterpret_cast<std::uintptr_t>(room);
  room += (alignof(Header) - address % alignof(Header)) % alignof(Header);
  auto* const headers = reinterpret_cast<Header*>(room);
  std::uninitialized_copy(scratch.headers.begin(), scratch.headers.end(), headers);
  record.headers = {headers, count};
  return true;
}

/// False: the row has failed.
bool make_record(const OutputLayout& layout, Batch& batch, Row row, Scratch& scratch,
                 OutputRecord& record) {
  record.row = row;
  if (layout.needs_timestamp && batch.record(row).timestamp == -1) {
    batch.fail(row, DiagnosticCode::K0905, "the record has no timestamp");
    return false;
  }
  if (layout.key) {
    const Made made = make_text(batch, row, *layout.key, scratch, record.key);
    if (made == Made::NotFinite) return fail_not_finite(batch, row, layout.key->text), false;
    record.has_key = made == Made::Value;
  }
  if (!make_value(layout, batch, row, scratch, record)) return false;
  if (!make_headers(layout, batch, row, scratch, record)) return false;
  if (layout.source_timestamp) record.timestamp = batch.record(row).timestamp;
  return true;
}

}  // namespace

std::unique_ptr<OperatorState> MakeOutputs::make_state() const {
  return std::make_unique<Scratch>();
}

void MakeOutputs::process(Batch& batch, OperatorState* state) const noexcept {
  auto& scratch = static_cast<Scratch&>(*state);
  auto& outputs = batch.outputs();
  for (const Row row : batch.alive()) {
    if (!make_record(layout_, batch, row, scratch, outputs.emplace_back())) outputs.pop_back();
  }
}

}  // namespace kaspar::nodes::output
