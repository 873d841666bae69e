// `parse json`: registration and schema rule.
#include <fmt/format.h>

#include <map>
#include <string>

#include "nodes/json/json_parser.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {
namespace {

std::expected<Inferred, Issue> infer_json(const StageCall& call) {
  for (const Column& column : call.schema.columns) {
    const std::string& path = column.origin;
    const bool empty_part =
        path.starts_with('.') || path.ends_with('.') || path.find("..") != std::string::npos;
    if (!empty_part) continue;
    return std::unexpected(
        Issue{.code = DiagnosticCode::K0302,
              .place = {.part = IssuePlace::Part::Schema},
              .message = fmt::format("the path `{}` of `{}` has an empty key", path, column.name),
              .help = "keys are separated by single dots: `from \"a.b\"`"});
  }
  return Inferred{.columns = call.schema.columns, .replaces_all = true, .fallible = true};
}

std::unique_ptr<Operator> make_json(const StageBinding& binding) {
  return std::make_unique<json::JsonParser>(binding.call.schema, binding.writes);
}

}  // namespace

void register_json(NodeRegistry& registry) {
  registry.add(
      {.role = NodeRole::Parse,
       .name = "json",
       .summary = "Reads one JSON object (RFC 8259) from a record's value",
       .documentation =
           "A column is the value of the key with its name, or at its path: `from \"a.b\"` is the "
           "key `b` of the object at `a`. Other keys are ignored, of a key that comes twice the "
           "last one counts, and what is missing is null. Nothing is coerced: `\"1\"` is no "
           "number, "
           "and an `i64` is written without fraction and exponent. A `timestamp` is RFC 3339 or "
           "milliseconds, a `duration` `\"5s\"` or milliseconds, a vector an array of its width. A "
           "number is read as the nearest `f64`; an `f32` is rounded from that.\n"
           "\n"
           "| Code | The row |\n|---|---|\n"
           "| K0901 | has an array of another length than its vector |\n"
           "| K0902 | has a value of another kind, or out of range |\n"
           "| K0903 | is no JSON object, or nested more than 1024 deep |\n"
           "| K0905 | has no value, or null where the type is not optional |\n",
       .examples = {"|> parse json as Payment"},
       .infer = infer_json,
       .make_operator = make_json});
}

}  // namespace kaspar::nodes
