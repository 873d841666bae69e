// What a test expects against what its sinks got.
#pragma once

#include <string>
#include <vector>

#include "runtime/cli/test_endpoints.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::cli {

/// Why a test failed, for people: one reason.
struct TestFailure {
  Place place;  // of the expectation, or of the test
  std::string message;
  std::string expected;  // may be empty
  std::string got;       // may be empty
};

/// Every reason, at most a few a sink. `captured` has an element a sink of the plan; error rows
/// beyond those that the test expects are failures, whichever sink they went to.
[[nodiscard]] std::vector<TestFailure> compare(
    const Plan& plan, const TestPlan& test,
    const std::vector<std::vector<CapturedRecord>>& captured);

/// An error row that the test does not expect. `where`: "in `dead`".
[[nodiscard]] TestFailure unexpected_error(const CapturedRecord& record, std::string_view where,
                                           const Place& place);

}  // namespace kaspar::cli
