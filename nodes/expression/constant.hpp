// Values of expressions that read neither columns nor meta fields.
#pragma once

#include <expected>

#include "runtime/core/expression.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes::expression {

/// Computed as for a row. A null is the empty Value; a timestamp is an i64. Issues: K0906, K0902,
/// K0907 where a row would fail; K0302 where it is no constant; K0101 where it is too large.
[[nodiscard]] std::expected<Value, Issue> evaluate_constant(const Expression& expression);

}  // namespace kaspar::nodes::expression
