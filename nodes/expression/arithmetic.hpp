// Negation, + - * / %, comparisons and `in`.
#pragma once

#include "nodes/expression/frame.hpp"
#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

/// The kernel of Negate, Not, Add … Remainder of operands of these types; nullptr: there is none.
[[nodiscard]] Kernel arithmetic_kernel(Expression::Kind kind, const Type& type);
/// The kernel of Equal … GreaterEqual of two operands of this type.
[[nodiscard]] Kernel comparison_kernel(Expression::Kind kind, ScalarType type);
/// Whether `a` is in the LiteralSet of the instruction.
[[nodiscard]] Kernel membership_kernel(ScalarType type);
/// out = out or a == b: for the operands of an `in` that are no literals.
[[nodiscard]] Kernel any_equal_kernel(ScalarType type);

/// Text longer than this is not joined (K0907): a few doublings would take all memory.
inline constexpr std::size_t longest_text = std::size_t{16} << 20;

}  // namespace kaspar::nodes::expression
