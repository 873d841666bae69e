// `parse csv`: registration and schema rule.
#include <fmt/format.h>

#include "nodes/csv/csv_parser.hpp"
#include "nodes/csv/named_csv_parser.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {
namespace {

using csv::CsvParser;
using csv::NamedCsvParser;

/// Whether the fields say where they come `from`; all of them do, or none.
bool is_named(const Schema& schema) {
  return !schema.columns.empty() && !schema.columns.front().origin.empty();
}

bool is_delimiter(std::string_view text) noexcept {
  if (text.size() != 1) return false;
  const char c = text.front();
  const bool in_numbers = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+';
  return static_cast<unsigned char>(c) < 0x80 && c != '"' && c != '\n' && c != '\r' && c != '\0' &&
         !in_numbers;
}

std::expected<Inferred, Issue> infer_csv(const StageCall& call) {
  const std::string delimiter = string_param(call.params, "delimiter", ",");
  if (!is_delimiter(delimiter)) {
    return std::unexpected(Issue{
        .code = DiagnosticCode::K0302,
        .place = {.part = IssuePlace::Part::Param, .name = "delimiter"},
        .message = "the delimiter of `parse csv` must be a single character",
        .label = "not one ASCII character that is neither a quote, a line break nor of a number",
        .help = "write one character, such as `\";\"` or `\"\\t\"`"});
  }
  if (is_named(call.schema) && !call.header) {
    return std::unexpected(Issue{
        .code = DiagnosticCode::K0302,
        .place = {.part = IssuePlace::Part::Schema},
        .message = fmt::format("the fields of `{}` are found by the names of a header, and the "
                               "source has none",
                               call.schema.name),
        .help = "give the `file` or `stdin` source the option `header: true`, or leave out `from` "
                "and put the fields in the order of the CSV columns"});
  }
  return Inferred{.columns = call.schema.columns, .replaces_all = true, .fallible = true};
}

std::unique_ptr<Operator> make_csv(const StageBinding& binding) {
  const std::string delimiter = string_param(binding.call.params, "delimiter", ",");
  if (is_named(binding.call.schema)) {
    return std::make_unique<NamedCsvParser>(binding.call.schema, binding.writes, delimiter.front());
  }
  return std::make_unique<CsvParser>(binding.call.schema, binding.writes, delimiter.front());
}

}  // namespace

void register_csv(NodeRegistry& registry) {
  registry.add(
      {.role = NodeRole::Parse,
       .name = "csv",
       .summary = "Reads one row of comma-separated values (RFC 4180) from a record's value",
       .documentation =
           "Fields are taken in the order of the schema; a vector takes as many as it is wide. "
           "Where "
           "the schema says `from \"name\"`, they are found by the names of the source's header, a "
           "vector's by the first and the last, `from \"t0\"..\"t59\"`, and other columns are "
           "ignored. "
           "Quotes come off first, a trailing line break is ignored, and all types but text lose "
           "surrounding blanks. An empty field is null; a quoted empty one is an empty `string`.\n"
           "\n"
           "| Code | The row |\n|---|---|\n"
           "| K0901 | has more or fewer fields than the schema |\n"
           "| K0902 | has a field that is not of its type, out of range or not UTF-8 |\n"
           "| K0903 | has a broken quote, or a line break outside quotes |\n"
           "| K0905 | has no value, or an empty field that is not optional |\n",
       .params = {{.name = "delimiter",
                   .kind = ParamKind::String,
                   .summary = "the character between fields",
                   .default_text = "\",\""}},
       .examples = {"|> parse csv as Window", "|> parse csv as Window { delimiter: \";\" }"},
       .infer = infer_csv,
       .make_operator = make_csv});
}

}  // namespace kaspar::nodes
