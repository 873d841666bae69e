// What `kaspar test` tells, for people and for programs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/diag/finding.hpp"
#include "runtime/cli/test_runner.hpp"

namespace kaspar::cli {

/// The tests of one file, or why there are none.
struct FileReport {
  std::string file;
  std::optional<std::string> unreadable;
  dsl::Diagnostics diagnostics;
  std::vector<TestOutcome> outcomes;  // none where the file has errors
};

/// One file: diagnostics, a line a test, the reasons below those that failed.
[[nodiscard]] std::string human_report(const FileReport& report, bool colour);
/// "3 tests: 2 ok, 1 failed"
[[nodiscard]] std::string human_summary(std::span<const FileReport> reports);

/// The members that a test run adds to the document of diagnostics: `,"tests":[…],…`.
[[nodiscard]] std::string json_members(std::span<const FileReport> reports);

/// JUnit's XML, as CI systems read it: a suite a file.
[[nodiscard]] std::string junit_report(std::span<const FileReport> reports);

/// The tests that failed, a finding each reason, for SARIF and GitHub.
[[nodiscard]] std::vector<dsl::Finding> failed_tests(std::span<const FileReport> reports);

}  // namespace kaspar::cli
