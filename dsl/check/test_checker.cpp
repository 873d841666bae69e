#include "dsl/check/test_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "dsl/check/constants.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::dsl {
namespace {

using ast::Node;

const std::vector<std::string_view> feed_options{"key", "value", "headers", "timestamp"};
// What a record has, and what an error row has.
const std::vector<std::string_view> expect_options{"key",       "value", "headers",   "timestamp",
                                                   "tolerance", "raw",   "stage",     "code",
                                                   "message",   "topic", "partition", "offset"};
constexpr std::uintmax_t largest_file = 64u << 20;

bool is_file(const Node& node) {
  return node.kind == Node::Kind::File || node.kind == Node::Kind::LinesFile;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    begin = end + 1;
  }
  return lines;
}

void remove_line_end(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
}

class TestChecker {
 public:
  TestChecker(const ast::Test& test, Program& program, FileDefinitions& file)
      : test_(test), program_(program), file_(file), report_(file.report) {}

  std::optional<TestPlan> run(const ast::Item& item) {
    TestPlan plan{.place = place_of(file_, item.span)};
    if (test_.name && test_.name->kind == Node::Kind::String) {
      plan.name = std::get<StringLiteral>(test_.name->literal).text();
    }
    for (const auto& step : test_.steps) {
      if (const auto* feed = std::get_if<ast::Feed>(&step)) {
        check_feed(*feed, plan);
      } else {
        check_expect(std::get<ast::Expect>(step), plan);
      }
    }
    if (!fine_ || item.damaged) return std::nullopt;
    return plan;
  }

 private:
  std::optional<std::size_t> endpoint(const ast::Name& name, bool feed) {
    const auto kind = feed ? Definition::Kind::Source : Definition::Kind::Sink;
    const auto found = file_.by_name.find(name.text);
    if (name.empty()) return std::nullopt;
    if (found != file_.by_name.end() && found->second.kind == kind) return found->second.index;
    fine_ = false;
    if (found != file_.by_name.end() && found->second.kind == Definition::Kind::Unknown)
      return std::nullopt;
    std::vector<std::string_view> names;
    for (const auto& [other, definition] : file_.by_name) {
      if (definition.kind == kind) names.push_back(other);
    }
    Diagnostic diagnostic{.code = DiagnosticCode::K0801,
                          .span = name.span,
                          .message = fmt::format("the test {} `{}`, which is no {}",
                                                 feed ? "feeds" : "expects something of", name.text,
                                                 feed ? "source" : "sink")};
    suggest(diagnostic, name.text, names);
    report_.add(std::move(diagnostic));
    return std::nullopt;
  }

  /// The entries that are known, each once.
  std::vector<const ast::Entry*> entries(const ast::Options& options,
                                         const std::vector<std::string_view>& known) {
    std::vector<const ast::Entry*> result;
    std::set<std::string_view> seen;
    for (const ast::Entry& entry : options.entries) {
      if (std::ranges::find(known, entry.name.text) == known.end()) {
        report_.unknown(entry.name.span, "option", entry.name.text, known);
        fine_ = false;
      } else if (!seen.insert(entry.name.text).second) {
        report_.error(DiagnosticCode::K0202, entry.name.span,
                      fmt::format("option `{}` is given twice", entry.name.text));
        fine_ = false;
      } else if (entry.value && entry.value->kind != Node::Kind::Error) {
        result.push_back(&entry);
      } else {
        fine_ = false;
      }
    }
    return result;
  }

  void check_feed(const ast::Feed& feed, TestPlan& plan) {
    TestFeed made{.place = place_of(file_, feed.endpoint.span)};
    const auto source = endpoint(feed.endpoint, true);
    made.source = source.value_or(0);
    std::vector<std::string> lines;
    bool several = false;
    for (const ast::Entry* entry : entries(feed.options, feed_options)) {
      const std::string& name = entry->name.text;
      if (name == "key") {
        if (auto key = value(*entry)) made.key = std::move(*key);
      } else if (name == "value" && entry->value->kind == Node::Kind::LinesFile) {
        several = true;
        if (auto text = read(*entry->value)) lines = lines_of(*text);
      } else if (name == "value") {
        if (auto given = value(*entry)) made.value = std::move(*given);
      } else if (name == "headers") {
        headers(*entry->value, made.headers);
      } else if (const auto time = timestamp(*entry)) {
        made.timestamp = *time;
      }
    }
    if (!several) return plan.feeds.push_back(std::move(made));
    for (std::string& line : lines) {
      made.value = {.kind = TestValue::Kind::Text, .text = std::move(line)};
      plan.feeds.push_back(made);
    }
  }

