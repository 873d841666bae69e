#include "dsl/check/test_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

namespace kaspar::dsl {
namespace {

const std::vector<std::string_view> feed_options{"key", "value", "headers", "timestamp"};
// What a record has, and what an error row has.
const std::vector<std::string_view> expect_options{"key",       "value", "headers",   "timestamp",
                                                   "tolerance", "raw",   "stage",     "code",
                                                   "message",   "topic", "partition", "offset"};

void check_endpoint(const ast::Name& name, bool feed, const Definitions& definitions,
                    Report& report) {
  const auto kind = feed ? Definition::Kind::Source : Definition::Kind::Sink;
  const auto found = definitions.by_name.find(name.text);
  if (name.empty()) return;
  if (found != definitions.by_name.end() &&
      (found->second.kind == kind || found->second.kind == Definition::Kind::Other)) {
    return;
  }
  std::vector<std::string_view> names;
  for (const auto& [other, definition] : definitions.by_name) {
    if (definition.kind == kind) names.push_back(other);
  }
  Diagnostic diagnostic{.code = DiagnosticCode::K0801,
                        .span = name.span,
                        .message = fmt::format("the test {} `{}`, which is no {}",
                                               feed ? "feeds" : "expects something of", name.text,
                                               feed ? "source" : "sink")};
  suggest(diagnostic, name.text, names);
  report.add(std::move(diagnostic));
}

}  // namespace

void check_test(const ast::Test& test, const Definitions& definitions, const std::string& directory,
                Report& report) {
  for (const auto& step : test.steps) {
    const auto* feed = std::get_if<ast::Feed>(&step);
    const auto* expect = std::get_if<ast::Expect>(&step);
    check_endpoint(feed != nullptr ? feed->endpoint : expect->endpoint, feed != nullptr,
                   definitions, report);
    const auto& known = feed != nullptr ? feed_options : expect_options;
    for (const ast::Entry& entry : (feed != nullptr ? feed->options : expect->options).entries) {
      if (std::ranges::find(known, entry.name.text) == known.end()) {
        report.unknown(entry.name.span, "option", entry.name.text, known);
        continue;
      }
      if (!entry.value || (entry.value->kind != ast::Node::Kind::File &&
                           entry.value->kind != ast::Node::Kind::LinesFile)) {
        continue;
      }
      const std::string path =
          path_from(directory, std::get<StringLiteral>(entry.value->literal).text());
      std::error_code failed;
      if (!std::filesystem::is_regular_file(path, failed)) {
        report.error(DiagnosticCode::K0801, entry.value->text_span,
                     fmt::format("no file `{}`", path), "paths are relative to the pipeline file");
      }
    }
  }
}

}  // namespace kaspar::dsl
