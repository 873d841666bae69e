// Runs the tests of a plan: the same graph and engine as a run, with endpoints in memory.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "runtime/cli/test_comparison.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::cli {

struct TestOutcome {
  std::string name;
  Place place;
  std::chrono::microseconds time{0};
  std::vector<TestFailure> failures;

  [[nodiscard]] bool passed() const noexcept { return failures.empty(); }
};

/// Tests of one plan, each in a run of its own.
class TestRunner {
 public:
  explicit TestRunner(const Plan& plan);

  /// All feeds in order, then every sink against what the test expects of it. What would end a run
  /// (a `fail` policy) fails the test.
  [[nodiscard]] TestOutcome run(const TestPlan& test) const;

 private:
  Plan plan_;
  /// Where rows go that would end a run: a sink after those of the file.
  std::size_t ending_;
};

}  // namespace kaspar::cli
