// Whether a row can fail in an expression.
#pragma once

#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

/// Rows can fail in i64, timestamp and duration arithmetic, in `/` and `%` of i64 unless the
/// divisor is a literal that rules it out, where bytes become a string, at a computed index, in
/// functions that say so, and at `meta.timestamp`. Constant parts are computed to know. The tree is
/// within the limits of expression_limits.hpp.
[[nodiscard]] bool is_fallible(const Expression& expression);

}  // namespace kaspar::nodes::expression
