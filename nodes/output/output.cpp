// `to SINK { … }`: registration and rules.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "nodes/output/output_operator.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::nodes {
namespace {

using output::Format;
using output::OutputField;
using output::OutputLayout;

constexpr std::string_view header_role = "headers.";

/// `y.out` is field `out` of the object `y`.
OutputField column_field(const Column& column, Slot slot) {
  OutputField field{.path = {column.name},
                    .expression = {.kind = Expression::Kind::Column,
                                   .type = column.type,
                                   .slot = slot,
                                   .text = column.name}};
  if (const auto dot = column.name.find('.'); dot != std::string::npos) {
    field.path = {column.name.substr(0, dot), column.name.substr(dot + 1)};
  }
  return field;
}

/// The text around the fields: `{"a":`, `,"y":{"out":`, `},"b":`; commas alone in CSV.
void write_around(OutputLayout& layout) {
  const bool json = layout.format == Format::Json && !layout.single;
  std::span<const std::string> open;  // the objects that the field before stands in
  for (std::size_t i = 0; i < layout.fields.size(); ++i) {
    OutputField& field = layout.fields[i];
    if (!json) {
      if (i != 0) field.before = ",";
      continue;
    }
    const auto objects = std::span(field.path).first(field.path.size() - 1);
    const auto common =
        static_cast<std::size_t>(std::ranges::mismatch(open, objects).in1 - open.begin());
    field.before.append(open.size() - common, '}');
    field.before += i == 0 ? '{' : ',';
    for (const std::string& name : objects.subspan(common)) {
      append_json_string(field.before, name);
      field.before += ":{";
    }
    append_json_string(field.before, field.path.back());
    field.before += ':';
    open = objects;
  }
  if (json) layout.after.append(open.size() + 1, '}');
}

Expression meta_bytes(MetaField field, std::string_view text) {
  return {.kind = Expression::Kind::Meta,
          .type = {.scalar = ScalarType::Bytes, .optional = true},
          .meta = field,
          .text = std::string{text}};
}

/// A record may lack it.
bool is_timestamp(const Expression& expression) {
  return expression.kind == Expression::Kind::Meta && expression.meta == MetaField::Timestamp &&
         !expression.type.optional;
}

template <class Is>
bool any_expression(const OutputLayout& layout, Is is) {
  const auto of = [&](const auto& part) { return is(part.expression); };
  return (layout.key && is(*layout.key)) || std::ranges::any_of(layout.fields, of) ||
         std::ranges::any_of(layout.headers, of);
}

OutputLayout layout_of(const StageCall& call) {
  OutputLayout layout;
  layout.key = meta_bytes(MetaField::Key, "meta.key");
  for (const Operand& operand : call.operands) {
    if (operand.role == "key") layout.key = operand.expression;
    if (operand.role == "value") {
      layout.single = operand.path.empty();
      layout.fields.push_back({.path = operand.path, .expression = operand.expression});
    }
    if (operand.role.starts_with(header_role)) {
      layout.headers.push_back({operand.role.substr(header_role.size()), operand.expression});
    }
  }
  if (layout.fields.empty() && call.input.columns.empty()) {
    layout.single = true;  // nothing was parsed: the record goes on as it came
    layout.fields.push_back({.expression = meta_bytes(MetaField::Value, "meta.value")});
  }
  if (layout.fields.empty()) {
    for (std::size_t i = 0; i < call.input.columns.size(); ++i) {
      layout.fields.push_back(column_field(call.input.columns[i], call.input_slots[i]));
    }
    // An object's fields stand together, where the first of them stands.
    for (std::size_t i = 0; i < layout.fields.size(); ++i) {
      if (layout.fields[i].path.size() == 1) continue;
      std::stable_partition(layout.fields.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                            layout.fields.end(),
                            [object = layout.fields[i].path.front()](const OutputField& field) {
                              return field.path.size() > 1 && field.path.front() == object;
                            });
    }
  }
  const bool scalar = layout.single && !layout.fields.front().expression.type.is_vector();
  const std::string format = string_param(call.params, "format", scalar ? "text" : "json");
  layout.format = format == "text" ? Format::Text : format == "csv" ? Format::Csv : Format::Json;
  write_around(layout);
  layout.pass_headers = bool_param(call.params, "pass_headers", false);
  layout.source_timestamp = string_param(call.params, "timestamp", "now") == "source";
  layout.needs_timestamp = any_expression(layout, is_timestamp);
  return layout;
}

std::expected<Inferred, Issue> infer_to(const StageCall& call) {
  const OutputLayout layout = layout_of(call);
  const bool text = layout.format == Format::Text;
  if (text && (!layout.single || layout.fields.front().expression.type.is_vector())) {
    return std::unexpected(
        Issue{.code = DiagnosticCode::K0302,
              .place = {.part = IssuePlace::Part::Param, .name = "format"},
              .message = "`format: text` writes a single scalar",
              .label = layout.single ? fmt::format("the value is `{}`",
                                                   to_string(layout.fields.front().expression.type))
                                     : "fields are written, not one value",
              .help = "use `format: csv` or `format: json`, or choose a scalar with `value`"});
  }
  const auto may_fail = [](const Expression& expression) { return expression.type.is_float(); };
  return Inferred{.fallible = layout.needs_timestamp || any_expression(layout, may_fail)};
}

std::unique_ptr<Operator> make_to(const StageBinding& binding) {
  return std::make_unique<output::MakeOutputs>(layout_of(binding.call));
}

}  // namespace

void register_output(NodeRegistry& registry) {
  registry.add(
      {.role = NodeRole::Stage,
       .name = "to",
       .summary = "Writes each row as a record to a sink",
       .documentation =
           "Numbers are written in the shortest form that reads back, timestamps as RFC 3339, "
           "durations as in the language, bytes as text where they are UTF-8 and else as "
           "`base64:…`. A row without columns is written as the record that was read. Null is "
           "`null` in JSON, empty in CSV; as the whole value of `format: text` "
           "it makes a record without a value (a tombstone), as the key one without a key. In JSON "
           "the result `y` of a model is an object. In CSV a vector takes as many fields as it is "
           "wide. A number that is not finite fails the row with K0904.\n",
       .params = {{.name = "key",
                   .kind = ParamKind::Expression,
                   .summary = "the record's key",
                   .default_text = "meta.key"},
                  {.name = "value",
                   .kind = ParamKind::Fields,
                   .summary = "the record's value, or its fields: `{ a, b = x + 1 }`; all columns "
                              "where it is not given"},
                  {.name = "format",
                   .kind = ParamKind::Word,
                   .summary =
                       "how the value is written; `text` for a scalar, else `json`, unless given",
                   .words = {"text", "json", "csv"}},
                  {.name = "headers",
                   .kind = ParamKind::Expressions,
                   .summary = "headers to write: `{ \"name\" = expr }`"},
                  {.name = "pass_headers",
                   .kind = ParamKind::Boolean,
                   .summary = "whether the headers of the record that was read are written too",
                   .default_text = "false"},
                  {.name = "timestamp",
                   .kind = ParamKind::Word,
                   .summary = "the time of writing, or that of the record that was read",
                   .default_text = "now",
                   .words = {"now", "source"}}},
       .examples = {"|> to labels { key: meta.key, value: y.label }",
                    "|> to results { value: { id, total = a + b, result = y } }",
                    "|> to results { format: csv, pass_headers: true }"},
       .infer = infer_to,
       .make_operator = make_to});
}

}  // namespace kaspar::nodes
