#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "dsl/source/source_buffer.hpp"
#include "runtime/cli/test_report.hpp"

namespace kaspar::cli {
namespace {

/// Text of an element or of an attribute (XML 1.0): what has no place in XML becomes U+FFFD.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = dsl::utf8_length(text);
    const std::string_view sign = text.substr(0, std::max<std::size_t>(1, length));
    const auto byte = static_cast<unsigned char>(sign.front());
    if (sign == "<") {
      out += "&lt;";
    } else if (sign == ">") {
      out += "&gt;";
    } else if (sign == "&") {
      out += "&amp;";
    } else if (sign == "\"") {
      out += "&quot;";
    } else if (sign == "\n" || sign == "\t" || sign == "\r") {
      fmt::format_to(std::back_inserter(out), "&#{};", byte);
    } else if (length == 0 || byte < 0x20 || sign == "\xEF\xBF\xBE" || sign == "\xEF\xBF\xBF") {
      out += "\xEF\xBF\xBD";
    } else {
      out += sign;
    }
    text.remove_prefix(sign.size());
  }
  return out;
}

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

struct Totals {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::chrono::microseconds time{0};

  [[nodiscard]] std::string attributes() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{:.6f}\"",
                       tests, failures, errors, seconds(time));
  }
};

/// Why a file's tests could not run: empty where they did.
std::string obstacle(const FileReport& report) {
  if (report.unreadable) return *report.unreadable;
  return report.diagnostics.has_errors() ? dsl::render_human(report.diagnostics, false)
                                         : std::string{};
}

void append_case(std::string& out, const std::string& file, const TestOutcome& outcome) {
  fmt::format_to(std::back_inserter(out),
                 "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" "
                 "time=\"{:.6f}\"",
                 escaped(file), escaped(outcome.name), escaped(outcome.place.file),
                 outcome.place.line, seconds(outcome.time));
  if (outcome.passed()) {
    out += "/>\n";
    return;
  }
  std::string reasons;
  for (const TestFailure& failure : outcome.failures) {
    fmt::format_to(std::back_inserter(reasons), "{}:{}:{}: {}\n", failure.place.file,
                   failure.place.line, failure.place.column, failure.message);
    if (!failure.expected.empty()) reasons += "  expected  " + failure.expected + "\n";
    if (!failure.got.empty()) reasons += "  got       " + failure.got + "\n";
  }
  fmt::format_to(std::back_inserter(out),
                 ">\n      <failure type=\"test\" message=\"{}\">{}</failure>\n    </testcase>\n",
                 escaped(outcome.failures.front().message), escaped(reasons));
}

}  // namespace

std::string junit_report(std::span<const FileReport> reports) {
  Totals all;
  std::string suites;
  for (const FileReport& report : reports) {
    Totals totals;
    std::string cases;
    for (const TestOutcome& outcome : report.outcomes) {
      ++totals.tests;
      if (!outcome.passed()) ++totals.failures;
      totals.time += outcome.time;
      append_case(cases, report.file, outcome);
    }
    if (const std::string why = obstacle(report); !why.empty()) {
      ++totals.tests;
      ++totals.errors;
      fmt::format_to(std::back_inserter(cases),
                     "    <testcase classname=\"{}\" name=\"check\" file=\"{}\" "
                     "time=\"0.000000\">\n      <error type=\"check\" message=\"{}\">{}</error>\n"
                     "    </testcase>\n",
                     escaped(report.file), escaped(report.file),
                     report.unreadable ? "the file cannot be read" : "the file is not sound",
                     escaped(why));
    }
    fmt::format_to(std::back_inserter(suites), "  <testsuite name=\"{}\" {}>\n{}  </testsuite>\n",
                   escaped(report.file), totals.attributes(), cases);
    all.tests += totals.tests;
    all.failures += totals.failures;
    all.errors += totals.errors;
    all.time += totals.time;
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"kaspar\" {}>\n{}"
      "</testsuites>\n",
      all.attributes(), suites);
}

}  // namespace kaspar::cli
