#include "runtime/cli/test_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "dsl/diag/json_text.hpp"

namespace kaspar::cli {
namespace {

using dsl::append_json_text;

std::size_t count_failed(const FileReport& report) {
  return static_cast<std::size_t>(
      std::ranges::count_if(report.outcomes, [](const TestOutcome& o) { return !o.passed(); }));
}

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// What people read below a test that failed; each line begins with `indent`.
void append_reasons(std::string& out, const TestOutcome& outcome, std::string_view indent) {
  const auto line = [&](std::string_view what, std::string_view text) {
    if (text.empty()) return;
    fmt::format_to(std::back_inserter(out), "{}{}{}\n", indent, what, dsl::shown_on_terminal(text));
  };
  std::string last;
  for (const TestFailure& failure : outcome.failures) {
    std::string place =
        fmt::format("{}:{}:{}", failure.place.file, failure.place.line, failure.place.column);
    if (place != last) line("--> ", place);
    last = std::move(place);
    line("", failure.message);
    line("  expected  ", failure.expected);
    line("  got       ", failure.got);
  }
}

std::string shown_time(std::chrono::microseconds time) {
  return time < std::chrono::milliseconds{1} ? std::string{"< 1 ms"}
                                             : fmt::format("{} ms", time.count() / 1000);
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    append_json_text(out, text);
  }
}

void append_place(std::string& out, const Place& place) {
  out += R"("file":)";
  append_json_text(out, place.file);
  fmt::format_to(std::back_inserter(out), R"(,"line":{},"column":{})", place.line, place.column);
}

}  // namespace

std::string human_report(const FileReport& report, bool colour) {
  if (report.unreadable) return {};
  std::string out = dsl::render_human(report.diagnostics, colour);
  fmt::format_to(std::back_inserter(out), "{}{}\n", report.file,
                 report.diagnostics.has_errors() ? ": not tested, for it is not sound"
                 : report.outcomes.empty()       ? ": no tests"
                                                 : "");
  for (const TestOutcome& outcome : report.outcomes) {
    fmt::format_to(std::back_inserter(out), "  {}{}{}  {} ({})\n",
                   !colour            ? ""
                   : outcome.passed() ? "\x1b[1;32m"
                                      : "\x1b[1;31m",
                   outcome.passed() ? "ok    " : "FAILED", colour ? "\x1b[0m" : "",
                   dsl::shown_on_terminal(outcome.name), shown_time(outcome.time));
    append_reasons(out, outcome, "      ");
  }
  return out;
}

std::string human_summary(std::span<const FileReport> reports) {
  std::size_t tests = 0;
  std::size_t failed = 0;
  for (const FileReport& report : reports) {
    tests += report.outcomes.size();
    failed += count_failed(report);
  }
  return fmt::format("{} {}: {} ok, {} failed\n", tests, tests == 1 ? "test" : "tests",
                     tests - failed, failed);
}

std::string json_members(std::span<const FileReport> reports) {
  std::string out = R"(,"tests":[)";
  std::size_t tests = 0;
  std::size_t failed = 0;
  for (const FileReport& report : reports) {
    failed += count_failed(report);
    for (const TestOutcome& outcome : report.outcomes) {
      out += tests++ == 0 ? "{" : ",{";
      append_place(out, outcome.place);
      out += R"(,"name":)";
      append_json_text(out, outcome.name);
      fmt::format_to(std::back_inserter(out), R"(,"status":"{}","seconds":{:.6f},"failures":[)",
                     outcome.passed() ? "ok" : "failed", seconds(outcome.time));
      bool first = true;
      for (const TestFailure& failure : outcome.failures) {
        out += first ? "{" : ",{";
        first = false;
        append_place(out, failure.place);
        out += R"(,"message":)";
        append_json_text(out, failure.message);
        out += R"(,"expected":)";
        append_text_or_null(out, failure.expected);
        out += R"(,"got":)";
        append_text_or_null(out, failure.got);
        out += '}';
      }
      out += "]}";
    }
  }
  fmt::format_to(std::back_inserter(out), R"(],"test_count":{},"failed_count":{})", tests, failed);
  return out;
}

std::vector<dsl::Finding> failed_tests(std::span<const FileReport> reports) {
  std::vector<dsl::Finding> findings;
  for (const FileReport& report : reports) {
    for (const TestOutcome& outcome : report.outcomes) {
      for (const TestFailure& failure : outcome.failures) {
        dsl::Finding finding{
            .rule = "test-failed",
            .rule_title = "a test of the file failed",
            .message = fmt::format("test \"{}\": {}", outcome.name, failure.message),
            .place = {.file = failure.place.file,
                      .region = {.line = failure.place.line, .column = failure.place.column}}};
        if (!failure.expected.empty()) finding.message += "\nexpected: " + failure.expected;
        if (!failure.got.empty()) finding.message += "\ngot: " + failure.got;
        findings.push_back(std::move(finding));
      }
    }
  }
  return findings;
}

}  // namespace kaspar::cli