  void check_expect(const ast::Expect& expect, TestPlan& plan) {
    TestExpectation made{.none = expect.none, .place = place_of(file_, expect.endpoint.span)};
    const auto sink = endpoint(expect.endpoint, false);
    made.sink = sink.value_or(0);
    std::vector<std::string> lines;
    bool several = false;
    for (const ast::Entry* entry : entries(expect.options, expect_options)) {
      const std::string& name = entry->name.text;
      if (name == "key") {
        if (auto key = value(*entry)) made.key = std::move(key);
      } else if (name == "value" && entry->value->kind == Node::Kind::LinesFile) {
        several = true;
        if (auto text = read(*entry->value)) lines = lines_of(*text);
      } else if (name == "value") {
        made.value = value(*entry);
        if (made.value && is_file(*entry->value)) remove_line_end(made.value->text);
      } else if (name == "headers") {
        headers(*entry->value, made.headers);
      } else if (name == "timestamp") {
        made.timestamp = timestamp(*entry);
      } else if (name == "tolerance") {
        made.tolerance = tolerance(*entry);
      } else if (name == "partition" || name == "offset") {
        auto whole = constant_of(*entry->value, {.scalar = ScalarType::I64},
                                 fmt::format("option `{}`", name), program_, file_);
        fine_ = fine_ && whole;
        if (whole) (name == "offset" ? made.offset : made.partition) = *whole->get<std::int64_t>();
      } else {
        error_text(name, *entry, made);
      }
    }
    const bool both =
        nothing_.try_emplace(expect.endpoint.text, expect.none).first->second != expect.none;
    if (both) {
      report_.error(DiagnosticCode::K0202, expect.endpoint.span,
                    fmt::format("the test expects records of `{}`, and none", expect.endpoint.text),
                    "leave out one of the two");
      fine_ = false;
    }
    made.none = made.none || (several && lines.empty());
    if (!several || made.none) return plan.expectations.push_back(std::move(made));
    for (std::string& line : lines) {
      made.value = TestValue{.kind = TestValue::Kind::Text, .text = std::move(line)};
      plan.expectations.push_back(made);
    }
  }

  void error_text(const std::string& name, const ast::Entry& entry, TestExpectation& made) {
    auto given = value(entry);
    if (!given) return;
    if (name == "code") {
      static constexpr std::string_view codes[]{"K0901", "K0902", "K0903", "K0904",
                                                "K0905", "K0906", "K0907", "K0908"};
      if (std::ranges::find(codes, given->text) == std::end(codes)) {
        report_.error(DiagnosticCode::K0302, entry.value->span,
                      fmt::format("no row fails with the code `{}`", given->text),
                      "codes of rows are `K0901` to `K0908`");
        fine_ = false;
        return;
      }
    }
    auto& field = name == "raw"       ? made.raw
                  : name == "stage"   ? made.stage
                  : name == "code"    ? made.code
                  : name == "message" ? made.message
                                      : made.topic;
    field = std::move(given->text);
  }

  double tolerance(const ast::Entry& entry) {
    auto number = constant_of(*entry.value, {.scalar = ScalarType::F64}, "option `tolerance`",
                              program_, file_);
    const double given = number ? *number->get<double>() : 0;
    if (number && !(given >= 0)) {
      report_.error(DiagnosticCode::K0302, entry.value->span, "a tolerance is not negative");
      number.reset();
    }
    fine_ = fine_ && number;
    return given;
  }

  std::optional<std::int64_t> timestamp(const ast::Entry& entry) {
    auto given = constant(*entry.value, program_, file_);
    if (given && given->type.scalar == ScalarType::I64) return *given->value.get<std::int64_t>();
    if (given) {
      if (const auto time = adapted(given->value, given->type.scalar, ScalarType::Timestamp)) {
        return *time->get<std::int64_t>();
      }
      report_.error(DiagnosticCode::K0302, entry.value->span, "this is no point in time",
                    "write RFC 3339, \"2026-11-22T10:00:00Z\", or milliseconds since 1970");
    }
    fine_ = false;
    return std::nullopt;
  }

