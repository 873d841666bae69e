// The plan as `check --dump plan` prints it: what the engine is given.
#pragma once

#include <string>

#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

/// Chains with their inputs, slots, stages, error policies and segments, and the tests.
[[nodiscard]] std::string print_plan(const Plan& plan);

}  // namespace kaspar::dsl
