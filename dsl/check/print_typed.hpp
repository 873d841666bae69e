// The checked pipeline as `check --dump typed` prints it: what every name became.
#pragma once

#include <string>

#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

/// Endpoints with their options, models, and each chain's stages with the types of their operands
/// and of the columns that they define. Segments may still be missing.
[[nodiscard]] std::string print_typed(const Plan& plan);

}  // namespace kaspar::dsl