  void headers(const Node& node, std::vector<TestHeader>& into) {
    if (node.kind != Node::Kind::Table) {
      report_.error(DiagnosticCode::K0302, node.span,
                    "option `headers` takes a table, written `{ \"a\" = \"x\" }`");
      fine_ = false;
      return;
    }
    for (const ast::Entry& entry : node.entries) {
      if (!entry.value) {
        report_.error(DiagnosticCode::K0303, entry.name.span, "the header has no value",
                      fmt::format("write `\"{}\" = …`", entry.name.text));
        fine_ = false;
        continue;
      }
      if (auto given = value(entry)) into.push_back({entry.name.text, std::move(*given)});
    }
  }

  std::optional<TestValue> value(const ast::Entry& entry) {
    const Node& node = *entry.value;
    switch (node.kind) {
      case Node::Kind::Error:
        fine_ = false;
        return std::nullopt;
      case Node::Kind::Null:
        return TestValue{};
      case Node::Kind::File: {
        auto text = read(node);
        if (!text) return std::nullopt;
        return TestValue{.kind = TestValue::Kind::Text, .text = std::move(*text)};
      }
      case Node::Kind::LinesFile:
        report_.error(DiagnosticCode::K0302, node.span,
                      fmt::format("option `{}` takes one value", entry.name.text),
                      "`lines file` gives a `value` for each line");
        fine_ = false;
        return std::nullopt;
      case Node::Kind::Table:
      case Node::Kind::List: {
        TestValue made{.kind = TestValue::Kind::Json};
        if (!json(node, made.text)) {
          fine_ = false;
          return std::nullopt;
        }
        return made;
      }
      default: {
        auto given = constant(node, program_, file_);
        if (!given) {
          fine_ = false;
          return std::nullopt;
        }
        return TestValue{.kind = TestValue::Kind::Text, .text = text_of(given->value, given->type)};
      }
    }
  }

  bool json(const Node& node, std::string& out) {
    if (node.kind == Node::Kind::Null) {
      out += "null";
      return true;
    }
    bool fine = true;
    bool first = true;
    if (node.kind == Node::Kind::List) {
      out += '[';
      for (const auto& child : node.children) {
        if (!std::exchange(first, false)) out += ',';
        fine = json(*child, out) && fine;
      }
      out += ']';
      return fine;
    }
    if (node.kind == Node::Kind::Table) {
      out += '{';
      for (const ast::Entry& entry : node.entries) {
        if (!std::exchange(first, false)) out += ',';
        append_json_string(out, entry.name.text);
        out += ':';
        if (entry.value) {
          fine = json(*entry.value, out) && fine;
        } else {
          report_.error(DiagnosticCode::K0303, entry.name.span, "the entry has no value",
                        fmt::format("write `{} = …`", entry.name.text));
          fine = false;
        }
      }
      out += '}';
      return fine;
    }
    if (node.kind == Node::Kind::Error) return false;
    auto given = constant(node, program_, file_);
    if (!given) return false;
    const std::string text = text_of(given->value, given->type);
    const bool bare = given->type.is_numeric();
    if (bare) {
      out += text;
    } else {
      append_json_string(out, text);
    }
    return fine;
  }

  /// The file's bytes; one that cannot be read is K0801.
  std::optional<std::string> read(const Node& node) {
    auto name = interpolated(std::get<StringLiteral>(node.literal), program_, file_);
    if (!name) {
      fine_ = false;
      return std::nullopt;
    }
    const std::string path = path_to_read(program_, file_, *name);
    std::error_code failed;
    std::string wrong;
    if (!std::filesystem::is_regular_file(path, failed)) {
      wrong = fmt::format("no file `{}`", path);
    } else if (std::filesystem::file_size(path, failed) > largest_file) {
      wrong = fmt::format("the file `{}` is larger than 64 MiB", path);
    } else {
      std::ifstream file(path, std::ios::binary);
      std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      if (file) return text;
      wrong = fmt::format("the file `{}` cannot be read", path);
    }
    report_.error(DiagnosticCode::K0801, node.text_span, std::move(wrong),
                  "paths are relative to the pipeline file");
    fine_ = false;
    return std::nullopt;
  }

  const ast::Test& test_;
  Program& program_;
  FileDefinitions& file_;
  Report& report_;
  bool fine_ = true;
  std::map<std::string, bool> nothing_;  // by sink: whether `none` is expected of it
};

}  // namespace

void check_test(const ast::Item& item, const ast::Test& test, Program& program,
                FileDefinitions& file) {
  if (auto plan = TestChecker(test, program, file).run(item)) {
    program.plan.tests.push_back(std::move(*plan));
  }
}

}  // namespace kaspar::dsl
